//! The token itself: read within bounds, then verified.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::json::parse_object;
use super::keys::KeySet;

/// Longest token that is looked at.
pub const TOKEN_LENGTH_BYTES_MAX: usize = 16 * 1024;

/// Says why a token is not believed; for the log, never for the caller.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than is read.
    #[error("the token has {length} bytes, at most {TOKEN_LENGTH_BYTES_MAX} are read")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is no JSON Web Token.
    #[error("no JSON Web Token: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// Its algorithm is none that may ever be used.
    #[error("the algorithm {name:?} is never accepted")]
    ForbiddenAlgorithm {
        /// Its name, cut.
        name: String,
    },
    /// Its algorithm is not in the list of this mount.
    #[error("the algorithm {} is not in jwt_supported_algs", .algorithm.name())]
    UnlistedAlgorithm {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// No key has the token's key id and fits its algorithm.
    #[error("no key fits the token's algorithm and key id")]
    UnknownKey,
    /// No fitting key made the signature.
    #[error("the signature was made by none of {candidates} fitting keys")]
    WrongSignature {
        /// How many keys fit.
        candidates: usize,
        /// Whether the token names its key.
        names_key: bool,
    },
}

/// A token of which nothing is believed yet.
pub struct Unverified<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    signed: &'a [u8],
    signature: Vec<u8>,
    payload: Vec<u8>,
}

/// What a verified token says.
#[derive(Debug)]
pub struct Claims(Map<String, Value>);

impl<'a> Unverified<'a> {
    /// Reads a token. Header fields that bring a key or point to one (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
    ///
    /// # Errors
    /// Answers [`TokenError`] for what is too long, malformed, of a forbidden algorithm, or needs extensions (`crit`).
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_LENGTH_BYTES_MAX {
            return Err(TokenError::TooLong { length: text.len() });
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(|| malformed("it has no three parts"))?;
        let (header, payload) = signed.split_once('.').ok_or_else(|| malformed("it has no three parts"))?;
        let header = parse_object(&decode(header)?).map_err(|reason| malformed(format!("header: {reason}")))?;
        if header.contains_key("crit") {
            return Err(malformed("it needs extensions that are not known"));
        }
        let name = header.get("alg").and_then(Value::as_str).ok_or_else(|| malformed("it names no algorithm"))?;
        let forbidden = || TokenError::ForbiddenAlgorithm { name: name.chars().take(20).collect() };
        let algorithm = Algorithm::find(name).ok_or_else(forbidden)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(malformed("its key id is no text")),
        };
        let (signature, payload) = (decode(signature)?, decode(payload)?);
        Ok(Self { algorithm, key_id, signed: signed.as_bytes(), signature, payload })
    }

    /// Gives the claims if a key of the set made the signature, with an algorithm of the list.
    ///
    /// # Errors
    /// Answers [`TokenError`] if not, or if what was signed is no JSON object.
    pub fn verify(&self, allowed: &[Algorithm], keys: &KeySet) -> Result<Claims, TokenError> {
        let algorithm = self.algorithm;
        if !allowed.contains(&algorithm) {
            return Err(TokenError::UnlistedAlgorithm { algorithm });
        }
        let mut candidates = 0;
        for key in keys.candidates(algorithm, self.key_id.as_deref()) {
            candidates += 1;
            if key.verifies(algorithm, self.signed, &self.signature) {
                let claims = parse_object(&self.payload).map_err(|reason| malformed(format!("claims: {reason}")))?;
                return Ok(Claims(claims));
            }
        }
        let names_key = self.key_id.is_some();
        Err(if candidates == 0 { TokenError::UnknownKey } else { TokenError::WrongSignature { candidates, names_key } })
    }
}

impl TokenError {
    /// Tells whether keys that are newer than the ones at hand could make a difference.
    pub const fn may_be_stale_keys(&self) -> bool {
        matches!(self, Self::UnknownKey | Self::WrongSignature { names_key: false, .. })
    }
}

impl Claims {
    /// Gives a claim by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Gives a claim by its name, or by a JSON pointer (RFC 6901) if it begins with a slash.
    pub fn at(&self, name_or_pointer: &str) -> Option<&Value> {
        let Some(pointer) = name_or_pointer.strip_prefix('/') else { return self.get(name_or_pointer) };
        let (first, rest) = pointer.split_once('/').map_or((pointer, ""), |(first, rest)| (first, rest));
        let top = self.0.get(&first.replace("~1", "/").replace("~0", "~"))?;
        if pointer.len() == first.len() { Some(top) } else { top.pointer(&format!("/{rest}")) }
    }

    /// Makes claims that nobody signed.
    #[cfg(test)]
    pub(crate) fn for_test(value: &Value) -> Self {
        Self(value.as_object().unwrap().clone())
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| malformed("a part is no base64url"))
}

fn malformed(reason: impl Into<String>) -> TokenError {
    TokenError::Malformed { reason: reason.into() }
}
