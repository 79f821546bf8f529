//! Batch tokens: what they may do is sealed in their own text and stored nowhere.
//!
//! Format: docs/formats.md, "Batch token".

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::{Issuers, Kind, Token, TokenId};
use crate::barrier::{open_box, seal_box};
use crate::id::{EntityId, MountId, VaultId};
use crate::keys;
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretKey, SecretText};
use crate::time::{Span, Timestamp};

/// What every batch token begins with. No service token does: a text that somebody chose for one holds no dot.
pub const BATCH_TOKEN_PREFIX: &str = "ktb.";

/// Longest text of a batch token: it travels in a header of every request, and proxies commonly allow 8 KiB for all.
pub const BATCH_TOKEN_LENGTH_BYTES_MAX: usize = 4096;

const FORMAT: u8 = 1;
const VERSION: u8 = 2;
const VERSION_BEFORE_ISSUERS: u8 = 1;

/// Seals batch tokens and opens them again.
pub struct BatchTokens {
    key: SecretKey,
    vault: VaultId,
}

/// What a batch token carries.
#[derive(Serialize, Deserialize)]
struct Carried {
    parent: Option<TokenId>,
    policies: Vec<String>,
    path: String,
    display_name: String,
    metadata: BTreeMap<String, String>,
    created_at: Timestamp,
    creation_ttl: Span,
    expires_at: Timestamp,
    role: Option<String>,
    bound_cidrs: Vec<String>,
    entity: Option<EntityId>,
    mount: Option<MountId>,
}

impl BatchTokens {
    /// Takes the key and the vault that they are good for.
    pub const fn new(key: SecretKey, vault: VaultId) -> Self {
        Self { key, vault }
    }

    /// Writes a token out as its text.
    ///
    /// # Errors
    /// Refuses what a batch token cannot be, such as one without end, and what is too much for a text.
    pub fn seal(&self, token: &Token, rng: &mut dyn CryptoRng) -> Result<SecretText, Refusal> {
        let carried = Carried::of(token)?;
        let plain = record_format::encode(VERSION, &(carried, &token.issued_by))?;
        let sealed = seal_box(&self.key, &self.associated_data(FORMAT), plain.expose(), rng)
            .map_err(|error| Refusal::internal(error.to_string()))?;
        let mut text = BATCH_TOKEN_PREFIX.to_owned();
        BASE64URL_NOPAD.encode_append(&[&[FORMAT], sealed.as_slice()].concat(), &mut text);
        if text.len() > BATCH_TOKEN_LENGTH_BYTES_MAX {
            return Err(Refusal::invalid(format!(
                "a batch token carries its policies and metadata itself: these are too many for \
                 {BATCH_TOKEN_LENGTH_BYTES_MAX} bytes"
            )));
        }
        Ok(SecretText::new(text))
    }

    /// Reads a token; `None` for any text that this vault did not write. Whether the token is alive is not asked here.
    pub fn open(&self, text: &SecretText) -> Option<Token> {
        let text = text.expose();
        if text.len() > BATCH_TOKEN_LENGTH_BYTES_MAX {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(BATCH_TOKEN_PREFIX)?.as_bytes()).ok()?;
        let (&format, sealed) = bytes.split_first()?;
        if format != FORMAT {
            return None;
        }
        let plain: SecretBytes = open_box(&self.key, &self.associated_data(format), sealed).ok()?;
        let (carried, issued_by): (Carried, _) = if record_format::version(&plain) == Some(VERSION_BEFORE_ISSUERS) {
            (record_format::decode(VERSION_BEFORE_ISSUERS, &plain).ok()?, Some(Issuers::UNTOLD))
        } else {
            record_format::decode(VERSION, &plain).ok()?
        };
        Some(Token { issued_by, ..carried.into_token() })
    }

    fn associated_data(&self, format: u8) -> Vec<u8> {
        keys::batch_token_associated_data(self.vault, format)
    }
}

impl Carried {
    /// Takes what is carried out of a token. What could not be kept is refused, not left out.
    fn of(token: &Token) -> Result<Self, Refusal> {
        let expires_at = token.expires_at.ok_or_else(|| Refusal::invalid("a batch token needs an end"))?;
        if token.policies.iter().any(|policy| policy == "root") {
            return Err(Refusal::invalid("batch tokens cannot be root tokens"));
        }
        if token.uses_left.is_some() {
            return Err(Refusal::invalid("batch tokens cannot have a limited number of uses"));
        }
        if !token.period.is_zero() {
            return Err(Refusal::invalid("batch tokens cannot be periodic"));
        }
        Ok(Self {
            parent: token.parent.clone(),
            policies: token.policies.clone(),
            path: token.path.clone(),
            display_name: token.display_name.clone(),
            metadata: token.metadata.clone(),
            created_at: token.created_at,
            creation_ttl: token.creation_ttl,
            expires_at,
            role: token.role.clone(),
            bound_cidrs: token.bound_cidrs.clone(),
            entity: token.entity,
            mount: token.mount,
        })
    }

    fn into_token(self) -> Token {
        Token {
            kind: Kind::Batch,
            parent: self.parent,
            path: self.path,
            display_name: self.display_name,
            metadata: self.metadata,
            creation_ttl: self.creation_ttl,
            expires_at: Some(self.expires_at),
            role: self.role,
            bound_cidrs: self.bound_cidrs,
            entity: self.entity,
            mount: self.mount,
            ..Token::new(String::new(), self.policies, self.created_at)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::engines::test_store::START;

    fn tokens(key: u8, vault: u8) -> BatchTokens {
        BatchTokens::new(SecretKey::fill_with(|bytes| bytes.fill(key)), VaultId([vault; 16]))
    }

    fn token() -> Token {
        Token {
            kind: Kind::Batch,
            parent: Some(TokenId::from_stored("p")),
            path: "auth/token/create".to_owned(),
            display_name: "token-x".to_owned(),
            metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            creation_ttl: Span(60),
            expires_at: Some(START.after(Span(60))),
            role: Some("r".to_owned()),
            bound_cidrs: vec!["192.0.2.0/24".to_owned()],
            entity: Some(EntityId([3; 16])),
            mount: Some(MountId([4; 16])),
            issued_by: Some(Issuers::UNKNOWN),
            ..Token::new(String::new(), vec!["a".to_owned()], START)
        }
    }

    fn sealed(seed: u64) -> SecretText {
        tokens(1, 1).seal(&token(), &mut StdRng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn a_token_is_read_back_by_its_own_vault_only() {
        let text = sealed(1);
        assert!(text.expose().starts_with(BATCH_TOKEN_PREFIX));
        assert_eq!(tokens(1, 1).open(&text), Some(token()));
        assert_eq!(tokens(1, 2).open(&text), None);
        assert_eq!(tokens(2, 1).open(&text), None);
        assert_ne!(text.expose(), sealed(2).expose());
    }

    #[test]
    fn a_token_from_before_issuers_does_not_tell_who_issued_its_login() {
        let tokens = tokens(1, 1);
        let plain = record_format::encode(VERSION_BEFORE_ISSUERS, &Carried::of(&token()).unwrap()).unwrap();
        let sealed =
            seal_box(&tokens.key, &tokens.associated_data(FORMAT), plain.expose(), &mut StdRng::seed_from_u64(1))
                .unwrap();
        let text = [BATCH_TOKEN_PREFIX, &BASE64URL_NOPAD.encode(&[&[FORMAT], sealed.as_slice()].concat())].concat();
        let read = tokens.open(&SecretText::new(text)).unwrap();
        assert_eq!(read, Token { issued_by: Some(Issuers::UNTOLD), ..token() });
    }

    #[test]
    fn what_a_batch_token_cannot_be_is_refused() {
        let refused = |token: Token| tokens(1, 1).seal(&token, &mut StdRng::seed_from_u64(1)).err().unwrap().public;
        assert!(refused(Token { expires_at: None, ..token() }).contains("end"));
        assert!(refused(Token { uses_left: Some(1), ..token() }).contains("uses"));
        assert!(refused(Token { period: Span(1), ..token() }).contains("periodic"));
        assert!(refused(Token { policies: vec!["root".to_owned()], ..token() }).contains("root"));
        let metadata = (0..64).map(|key| (key.to_string(), "v".repeat(64))).collect();
        assert!(refused(Token { metadata, ..token() }).contains("too many"));
    }

    proptest! {
        #[test]
        fn any_altered_byte_is_refused(seed: u64, position: prop::sample::Index, byte: u8) {
            let text = sealed(seed);
            let mut bytes = text.expose().as_bytes().to_vec();
            let position = position.index(bytes.len());
            prop_assume!(bytes[position] != byte);
            bytes[position] = byte;
            if let Ok(altered) = String::from_utf8(bytes) {
                prop_assert_eq!(tokens(1, 1).open(&SecretText::new(altered)), None);
            }
        }

        #[test]
        fn a_text_cut_or_grown_is_refused(seed: u64, length: prop::sample::Index, more in "[A-Za-z0-9_-]{1,40}") {
            let text = sealed(seed);
            let cut = &text.expose()[..length.index(text.expose().len())];
            prop_assert_eq!(tokens(1, 1).open(&SecretText::new(cut.to_owned())), None);
            prop_assert_eq!(tokens(1, 1).open(&SecretText::new(format!("{}{more}", text.expose()))), None);
        }

        #[test]
        fn any_text_is_refused(text in "(ktb\\.)?\\PC{0,200}") {
            prop_assert_eq!(tokens(1, 1).open(&SecretText::new(text)), None);
        }
    }
}
