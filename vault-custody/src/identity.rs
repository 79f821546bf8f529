//! Identity files: a person's signing key and age identity under a passphrase. Format: docs/formats.md, "Identity file".

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use vault_core::keys;
use vault_core::question::{PasswordCost, PasswordHash};
use vault_core::secret::{SecretKey, SecretText};
use zeroize::Zeroizing;

use crate::age_seal::{Recipient, own_recipient};
use crate::card::{Card, PersonName};
use vault_core::ssh_key::SshPublicKey;

/// Longest identity file in bytes.
pub const FILE_LENGTH_BYTES_MAX: u64 = 16 << 10;

/// The cost of a new file: 256 MiB, three passes, four lanes.
pub const COST_DEFAULT: PasswordCost = PasswordCost { memory_kib: 256 << 10, passes: 3, lanes: 4 };

/// Bounds of the cost of a file that is read: below, guessing would be cheap; above, a hostile file would take all
/// memory of the machine, or years.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 8 << 10..=1 << 20;
const PASSES: std::ops::RangeInclusive<u32> = 1..=16;
const LANES: std::ops::RangeInclusive<u32> = 1..=16;

const FORMAT: u32 = 1;
const KIND: &str = "keyturn identity";
const SALT_LENGTH_BYTES: usize = 16;
const NONCE_LENGTH_BYTES: usize = 24;
/// Seed of the signing key ‖ age identity.
const SECRETS_LENGTH_BYTES: usize = 64;

/// A person's secrets, opened.
pub struct Identity {
    name: PersonName,
    signing_seed: SecretKey,
    age_secret: SecretKey,
}

/// An identity file as it was read: what it says is not authenticated before it is opened.
pub struct IdentityFile {
    header: Header,
    card: Card,
    salt: [u8; SALT_LENGTH_BYTES],
    nonce: [u8; NONCE_LENGTH_BYTES],
    sealed: Vec<u8>,
}

/// Says why an identity file is not read or opened.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It is none.
    #[error("this is not an identity file of keyturn: {reason}")]
    NotOne {
        /// Why.
        reason: String,
    },
    /// Another version of the program made it.
    #[error("the identity file has format {found}, this program reads format {FORMAT}")]
    Format {
        /// The format that it names.
        found: u32,
    },
    /// It asks for too little or too much.
    #[error("the identity file asks for {what} {found}, which is outside of {least} to {most}")]
    Cost {
        /// Which part of the cost.
        what: &'static str,
        /// What it asks for.
        found: u32,
        /// The lower bound.
        least: u32,
        /// The upper bound.
        most: u32,
    },
    /// One of its fields cannot be read.
    #[error("the field {field} of the identity file is damaged: {reason}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// The passphrase and the file do not fit.
    #[error("the passphrase is wrong, or the file was altered")]
    Passphrase,
    /// The key could not be derived.
    #[error("the key could not be derived from the passphrase: {reason}")]
    Derivation {
        /// Why.
        reason: String,
    },
}

/// Everything but the sealed part; its compact JSON, in this order, is what the seal is bound to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    kind: String,
    name: String,
    signing_key: String,
    recipient: String,
    argon2id: PasswordCost,
    salt: String,
    nonce: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    header: Header,
    sealed: String,
}

/// What is read first, so that a newer format is told from a damaged file.
#[derive(Deserialize)]
struct Peek {
    header: PeekedHeader,
}

#[derive(Deserialize)]
struct PeekedHeader {
    format: u32,
    kind: String,
}

impl Identity {
    /// Draws new secrets for a person.
    pub fn random(name: PersonName, rng: &mut dyn CryptoRng) -> Self {
        Self { name, signing_seed: SecretKey::random(rng), age_secret: SecretKey::random(rng) }
    }

    /// Gives what the person publishes.
    pub fn card(&self) -> Card {
        Card {
            name: self.name.clone(),
            signing_key: SshPublicKey::from_ed25519(&self.signing_key().verifying_key()),
            recipient: own_recipient(&self.age_secret),
        }
    }

    /// Gives the key that signs; it wipes itself.
    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(self.signing_seed.expose())
    }

    /// Gives the secret scalar of the age identity.
    pub(crate) const fn age_secret(&self) -> &SecretKey {
        &self.age_secret
    }

    /// Writes the secrets under a passphrase, with fresh salt and nonce.
    ///
    /// # Errors
    /// Answers [`IdentityError`] for a cost outside of its bounds.
    pub fn seal(
        &self,
        passphrase: &SecretText,
        cost: PasswordCost,
        rng: &mut dyn CryptoRng,
    ) -> Result<String, IdentityError> {
        check_cost(cost)?;
        let (mut salt, mut nonce) = ([0; SALT_LENGTH_BYTES], [0; NONCE_LENGTH_BYTES]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut nonce);
        let card = self.card();
        let header = Header {
            format: FORMAT,
            kind: KIND.to_owned(),
            name: card.name.to_string(),
            signing_key: card.signing_key.to_string(),
            recipient: card.recipient.to_string(),
            argon2id: cost,
            salt: BASE64.encode(&salt),
            nonce: BASE64.encode(&nonce),
        };
        let mut secrets = Zeroizing::new(Vec::with_capacity(SECRETS_LENGTH_BYTES));
        secrets.extend_from_slice(self.signing_seed.expose());
        secrets.extend_from_slice(self.age_secret.expose());
        let sealed = cipher(passphrase, salt, cost)?
            .encrypt(&XNonce::from(nonce), Payload { msg: &secrets, aad: &header.associated_data() })
            .map_err(|_| IdentityError::Passphrase)?;
        let document = Document { header, sealed: BASE64.encode(&sealed) };
        let mut text =
            serde_json::to_string_pretty(&document).unwrap_or_else(|_| unreachable!("texts are always JSON"));
        text.push('\n');
        Ok(text)
    }
}

impl IdentityFile {
    /// Reads a file without opening it.
    ///
    /// # Errors
    /// Answers [`IdentityError`] for what is no identity file, or asks for a cost outside of the bounds.
    pub fn parse(content: &[u8]) -> Result<Self, IdentityError> {
        let not_one = |reason: String| IdentityError::NotOne { reason };
        if content.len() as u64 > FILE_LENGTH_BYTES_MAX {
            return Err(not_one(format!("it has more than {FILE_LENGTH_BYTES_MAX} bytes")));
        }
        let peek: Peek = serde_json::from_slice(content).map_err(|error| not_one(error.to_string()))?;
        if peek.header.kind != KIND {
            return Err(not_one("its kind is another".to_owned()));
        }
        if peek.header.format != FORMAT {
            return Err(IdentityError::Format { found: peek.header.format });
        }
        let Document { header, sealed } =
            serde_json::from_slice(content).map_err(|error| not_one(error.to_string()))?;
        check_cost(header.argon2id)?;
        Ok(Self {
            card: header.card()?,
            salt: bytes("salt", &header.salt)?,
            nonce: bytes("nonce", &header.nonce)?,
            sealed: BASE64.decode(sealed.as_bytes()).map_err(|error| field("sealed", error))?,
            header,
        })
    }

    /// Gives the card that the file names; whoever can write the file can alter it, which opening would tell.
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// Gives the cost at which the file was written.
    pub const fn cost(&self) -> PasswordCost {
        self.header.argon2id
    }

    /// Opens the file; takes as long as its cost says.
    ///
    /// # Errors
    /// Answers [`IdentityError::Passphrase`] for a wrong passphrase or an altered file, which look alike.
    pub fn open(&self, passphrase: &SecretText) -> Result<Identity, IdentityError> {
        let secrets = cipher(passphrase, self.salt, self.header.argon2id)?
            .decrypt(&XNonce::from(self.nonce), Payload { msg: &self.sealed, aad: &self.header.associated_data() })
            .map(Zeroizing::new)
            .map_err(|_| IdentityError::Passphrase)?;
        let (Some(seed), Some(age), SECRETS_LENGTH_BYTES) =
            (secrets.first_chunk::<32>(), secrets.last_chunk::<32>(), secrets.len())
        else {
            return Err(field("sealed", "its length is another"));
        };
        let name = self.card.name.clone();
        let identity = Identity {
            name,
            signing_seed: SecretKey::fill_with(|key| key.copy_from_slice(seed)),
            age_secret: SecretKey::fill_with(|key| key.copy_from_slice(age)),
        };
        // Whoever made the file may have written another's public keys into it.
        if identity.card().to_toml() != self.card.to_toml() {
            return Err(field("signing_key or recipient", "it is not that of the sealed keys"));
        }
        Ok(identity)
    }
}

impl Header {
    fn associated_data(&self) -> Vec<u8> {
        let header = serde_json::to_vec(self).unwrap_or_else(|_| unreachable!("texts and numbers are always JSON"));
        keys::identity_file_associated_data(&header)
    }

    fn card(&self) -> Result<Card, IdentityError> {
        Ok(Card {
            name: PersonName::parse(&self.name).map_err(|error| field("name", error))?,
            signing_key: SshPublicKey::parse(&self.signing_key).map_err(|error| field("signing_key", error))?,
            recipient: Recipient::parse(&self.recipient).map_err(|error| field("recipient", error))?,
        })
    }
}

fn check_cost(cost: PasswordCost) -> Result<(), IdentityError> {
    let parts =
        [("memory_kib", cost.memory_kib, MEMORY_KIB), ("passes", cost.passes, PASSES), ("lanes", cost.lanes, LANES)];
    for (what, found, bounds) in parts {
        if !bounds.contains(&found) {
            return Err(IdentityError::Cost { what, found, least: *bounds.start(), most: *bounds.end() });
        }
    }
    Ok(())
}

fn cipher(
    passphrase: &SecretText,
    salt: [u8; SALT_LENGTH_BYTES],
    cost: PasswordCost,
) -> Result<XChaCha20Poly1305, IdentityError> {
    let key = PasswordHash { password: passphrase.copy(), salt, cost }
        .compute()
        .map_err(|reason| IdentityError::Derivation { reason })?;
    Ok(XChaCha20Poly1305::new(&Key::from(*key.expose())))
}

fn bytes<const LENGTH: usize>(name: &'static str, text: &str) -> Result<[u8; LENGTH], IdentityError> {
    let bytes = BASE64.decode(text.as_bytes()).map_err(|error| field(name, error))?;
    bytes.try_into().map_err(|_| field(name, "its length is another"))
}

fn field(field: &'static str, reason: impl ToString) -> IdentityError {
    IdentityError::Field { field, reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
