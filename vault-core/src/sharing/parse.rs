//! Reads a share in whatever form a person or a stock client hands it in.

use data_encoding::{BASE64_NOPAD, DecodePartial, Encoding, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use super::share::{Malformation, MistypedAt, Share, ShareError};
use super::text;

/// Longest input in bytes; the longest form with a separator after each character stays far below it.
pub const SHARE_TEXT_LENGTH_BYTES_MAX: usize = 1024;

const HEX_LENGTH: usize = 2 * Share::LENGTH_BYTES;
/// 82 bytes are 109⅓ base64 digits: 110 of them, and two `=` where a client pads.
const BASE64_LENGTH: usize = Share::LENGTH_BYTES.div_ceil(3) * 4 - BASE64_PADDING;
const BASE64_PADDING: usize = 2;
/// How many characters a text may have lost or gained while its prefix is damaged too.
const LENGTH_SLACK: usize = 6;

impl Share {
    /// Reads the text form, or the binary form in hexadecimal or base64 (standard or URL-safe, padded or not).
    ///
    /// White space and line breaks are ignored; in the text form dashes and case are too.
    ///
    /// # Errors
    /// Answers [`ShareError::Mistyped`] for what was meant as a share, [`ShareError::Malformed`] for anything else.
    pub fn parse(input: &str) -> Result<Self, ShareError> {
        if input.len() > SHARE_TEXT_LENGTH_BYTES_MAX {
            return Err(malformed(Malformation::TooLong { length_bytes: input.len() }));
        }
        let text = filtered(input, |c| !c.is_whitespace() && !is_dash(c), |c| c.to_ascii_lowercase());
        if text.starts_with(text::PREFIX) {
            return text::decode(&text);
        }
        // A dash is a digit of URL-safe base64.
        let digits = filtered(input, |c| !c.is_whitespace(), |c| c);
        match digits.trim_end_matches('=').len() {
            HEX_LENGTH => from_digits(&HEXLOWER_PERMISSIVE, &digits),
            BASE64_LENGTH if digits.len() <= BASE64_LENGTH + BASE64_PADDING => from_base64(&digits),
            _ if text::LENGTH.abs_diff(text.chars().count()) <= LENGTH_SLACK => text::decode(&text),
            _ => Err(malformed(Malformation::Unknown)),
        }
    }
}

fn from_base64(digits: &str) -> Result<Share, ShareError> {
    let standard = |c| match c {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    from_digits(&BASE64_NOPAD, &filtered(digits, |c| c != '=', standard))
}

fn from_digits(encoding: &Encoding, digits: &str) -> Result<Share, ShareError> {
    let mistyped = ShareError::Mistyped { at: MistypedAt::Unknown };
    let mut bytes = Zeroizing::new([0; Share::LENGTH_BYTES]);
    if encoding.decode_len(digits.len()) != Ok(Share::LENGTH_BYTES) {
        return Err(mistyped);
    }
    match encoding.decode_mut(digits.as_bytes(), bytes.as_mut_slice()) {
        Ok(Share::LENGTH_BYTES) => Share::from_bytes(bytes.as_slice()),
        Ok(_) | Err(DecodePartial { .. }) => Err(mistyped),
    }
}

/// Copies what is kept into a buffer that is never moved to a larger one, so that it leaves no copy behind.
fn filtered(input: &str, keep: impl Fn(char) -> bool, change: impl Fn(char) -> char) -> Zeroizing<String> {
    let mut output = Zeroizing::new(String::with_capacity(input.len()));
    output.extend(input.chars().filter(|&c| keep(c)).map(change));
    output
}

/// Tells dashes of every length, because word processors put others in place of the one that was typed.
const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

const fn malformed(reason: Malformation) -> ShareError {
    ShareError::Malformed { reason }
}
