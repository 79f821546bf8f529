//! Words to compare by voice: two people who read the same digest say the same four words.

use bip39::Language;
use vault_core::charter::Digest;

const WORDS: usize = 4;
const WORD_BITS: u32 = 11;

/// Writes the first 44 bits of a digest as four words of the BIP 39 list.
///
/// They tell apart what two people have before them; whoever could make another text with the same four words on purpose would have
/// to try 2⁴⁴ of them, which is why what is signed is the text and not the words.
pub fn four_words(digest: &Digest) -> String {
    let list = Language::English.word_list();
    let first = digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
    let bits = u64::from_be_bytes(first);
    let word = |place: usize| {
        let shift = u64::BITS - WORD_BITS * (u32::try_from(place).unwrap_or(0) + 1);
        let index = (bits >> shift) & ((1 << WORD_BITS) - 1);
        usize::try_from(index).ok().and_then(|index| list.get(index)).copied().unwrap_or_default()
    };
    (0..WORDS).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_follow_the_first_bits() {
        let digest = |first: &str| Digest::parse(&format!("sha256:{first:0<64}")).unwrap();
        assert_eq!(four_words(&digest("")), "abandon abandon abandon abandon");
        assert_eq!(four_words(&digest("fffffffffff")), "zoo zoo zoo zoo");
        assert_eq!(four_words(&digest("00200801804")), "ability able about above");
        assert_eq!(four_words(&digest("00000000000f")), four_words(&digest("")), "what lies behind is not said");
    }
}
