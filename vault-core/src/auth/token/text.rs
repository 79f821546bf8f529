//! The text of tokens and accessors.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::secret::SecretText;

/// What every token begins with, so that scanners for leaked secrets can find one.
pub const TOKEN_PREFIX: &str = "kts.";

/// Characters after the prefix: 32 of base 62 carry 190 bits.
const TOKEN_CHARACTERS: usize = 32;

/// Length of a token: the prefix and the characters, each one byte.
pub const TOKEN_LENGTH_BYTES: usize = TOKEN_PREFIX.len() + TOKEN_CHARACTERS;

/// Characters of an accessor: 24 of base 62 carry 142 bits.
const ACCESSOR_CHARACTERS: usize = 24;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 in a byte: bytes from here up are drawn again, so that each character is as likely as
/// any other.
const FAIR_BELOW: u8 = 248;

/// Draws a token.
pub fn draw_token(rng: &mut dyn CryptoRng) -> SecretText {
    SecretText::new(draw(TOKEN_PREFIX, TOKEN_CHARACTERS, rng))
}

/// Draws a text as long as a token, to hide one under.
pub fn draw_one_time_pad(rng: &mut dyn CryptoRng) -> SecretText {
    SecretText::new(draw("", TOKEN_LENGTH_BYTES, rng))
}

/// Draws an accessor.
pub fn draw_accessor(rng: &mut dyn CryptoRng) -> String {
    draw("", ACCESSOR_CHARACTERS, rng)
}

fn draw(prefix: &str, characters: usize, rng: &mut dyn CryptoRng) -> String {
    let length = prefix.len() + characters;
    let mut text = String::with_capacity(length);
    text.push_str(prefix);
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        rng.fill_bytes(bytes.as_mut_slice());
        let missing = length - text.len();
        let fair = bytes.iter().filter(|byte| **byte < FAIR_BELOW).take(missing);
        text.extend(fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 62))).map(|byte| char::from(*byte)));
    }
    text
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn every_character_is_about_as_likely_as_any_other() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..2_000 {
            let token = draw_token(&mut rng);
            assert_eq!(token.expose().len(), TOKEN_PREFIX.len() + TOKEN_CHARACTERS);
            for character in token.expose()[TOKEN_PREFIX.len()..].chars() {
                *counts.entry(character).or_insert(0_u32) += 1;
            }
        }
        assert_eq!(counts.len(), 62);
        // 64,000 draws over 62 characters: 1,032 each, with a standard deviation of 32. A draw modulo 62 would give the
        // first eight characters a quarter more than the rest.
        assert!(counts.values().all(|count| (850..1_215).contains(count)), "{counts:?}");
    }
}
