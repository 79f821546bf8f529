//! Secret types: boxed, wiped on drop, without `Debug`, `Clone`, `Display` or `Serialize`.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Holds bytes that must not outlive their use.
///
/// The buffer is wiped when dropped. There is no way to print, clone or serialize it by accident;
/// [`SecretBytes::expose`] names each place where the bytes are looked at.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes ownership of `bytes`; the caller keeps no copy.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Shows the bytes to the one who needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Gives up the bytes, still in a buffer that wipes itself.
    pub fn into_exposed(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Holds text that must not outlive its use, such as a token.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes ownership of `text`; the caller keeps no copy.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Shows the text to the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Makes a second copy, where one is handed on and the other still needed.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    /// Tells whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Takes a text out of a body; the way back does not exist.
impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as serde::Deserialize>::deserialize(deserializer).map(Self::new)
    }
}

/// Holds a 32-byte symmetric key in its own heap allocation, so that moving it leaves no copy behind.
pub struct SecretKey(Box<[u8; 32]>);

impl SecretKey {
    /// Number of bytes of a key.
    pub const LENGTH_BYTES: usize = 32;

    /// Fills a key in place, so that its bytes never stand on the stack of the caller.
    pub fn fill_with(fill: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut key = Self(Box::new([0; 32]));
        fill(&mut key.0);
        key
    }

    /// Draws a key from `rng`.
    pub fn random(rng: &mut dyn rand_core::CryptoRng) -> Self {
        Self::fill_with(|bytes| rng.fill_bytes(bytes))
    }

    /// Shows the key to a primitive.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Tells in constant time whether two keys are the same.
    pub fn same_as(&self, other: &Self) -> bool {
        bool::from(self.0.ct_eq(other.0.as_ref()))
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
