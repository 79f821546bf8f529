//! The words form of a share: twelve lines of six English words, five that carry 55 bits and one that checks the line.

use bip39::Language;
use vault_core::secret::SecretText;
use vault_core::sharing::{Share, ShareError};
use zeroize::Zeroizing;

/// How many lines there are.
pub const LINES: usize = 12;

/// Longest input in bytes; the longest words with numbers before the lines stay below a kilobyte.
pub const WORDS_LENGTH_BYTES_MAX: usize = 4096;

const DATA_WORDS: usize = 5;
const LINE_WORDS: usize = DATA_WORDS + 1;
const WORD_BITS: usize = 11;
/// The first letters that tell a word of the list from all others.
const DISTINCT_LETTERS: usize = 4;

/// Says why words are no share.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WordsError {
    /// It is far too long.
    #[error("there are {length_bytes} bytes, more than the words of a share have")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// Lines are missing or too many.
    #[error("there are {found} lines of words instead of {LINES}")]
    Lines {
        /// How many there are.
        found: usize,
    },
    /// One line is wrong.
    #[error("line {line} is wrong: {reason}")]
    Line {
        /// Which one, from 1.
        line: usize,
        /// Why.
        reason: WrongLine,
    },
    /// Each line checks, and still they are no share.
    #[error("each line is right in itself, but together they are no share: {0}")]
    Share(ShareError),
}

/// Says what is wrong with a line; none of it tells a word.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WrongLine {
    /// Words are missing or too many.
    #[error("it has {found} words instead of {LINE_WORDS}")]
    Count {
        /// How many it has.
        found: usize,
    },
    /// A word is not in the list.
    #[error("its word {position} is not one of the list")]
    Unknown {
        /// Which word of the line, from 1.
        position: usize,
    },
    /// The last word does not fit the others.
    #[error("one of its words is wrong, or it is the line of another place")]
    Check,
}

/// The numbers of the five words of a line that carry data.
pub type LineNumbers = Zeroizing<[u16; DATA_WORDS]>;

/// Writes a share as twelve lines of six words.
pub fn to_words(share: &Share) -> Vec<SecretText> {
    let bytes = share.to_bytes();
    let words = Language::English.word_list();
    let word = |number: u16| words.get(usize::from(number)).copied().unwrap_or_default();
    (1..=LINES)
        .map(|line| {
            let numbers = numbers_of_line(bytes.expose(), line);
            let mut text = String::with_capacity(LINE_WORDS * 9);
            for number in numbers.iter().copied().chain([check(&numbers, line)]) {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word(number));
            }
            SecretText::new(text)
        })
        .collect()
}

/// Reads the lines back. Case, empty lines, and a number before each line are ignored; four letters of a word do.
///
/// # Errors
/// Answers [`WordsError`], which names the first wrong line.
pub fn from_words(text: &str) -> Result<Share, WordsError> {
    if text.len() > WORDS_LENGTH_BYTES_MAX {
        return Err(WordsError::TooLong { length_bytes: text.len() });
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() > LINES {
        return Err(WordsError::Lines { found: lines.len() });
    }
    let mut numbers = Vec::with_capacity(LINES);
    for (position, line) in lines.iter().enumerate() {
        let line_number = position + 1;
        let read = read_line(line, line_number);
        numbers.push(read.map_err(|reason| WordsError::Line { line: line_number, reason })?);
    }
    if numbers.len() < LINES {
        return Err(WordsError::Lines { found: numbers.len() });
    }
    let bytes = bytes_of_lines(&numbers).ok_or(WordsError::Line { line: LINES, reason: WrongLine::Check })?;
    Share::from_bytes(bytes.as_slice()).map_err(WordsError::Share)
}

/// Reads one line, so that a person who types hears at once of a wrong one; `line` counts from 1.
///
/// # Errors
/// Answers [`WrongLine`].
pub fn read_line(text: &str, line: usize) -> Result<LineNumbers, WrongLine> {
    let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.first().is_some_and(|first| is_line_number(first)) {
        words.remove(0);
    }
    let [data @ .., last] = words.as_slice() else { return Err(WrongLine::Count { found: 0 }) };
    if data.len() != DATA_WORDS {
        return Err(WrongLine::Count { found: words.len() });
    }
    let mut numbers = Zeroizing::new([0; DATA_WORDS]);
    for (position, (number, word)) in numbers.iter_mut().zip(data).enumerate() {
        *number = number_of(word).ok_or(WrongLine::Unknown { position: position + 1 })?;
    }
    let found = number_of(last).ok_or(WrongLine::Unknown { position: LINE_WORDS })?;
    if found == check(&numbers, line) { Ok(numbers) } else { Err(WrongLine::Check) }
}

fn is_line_number(word: &str) -> bool {
    let digits = word.trim_end_matches(['.', ':', ')']);
    !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn number_of(word: &str) -> Option<u16> {
    let word = Zeroizing::new(word.to_ascii_lowercase());
    Language::English.find_word(&word).or_else(|| {
        let mut longer = Language::English.words_by_prefix_iter(&word);
        let only = longer.next().filter(|_| word.len() >= DISTINCT_LETTERS && longer.next().is_none())?;
        Language::English.find_word(only)
    })
}

/// Computes the word that checks a line: over GF(2¹¹) = GF(2)[x]/(x¹¹ + x² + 1), w₁·x + … + w₅·x⁵ + line·x⁶.
///
/// One wrong word, two that changed places, and a line in another's place change it for certain.
fn check(numbers: &[u16; DATA_WORDS], line: usize) -> u16 {
    let line = u16::try_from(line).unwrap_or(0);
    numbers.iter().rev().fold(times_x(line), |sum, number| times_x(sum ^ number))
}

const fn times_x(value: u16) -> u16 {
    const HIGH: u16 = 1 << WORD_BITS;
    let shifted = value << 1;
    if shifted & HIGH == 0 { shifted } else { shifted ^ (HIGH | 0b101) }
}

/// Takes 55 bits from the front of the bytes, the highest first; zeros fill up the last line.
fn numbers_of_line(bytes: &[u8], line: usize) -> LineNumbers {
    let mut numbers = Zeroizing::new([0; DATA_WORDS]);
    let start = (line - 1) * DATA_WORDS;
    for (number, word) in numbers.iter_mut().zip(start..) {
        for bit in word * WORD_BITS..(word + 1) * WORD_BITS {
            let byte = bytes.get(bit / 8).copied().unwrap_or(0);
            *number = *number << 1 | u16::from(byte >> (7 - bit % 8) & 1);
        }
    }
    numbers
}

/// Puts the bits together again; `None` if those that fill up are not zero.
fn bytes_of_lines(lines: &[LineNumbers]) -> Option<Zeroizing<[u8; Share::LENGTH_BYTES]>> {
    let mut bytes = Zeroizing::new([0_u8; Share::LENGTH_BYTES]);
    let numbers = lines.iter().flat_map(|line| line.iter().copied());
    let bits = numbers.flat_map(|number| (0..WORD_BITS).rev().map(move |bit| number >> bit & 1 == 1));
    for (position, bit) in bits.enumerate() {
        match bytes.get_mut(position / 8) {
            Some(byte) => *byte |= u8::from(bit) << (7 - position % 8),
            None if bit => return None,
            None => {}
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_has_all_its_elements() {
        let mut value = 1;
        let mut order = 0;
        loop {
            value = times_x(value);
            order += 1;
            if value == 1 {
                break;
            }
        }
        assert_eq!(order, (1 << WORD_BITS) - 1, "x generates the field, so that no two places weigh the same");
    }

    #[test]
    fn four_letters_tell_every_word() {
        for (number, word) in Language::English.word_list().iter().enumerate() {
            let short = &word[..word.len().min(DISTINCT_LETTERS)];
            assert_eq!(number_of(short), Some(u16::try_from(number).unwrap()), "{word}");
        }
        for unknown in ["", "a", "aba", "abandonn", "abandom", "ähre", "zzzz"] {
            assert_eq!(number_of(unknown), None, "{unknown}");
        }
    }
}
