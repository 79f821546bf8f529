//! Shares on paper: one page with everything that is needed to bring a share back by a camera, by typing or by hand.
//! Format: docs/formats.md, "Share on paper".

mod draw;
mod page;
mod words;

use qrcode::{EcLevel, QrCode};
use vault_core::secret::SecretBytes;
use vault_core::sharing::Share;
use zeroize::Zeroizing;

pub use words::{LINES, LineNumbers, WORDS_LENGTH_BYTES_MAX, WordsError, WrongLine, from_words, read_line, to_words};

/// Says why a page was not made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The date stands on the page as it is given.
    #[error("the date has {length} characters, or some that are not plain, instead of up to {DATE_LENGTH_MAX}")]
    Date {
        /// How many there are.
        length: usize,
    },
    /// The text of a share always fits; this would be an error of the program.
    #[error("the QR code could not be made: {reason}")]
    Qr {
        /// Why.
        reason: String,
    },
}

/// Longest date in characters.
pub const DATE_LENGTH_MAX: usize = 32;

/// A form in which a page is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageFormat {
    /// Scalable vector graphics.
    Svg,
    /// Portable document format.
    Pdf,
}

impl PageFormat {
    /// Chooses by the ending of a file's name; `None` for another.
    pub fn of_file(path: &std::path::Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "svg" => Some(Self::Svg),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }
}

/// Makes the page of a share; `date` stands on it as it is given.
///
/// # Errors
/// Answers [`PageError`] for a date that cannot be shown.
pub fn print(share: &Share, date: &str, format: PageFormat) -> Result<SecretBytes, PageError> {
    if date.len() > DATE_LENGTH_MAX || !date.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(PageError::Date { length: date.chars().count() });
    }
    let text = share.to_text();
    let code = QrCode::with_error_correction_level(text.expose(), EcLevel::M)
        .map_err(|error| PageError::Qr { reason: error.to_string() })?;
    let modules =
        Zeroizing::new(code.to_colors().iter().map(|color| *color == qrcode::Color::Dark).collect::<Vec<_>>());
    let page = page::compose(share, &text, date, &page::Code { modules: &modules, width: code.width() });
    Ok(match format {
        PageFormat::Svg => draw::svg(&page),
        PageFormat::Pdf => draw::pdf(&page),
    })
}

#[cfg(test)]
mod tests;
