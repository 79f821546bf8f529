//! A newtype for every id and count that crosses a boundary.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// Names one vault for its whole life: 16 random bytes drawn at initialisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct VaultId(pub [u8; 16]);

impl VaultId {
    /// Draws a fresh id.
    pub fn random(rng: &mut dyn rand_core::CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Shortens the id to what people compare and shares carry: its first 8 bytes.
    pub fn fingerprint(&self) -> VaultFingerprint {
        let mut short = [0; 8];
        short.copy_from_slice(self.0.first_chunk::<8>().unwrap_or(&[0; 8]));
        VaultFingerprint(short)
    }
}

/// Shows the id as 32 hexadecimal digits in the grouping of a UUID, which stock clients expect of a cluster id.
impl fmt::Display for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(&self.0, f)
    }
}

/// Tells vaults apart where the full id would be too long: the first 8 bytes of the [`VaultId`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct VaultFingerprint(pub [u8; 8]);

impl fmt::Display for VaultFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Counts the generations of the unseal shares of a vault, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch of the shares made at initialisation.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the barrier keys of a vault, from 1; each sealed value names the term that opens it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Term(pub u32);

impl Term {
    /// The term of the first barrier key.
    pub const FIRST: Self = Self(1);
}

/// Counts committed batches of a store, from 1; each row carries the revision that last wrote it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u64);

/// Makes an id of 16 random bytes that is shown as a UUID (version 4, RFC 9562 section 5.4).
macro_rules! uuid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Draws a fresh id.
            pub fn random(rng: &mut dyn rand_core::CryptoRng) -> Self {
                Self(random_uuid(rng))
            }

            /// Reads an id as it is shown; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                parse_uuid(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(&self.0, f)
            }
        }
    };
}

uuid! {
    /// Names one request in replies and audit records.
    RequestId
}

uuid! {
    /// Names one attempt to unseal, so that all its custodians can see that they take part in the same one.
    UnsealAttemptId
}

uuid! {
    /// Names one attempt at a ceremony of the custodians (the nonce of the Vault API), or the verification that ends it.
    AttemptId
}

uuid! {
    /// Names one mount for its whole life, independent of the path it is mounted at.
    MountId
}

uuid! {
    /// Names an entity: a person or an application, whatever they log in with.
    EntityId
}

uuid! {
    /// Names an entity's alias: what it is called at one mount.
    AliasId
}

uuid! {
    /// Names an AppRole for its whole life.
    AppRoleId
}

uuid! {
    /// Names a group of entities.
    GroupId
}

/// Draws the 16 bytes of a version 4 UUID (RFC 9562 section 5.4).
fn random_uuid(rng: &mut dyn rand_core::CryptoRng) -> [u8; 16] {
    let mut random = [0; 16];
    rng.fill_bytes(&mut random);
    let number = u128::from_be_bytes(random);
    let version = 0xF << 76;
    let variant = 0x3 << 62;
    ((number & !version & !variant) | (0x4 << 76) | (0x2 << 62)).to_be_bytes()
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let bytes: [u8; 16] = HEXLOWER.decode(&digits).ok()?.try_into().ok()?;
    // One form only, so that two texts never name the same thing.
    (RequestId(bytes).to_string() == text).then_some(bytes)
}

fn write_uuid(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut digits = [0; 32];
    HEXLOWER.encode_mut(bytes, &mut digits);
    let digits = std::str::from_utf8(&digits).map_err(|_| fmt::Error)?;
    for (position, range) in [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().enumerate() {
        if position > 0 {
            f.write_str("-")?;
        }
        f.write_str(digits.get(range).unwrap_or_default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_request_id_is_a_version_4_uuid() {
        let text = RequestId::random(&mut rand::rngs::StdRng::seed_from_u64(1)).to_string();
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(text.as_bytes()[14], b'4');
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(RequestId::parse(&text).map(|id| id.to_string()), Some(text.clone()));
        for bad in ["", "x", &text[1..], &text.replace('-', ""), &text.to_uppercase().replace('4', "F")] {
            assert_eq!(RequestId::parse(bad), None, "{bad}");
        }
    }
}
