//! Keys that verify: from a JSON Web Key Set (RFC 7517) or from PEM (RFC 7468).

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, KeyKind};
use super::json::parse_object;

/// Most keys of one set; real ones hold a handful.
pub const KEYS_MAX: usize = 100;

/// Longest text of one key in PEM: RSA with 8,192 bits takes 1,500 bytes.
const PEM_LENGTH_BYTES_MAX: usize = 4 * 1024;

/// Smallest and largest modulus of RSA.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Says why keys cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is no key set.
    #[error("no JSON Web Key Set: {reason}")]
    NoSet {
        /// What is wrong with it.
        reason: String,
    },
    /// It has too many keys.
    #[error("{count} keys, at most {KEYS_MAX} are read")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A text holds no public key.
    #[error("no public key in PEM: {reason}")]
    NoKey {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A public key with what its owner says about its use.
pub struct VerificationKey {
    kind: KeyKind,
    id: Option<String>,
    /// The only algorithm that the owner uses it with.
    algorithm: Option<Algorithm>,
    /// The key in a form that its kind's algorithms read.
    bytes: Vec<u8>,
}

/// Keys among which a token's header chooses.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys of kinds or uses that are not known here are left out, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// Answers [`KeySetError`] for anything else, and for too many keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let mut set = parse_object(bytes).map_err(|reason| KeySetError::NoSet { reason })?;
        let Some(Value::Array(keys)) = set.remove("keys") else {
            return Err(KeySetError::NoSet { reason: "it has no list 'keys'".to_owned() });
        };
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany { count: keys.len() });
        }
        Ok(Self { keys: keys.iter().filter_map(Value::as_object).filter_map(VerificationKey::from_jwk).collect() })
    }

    /// Puts keys together.
    ///
    /// # Errors
    /// Answers [`KeySetError`] for too many.
    pub fn of(keys: Vec<VerificationKey>) -> Result<Self, KeySetError> {
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany { count: keys.len() });
        }
        Ok(Self { keys })
    }

    /// Finds the keys that may have made a signature: of the algorithm's kind, not meant for another algorithm, and of
    /// the given id if the token names one. Keys from PEM have no id and fit all.
    pub(super) fn candidates<'a>(
        &'a self,
        algorithm: Algorithm,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a VerificationKey> {
        self.keys.iter().filter(move |key| {
            let same_id = id.is_none() || key.id.is_none() || key.id.as_deref() == id;
            same_id && key.kind == algorithm.key_kind() && key.algorithm.is_none_or(|own| own == algorithm)
        })
    }
}

impl VerificationKey {
    /// Reads a public key in PEM: `PUBLIC KEY` (RFC 5280) or `RSA PUBLIC KEY` (RFC 8017).
    ///
    /// # Errors
    /// Answers [`KeySetError::NoKey`] for anything else, private keys and certificates included.
    pub fn from_pem(text: &str) -> Result<Self, KeySetError> {
        let no_key = |reason| KeySetError::NoKey { reason };
        if text.len() > PEM_LENGTH_BYTES_MAX {
            return Err(no_key("it is too long"));
        }
        let body = text.trim().strip_prefix("-----BEGIN ").ok_or_else(|| no_key("it does not begin as PEM does"))?;
        let (label, body) = body.split_once("-----").ok_or_else(|| no_key("its first line does not end"))?;
        if !matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY") {
            return Err(no_key("it is neither a 'PUBLIC KEY' nor an 'RSA PUBLIC KEY'"));
        }
        let body =
            body.strip_suffix(&format!("-----END {label}-----")).ok_or_else(|| no_key("its last line is amiss"))?;
        let packed: String = body.split_ascii_whitespace().collect();
        let bytes = BASE64.decode(packed.as_bytes()).map_err(|_| no_key("its body is no base64"))?;
        let kinds: &[KeyKind] = if label == "PUBLIC KEY" { &KeyKind::ALL } else { &[KeyKind::Rsa] };
        // A point without its frame would be read as well: what the label promises must be a sequence.
        let readable = |kind: &&KeyKind| ParsedPublicKey::new(kind.reader(), &bytes).is_ok();
        let kind = kinds.iter().find(readable).filter(|_| bytes.first() == Some(&0x30));
        let kind = *kind.ok_or_else(|| no_key("its kind is not known"))?;
        Ok(Self { kind, id: None, algorithm: None, bytes })
    }

    /// Reads a JSON Web Key; `None` for one that does not verify signatures, or not in a way that is known here.
    fn from_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if jwk.contains_key("use") && text("use") != Some("sig") {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops") {
            operations.as_array()?.iter().find(|operation| operation.as_str() == Some("verify"))?;
        }
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::find(name.as_str()?)?),
        };
        let number = |name: &str| BASE64URL_NOPAD.decode(text(name)?.as_bytes()).ok();
        let (kind, bytes) = match (text("kty")?, text("crv")) {
            ("RSA", None) => (KeyKind::Rsa, rsa_key(&number("n")?, &number("e")?)?),
            ("EC", Some("P-256")) => (KeyKind::P256, point(&number("x")?, &number("y")?, 32)?),
            ("EC", Some("P-384")) => (KeyKind::P384, point(&number("x")?, &number("y")?, 48)?),
            ("EC", Some("P-521")) => (KeyKind::P521, point(&number("x")?, &number("y")?, 66)?),
            ("OKP", Some("Ed25519")) => (KeyKind::Ed25519, number("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        ParsedPublicKey::new(kind.reader(), &bytes).ok()?;
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.to_owned()),
        };
        Some(Self { kind, id, algorithm, bytes })
    }

    /// Tells whether the key made a signature.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.kind == algorithm.key_kind()
            && UnparsedPublicKey::new(algorithm.verification(), &self.bytes).verify(signed, signature).is_ok()
    }
}

/// Lays out an RSA key of an acceptable size.
fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let n = without_zeros(modulus);
    let e = without_zeros(exponent);
    if !RSA_MODULUS_BYTES.contains(&n.len()) || !(1..=4).contains(&e.len()) {
        return None;
    }
    let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
    Some(key.as_ref().to_vec())
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Lays out an uncompressed point (SEC 1 section 2.3.3).
fn point(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [&[4], x, y].concat())
}
