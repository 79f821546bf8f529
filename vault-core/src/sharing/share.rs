//! A share: what one custodian keeps, and everything that can be wrong with it.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use super::secret::Opening;
use super::text;
use super::threshold::{ShareIndex, Threshold};
use crate::id::{Epoch, VaultFingerprint};
use crate::keys;
use crate::secret::{SecretBytes, SecretText};
use crate::time::Timestamp;

const SHARE_FORMAT: u8 = 1;
const CHECKSUM_LENGTH_BYTES: usize = 4;
const BODY_LENGTH_BYTES: usize = 1 + 8 + 4 + 1 + Opening::LENGTH_BYTES;

/// One custodian's share of the unseal secret, addressed to a vault and an epoch; wiped when dropped.
///
/// It proves nothing until [`Commitments::verify`](super::Commitments::verify) has taken it.
pub struct Share {
    vault: VaultFingerprint,
    epoch: Epoch,
    index: ShareIndex,
    opening: Opening,
}

/// A share that opens the commitment to its index.
pub struct VerifiedShare(Share);

/// Says what is wrong with a share; the words are read by the custodian, and none of them tells a byte of it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ShareError {
    /// It is meant to be a share but its checksum is wrong.
    #[error("the share is mistyped{at}: compare it with your original and enter it again")]
    Mistyped {
        /// Where, as far as that can be told.
        at: MistypedAt,
    },
    /// It is no share of a known format.
    #[error("this is not a share that keyturn can read: {reason}")]
    Malformed {
        /// Why.
        reason: Malformation,
    },
    /// The share opens another vault.
    #[error("share {index} is of another vault: it carries {share}, this vault is {vault}; look for the right share")]
    OfAnotherVault {
        /// Which share.
        index: ShareIndex,
        /// The vault that the share is of.
        share: VaultFingerprint,
        /// The vault that it was given to.
        vault: VaultFingerprint,
    },
    /// The shares were renewed since.
    #[error(
        "share {index} is out of date: epoch {share} ended{ended}, the vault is at {current}; use your newest share"
    )]
    OfOlderEpoch {
        /// Which share.
        index: ShareIndex,
        /// The epoch of the share.
        share: Epoch,
        /// The epoch of the vault.
        current: Epoch,
        /// When the share's epoch ended, as far as that is known.
        ended: EpochEnd,
    },
    /// The vault is older than the share.
    #[error(
        "share {index} is of epoch {share}, but the vault is only at {current}: \
         the vault may have been restored from an old backup; find out before you go on"
    )]
    OfNewerEpoch {
        /// Which share.
        index: ShareIndex,
        /// The epoch of the share.
        share: Epoch,
        /// The epoch of the vault.
        current: Epoch,
    },
    /// The vault has fewer shares.
    #[error("share {index} does not exist: the vault has {total} shares, numbered from 1")]
    IndexOutOfRange {
        /// Which share.
        index: ShareIndex,
        /// How many shares there are.
        total: u8,
    },
    /// The same share was given before in this attempt.
    #[error("share {index} was given already: another custodian's share is needed")]
    IndexAlreadyGiven {
        /// Which share.
        index: ShareIndex,
    },
    /// The commitments refuse it: it was altered, or made by somebody else.
    #[error("share {index} is not genuine: it does not fit what the vault knows about its shares")]
    NotOfThisSet {
        /// Which share.
        index: ShareIndex,
    },
}

/// Says when an epoch of shares ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EpochEnd {
    /// It is not known here.
    Unknown,
    /// The next one followed then.
    On(Timestamp),
    /// Several have followed, the last one then.
    Before(Timestamp),
}

impl fmt::Display for EpochEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::On(time) => write!(f, " on {time}"),
            Self::Before(time) => write!(f, " before {time}"),
        }
    }
}

/// Says where a share is mistyped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MistypedAt {
    /// It cannot be told.
    Unknown,
    /// In what every share begins with.
    Prefix,
    /// In one of the groups of five after the prefix; they count from 1.
    Group(usize),
    /// Characters are missing or too many.
    Length {
        /// How many there are without the separators.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
}

impl fmt::Display for MistypedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::Prefix => write!(f, " at its beginning"),
            Self::Group(number) => write!(f, " in group {number}"),
            Self::Length { found, expected } => write!(f, ", it has {found} characters instead of {expected}"),
        }
    }
}

/// Says why something is no share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformation {
    /// It is far too long.
    #[error("it has {length_bytes} bytes, more than any share")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// It looks like nothing that is known.
    #[error("it is neither the text of a share (keyturn-share-1-...) nor its bytes in hexadecimal or base64")]
    Unknown,
    /// The binary form has a fixed length.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// Another version of the program made it.
    #[error("it has format {found}, this program reads format {SHARE_FORMAT}")]
    Format {
        /// The format that it names.
        found: u8,
    },
    /// Place 0 is where the secret itself lies.
    #[error("it has number 0, and shares count from 1")]
    IndexZero,
    /// One of its two values is not in its canonical form.
    #[error("share {index} holds a value that is out of range")]
    OutOfRange {
        /// Which share.
        index: ShareIndex,
    },
}

impl Share {
    /// Number of bytes of the binary form.
    pub const LENGTH_BYTES: usize = BODY_LENGTH_BYTES + CHECKSUM_LENGTH_BYTES;

    pub(super) const fn new(vault: VaultFingerprint, epoch: Epoch, index: ShareIndex, opening: Opening) -> Self {
        Self { vault, epoch, index, opening }
    }

    /// Gives the number of the share in its set.
    pub const fn index(&self) -> ShareIndex {
        self.index
    }

    /// Gives the fingerprint of the vault that the share is of.
    pub const fn vault(&self) -> VaultFingerprint {
        self.vault
    }

    /// Gives the generation of shares that the share is of.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Checks that the share is addressed to this vault, in this epoch, as one of so many.
    ///
    /// # Errors
    /// Answers [`ShareError`] with both sides of what differs.
    pub fn check_addressed_to(
        &self,
        vault: VaultFingerprint,
        current: Epoch,
        threshold: Threshold,
    ) -> Result<(), ShareError> {
        let index = self.index;
        if self.vault != vault {
            return Err(ShareError::OfAnotherVault { index, share: self.vault, vault });
        }
        if self.epoch < current {
            return Err(ShareError::OfOlderEpoch { index, share: self.epoch, current, ended: EpochEnd::Unknown });
        }
        if self.epoch > current {
            return Err(ShareError::OfNewerEpoch { index, share: self.epoch, current });
        }
        if index.get() > threshold.total() {
            return Err(ShareError::IndexOutOfRange { index, total: threshold.total() });
        }
        Ok(())
    }

    /// Lays the share out in its binary form of 82 bytes.
    pub fn to_bytes(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(Self::LENGTH_BYTES);
        bytes.push(SHARE_FORMAT);
        bytes.extend_from_slice(&self.vault.0);
        bytes.extend_from_slice(&self.epoch.0.to_be_bytes());
        bytes.push(self.index.get());
        bytes.extend_from_slice(self.opening.value().as_bytes());
        bytes.extend_from_slice(self.opening.blinding().as_bytes());
        bytes.extend_from_slice(&keys::share_checksum(&bytes));
        SecretBytes::new(bytes)
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// Answers [`ShareError`] for another length, a wrong checksum or values out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ShareError> {
        let length = Malformation::Length { found: bytes.len(), expected: Self::LENGTH_BYTES };
        let bytes: &[u8; Self::LENGTH_BYTES] =
            bytes.try_into().map_err(|_| ShareError::Malformed { reason: length })?;
        let (body, checksum) = bytes.split_at(BODY_LENGTH_BYTES);
        if keys::share_checksum(body) != checksum {
            return Err(ShareError::Mistyped { at: MistypedAt::Unknown });
        }
        Self::from_body(body).map_err(|reason| ShareError::Malformed { reason })
    }

    /// Gives the text that people write down and type: bech32m in groups of five.
    pub fn to_text(&self) -> SecretText {
        text::encode(self.to_bytes().expose())
    }

    /// Gives the binary form in hexadecimal, as Vault's `keys`.
    pub fn to_hex(&self) -> SecretText {
        SecretText::new(HEXLOWER.encode(self.to_bytes().expose()))
    }

    /// Gives the binary form in standard base64, as Vault's `keys_base64`.
    pub fn to_base64(&self) -> SecretText {
        SecretText::new(BASE64.encode(self.to_bytes().expose()))
    }

    pub(super) const fn opening(&self) -> &Opening {
        &self.opening
    }

    fn from_body(body: &[u8]) -> Result<Self, Malformation> {
        let unreadable = Malformation::Length { found: body.len(), expected: BODY_LENGTH_BYTES };
        let (&format, rest) = body.split_first().ok_or(unreadable)?;
        let (&vault, rest) = rest.split_first_chunk().ok_or(unreadable)?;
        let (&epoch, rest) = rest.split_first_chunk().ok_or(unreadable)?;
        let (&index, rest) = rest.split_first().ok_or(unreadable)?;
        let opening: Zeroizing<[u8; Opening::LENGTH_BYTES]> = Zeroizing::new(rest.try_into().map_err(|_| unreadable)?);
        if format != SHARE_FORMAT {
            return Err(Malformation::Format { found: format });
        }
        let index = ShareIndex::new(index).ok_or(Malformation::IndexZero)?;
        let opening = Opening::from_bytes(&opening).ok_or(Malformation::OutOfRange { index })?;
        Ok(Self::new(VaultFingerprint(vault), Epoch(u32::from_be_bytes(epoch)), index, opening))
    }
}

impl VerifiedShare {
    pub(super) const fn new(share: Share) -> Self {
        Self(share)
    }

    /// Gives the number of the share in its set.
    pub const fn index(&self) -> ShareIndex {
        self.0.index
    }

    pub(super) const fn opening(&self) -> &Opening {
        &self.0.opening
    }
}
