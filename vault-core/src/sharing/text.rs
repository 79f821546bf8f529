//! The text form of a share: bech32m (BIP 350) in groups of five that people can type.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use bech32::{Bech32m, Fe32, Hrp};
use zeroize::Zeroizing;

use super::share::{MistypedAt, Share, ShareError};
use crate::secret::SecretText;

/// What every share begins with, without separators: the human-readable part and the `1` that ends it.
pub(super) const PREFIX: &str = "keyturnshare1";
const PREFIX_SHOWN: &str = "keyturn-share-1";
const HUMAN_READABLE_PART: &str = "keyturnshare";

const CHECKSUM_LENGTH: usize = 6;
const DATA_LENGTH: usize = (Share::LENGTH_BYTES * 8).div_ceil(5) + CHECKSUM_LENGTH;
/// Number of characters without separators.
pub(super) const LENGTH: usize = PREFIX.len() + DATA_LENGTH;
const GROUP_LENGTH: usize = 5;

/// Writes the binary form as text.
pub(super) fn encode(bytes: &[u8]) -> SecretText {
    let human_readable_part = Hrp::parse_unchecked(HUMAN_READABLE_PART);
    let mut text = String::with_capacity(LENGTH + DATA_LENGTH);
    text.push_str(PREFIX_SHOWN);
    let characters = bytes.iter().copied().bytes_to_fes().with_checksum::<Bech32m>(&human_readable_part).chars();
    for (position, character) in characters.skip(PREFIX.len()).enumerate() {
        if position % GROUP_LENGTH == 0 {
            text.push('-');
        }
        text.push(character);
    }
    SecretText::new(text)
}

/// Reads the text back; separators are gone and letters in lower case.
pub(super) fn decode(text: &str) -> Result<Share, ShareError> {
    let mistyped = |at| ShareError::Mistyped { at };
    let found = text.chars().count();
    if found != LENGTH {
        return Err(mistyped(MistypedAt::Length { found, expected: LENGTH }));
    }
    let Some(data) = text.strip_prefix(PREFIX) else { return Err(mistyped(MistypedAt::Prefix)) };
    let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| mistyped(find_mistake(data)))?;
    let mut bytes = Zeroizing::new([0; Share::LENGTH_BYTES]);
    let mut rest = checked.byte_iter();
    bytes.iter_mut().zip(&mut rest).for_each(|(target, byte)| *target = byte);
    Share::from_bytes(bytes.as_slice())
}

/// Finds the group of the first foreign character, or else of the one character whose change mends the checksum.
fn find_mistake(data: &str) -> MistypedAt {
    let group = |position: usize| MistypedAt::Group(position / GROUP_LENGTH + 1);
    let mut values = Zeroizing::new(Vec::with_capacity(data.len()));
    for (position, character) in data.chars().enumerate() {
        let Ok(value) = Fe32::from_char(character) else { return group(position) };
        values.push(value.to_u8());
    }
    find_single_error(&values).map_or(MistypedAt::Unknown, group)
}

/// Finds the position of a single wrong value.
///
/// The checksum is linear: an error `e` at `n` places from the end changes the remainder by `e·xⁿ`, and two single
/// errors never change it alike within 1,023 places. bech32's own corrector is not used because it panics on some
/// texts with several errors.
fn find_single_error(values: &[u8]) -> Option<usize> {
    let prefix = HUMAN_READABLE_PART.bytes();
    let expanded = prefix.clone().map(|byte| byte >> 5).chain([0]).chain(prefix.map(|byte| byte & 31));
    let remainder = expanded.chain(values.iter().copied()).fold(1, |state, value| step(state) ^ u32::from(value));
    let difference = remainder ^ BECH32M_REMAINDER;
    let mut changes: Vec<u32> = (1..32).collect();
    for position in (0..values.len()).rev() {
        if changes.contains(&difference) {
            return Some(position);
        }
        changes.iter_mut().for_each(|change| *change = step(*change));
    }
    None
}

/// The remainder that a right text leaves (BIP 350).
const BECH32M_REMAINDER: u32 = 0x2BC8_30A3;
/// The multiples of the generator polynomial (BIP 173).
const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];

/// Multiplies a remainder by x.
fn step(state: u32) -> u32 {
    let top = state >> 25;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold((state & 0x1FF_FFFF) << 5, |state, (_, multiple)| state ^ multiple)
}
