//! The types of keys, and what each can do.

use serde::{Deserialize, Serialize};

use super::hash::HashAlgorithm;

/// The type of a key. The order is part of the stored format: new ones go to the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    XChaCha20Poly1305,
    Ed25519,
    EcdsaP256,
    EcdsaP384,
    EcdsaP521,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    KeyedHash,
}

/// A type with its names: in the API, and the number that backups of Vault and OpenBao write.
pub(super) struct Description {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) backup_number: u8,
}

const fn describe(kind: Kind, name: &'static str, backup_number: u8) -> Description {
    Description { kind, name, backup_number }
}

/// Every type.
pub(super) static KINDS: [Description; 12] = [
    describe(Kind::Aes256Gcm, "aes256-gcm96", 0),
    describe(Kind::Aes128Gcm, "aes128-gcm96", 8),
    describe(Kind::ChaCha20Poly1305, "chacha20-poly1305", 5),
    describe(Kind::XChaCha20Poly1305, "xchacha20-poly1305", 12),
    describe(Kind::Ed25519, "ed25519", 2),
    describe(Kind::EcdsaP256, "ecdsa-p256", 1),
    describe(Kind::EcdsaP384, "ecdsa-p384", 6),
    describe(Kind::EcdsaP521, "ecdsa-p521", 7),
    describe(Kind::Rsa2048, "rsa-2048", 3),
    describe(Kind::Rsa3072, "rsa-3072", 9),
    describe(Kind::Rsa4096, "rsa-4096", 4),
    describe(Kind::KeyedHash, "hmac", 11),
];

impl Kind {
    pub(super) fn parse(name: &str) -> Option<Self> {
        KINDS.iter().find(|known| known.name == name).map(|known| known.kind)
    }

    pub(super) fn name(self) -> &'static str {
        KINDS.iter().find(|known| known.kind == self).map_or("", |known| known.name)
    }

    /// Tells whether the key is one secret of bytes for authenticated encryption.
    pub(super) const fn is_aead(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20Poly1305 | Self::XChaCha20Poly1305)
    }

    pub(super) const fn is_rsa(self) -> bool {
        self.rsa_bits().is_some()
    }

    pub(super) const fn rsa_bits(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
            _ => None,
        }
    }

    pub(super) const fn encrypts(self) -> bool {
        self.is_aead() || self.is_rsa()
    }

    pub(super) const fn signs(self) -> bool {
        !self.is_aead() && !matches!(self, Self::KeyedHash)
    }

    pub(super) const fn derives(self) -> bool {
        self.is_aead() || matches!(self, Self::Ed25519)
    }

    /// Gives the length of a key that is plain bytes; an HMAC key has the length that was asked for.
    pub(super) const fn key_bytes(self) -> Option<usize> {
        match self {
            Self::Aes128Gcm => Some(16),
            Self::Aes256Gcm | Self::ChaCha20Poly1305 | Self::XChaCha20Poly1305 | Self::Ed25519 => Some(32),
            _ => None,
        }
    }

    pub(super) const fn nonce_bytes(self) -> usize {
        if matches!(self, Self::XChaCha20Poly1305) { 24 } else { 12 }
    }

    /// Gives the name of a public key of this type as replies write it.
    pub(super) fn public_name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "P-256",
            Self::EcdsaP384 => "P-384",
            Self::EcdsaP521 => "P-521",
            other => other.name(),
        }
    }

    /// Bounds a batch by what its items cost: a private RSA operation is a thousand times a symmetric one.
    pub(super) const fn batch_items_max(self) -> usize {
        if self.is_aead() || matches!(self, Self::KeyedHash) { 10_000 } else { 250 }
    }

    /// Gives the hash that is meant when none is named.
    pub(super) const fn hash_default(self) -> HashAlgorithm {
        HashAlgorithm::Sha2_256
    }
}
