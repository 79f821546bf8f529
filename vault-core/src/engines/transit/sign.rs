//! `sign/`, `verify/` and `hmac/`.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::ask::{self, Flag, Whole};
use super::batch::{Asked, Failures, Item, Output};
use super::cipher::check_context;
use super::ciphertext;
use super::kind::Kind;
use super::material;
use super::record::{self, Key};
use super::signing::{self, Marshaling, Padding, Salt, Scheme};
use crate::engines::{Call, Step};
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};
use crate::view::{Interrupt, View};

const MISSING: &str = "signing key not found";

/// The fields of one item of each of the endpoints.
#[derive(Deserialize)]
struct Message {
    input: Option<SecretText>,
    context: Option<String>,
    signature: Option<String>,
    hmac: Option<String>,
    cmac: Option<String>,
    key_version: Option<Whole>,
    reference: Option<String>,
}

impl Item for Message {
    fn reference(&self) -> Option<&String> {
        self.reference.as_ref()
    }
}

impl Message {
    fn input(&self) -> Result<SecretBytes, Refusal> {
        let input = self.input.as_ref().ok_or_else(|| Refusal::invalid("missing input"))?;
        ask::decode_secret("input", input)
    }

    fn context(&self, key: &Key) -> Result<Option<Vec<u8>>, Refusal> {
        let context = ask::context(self.context.as_ref())?;
        check_context(key, context.as_deref())?;
        Ok(context)
    }
}

/// What holds for all items of a request.
#[derive(Deserialize)]
struct Manner {
    algorithm: Option<String>,
    hash_algorithm: Option<String>,
    signature_algorithm: Option<String>,
    marshaling_algorithm: Option<String>,
    salt_length: Option<Value>,
    prehashed: Option<Flag>,
    signature_context: Option<String>,
    /// The version for items that name none.
    key_version: Option<Whole>,
}

impl Manner {
    fn scheme(&self, call: &Call<'_>, kind: Kind) -> Result<Scheme, Refusal> {
        if self.signature_context.as_ref().is_some_and(|context| !context.is_empty()) {
            return Err(Refusal::invalid("signature_context is not supported"));
        }
        let named = self.hash_algorithm.as_ref().or(self.algorithm.as_ref());
        let in_path = call.capture("algorithm");
        let unhashed = if in_path.is_empty() { named.is_some_and(|name| name == "none") } else { in_path == "none" };
        let hash = match unhashed {
            true => None,
            false => Some(ask::hash(call, named)?.unwrap_or(kind.hash_default())),
        };
        Ok(Scheme {
            hash,
            prehashed: self.prehashed.is_some_and(|flag| flag.0),
            padding: self.padding()?,
            marshaling: match self.marshaling_algorithm.as_deref() {
                None | Some("" | "asn1") => Marshaling::Asn1,
                Some("jws") => Marshaling::Jws,
                Some(_) => return Err(Refusal::invalid("invalid marshaling_algorithm: give asn1 or jws")),
            },
        })
    }

    /// Gives the version that is to sign or hash an item; 0 is the newest.
    fn version_for(&self, item: &Message) -> u32 {
        item.key_version.or(self.key_version).unwrap_or_default().0
    }

    fn padding(&self) -> Result<Padding, Refusal> {
        let wrong = || Refusal::invalid("invalid salt_length: give auto, hash or a number");
        let salt = match &self.salt_length {
            None | Some(Value::Null) => Salt::Auto,
            Some(Value::Number(number)) => {
                Salt::Bytes(number.as_u64().and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?)
            }
            Some(Value::String(text)) => match text.as_str() {
                "" | "auto" => Salt::Auto,
                "hash" => Salt::Hash,
                digits => Salt::Bytes(digits.parse().map_err(|_| wrong())?),
            },
            Some(_) => return Err(wrong()),
        };
        match self.signature_algorithm.as_deref() {
            None | Some("" | "pss") => Ok(Padding::Pss(salt)),
            Some("pkcs1v15") => Ok(Padding::Pkcs1v15),
            Some(_) => Err(Refusal::invalid("unsupported signature_algorithm: give pss or pkcs1v15")),
        }
    }
}

pub(super) fn sign(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut key = record::load_usable(call, view, MISSING)?;
    if !key.kind.signs() {
        let text = format!("key type {} does not support signing", key.kind.name());
        return Err(Refusal::invalid(text).into());
    }
    let manner: Manner = call.request.parse()?;
    let scheme = manner.scheme(call, key.kind)?;
    let asked: Asked<Message> = Asked::parse(call)?;
    asked.check_size(key.kind)?;
    let changes = record::rotate_if_due(&mut key, call, rng)?;
    Ok(asked.answer(call, Failures::AreListed, changes, |item| {
        let (number, version) = key.version_for_new(manner.version_for(item))?;
        let context = item.context(&key)?;
        let input = item.input()?;
        let bytes = signing::sign(&key, version, input.expose(), &scheme, context.as_deref(), rng)?;
        let signature = Some(match is_url(&key, &scheme) {
            true => ciphertext::format_url(number, &bytes),
            false => ciphertext::format(number, &bytes),
        });
        // Only the context tells which key signed, so the answer names it.
        let shown = (key.kind == Kind::Ed25519 && key.derived).then_some(context.as_deref());
        let publickey = match shown {
            Some(context) => material::public_text(key.kind, &version.material, context)?,
            None => None,
        };
        Ok(Output { signature, publickey, key_version: Some(number), ..Output::default() })
    })?)
}

/// Tells whether signatures are written in the alphabet of JSON web signatures.
fn is_url(key: &Key, scheme: &Scheme) -> bool {
    let is_ecdsa = matches!(key.kind, Kind::EcdsaP256 | Kind::EcdsaP384 | Kind::EcdsaP521);
    is_ecdsa && scheme.marshaling == Marshaling::Jws
}

pub(super) fn verify(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let key = record::load_usable(call, view, "signature verification key not found")?;
    let manner: Manner = call.request.parse()?;
    let asked: Asked<Message> = Asked::parse(call)?;
    asked.check_size(key.kind)?;
    let mut shapes = asked.items().iter().map(|item| (item.signature.is_some(), item.hmac.is_some()));
    let first = shapes.next();
    if shapes.any(|shape| Some(shape) != first) {
        return Err(Refusal::invalid("elements of batch_input must all provide either 'hmac' or 'signature'").into());
    }
    let scheme = if first == Some((true, false)) { Some(manner.scheme(call, key.kind)?) } else { None };
    Ok(asked.answer(call, Failures::AreListed, Vec::new(), |item| {
        let valid = match (&item.signature, &item.hmac, &item.cmac, &scheme) {
            (Some(signature), None, None, Some(scheme)) => is_signature(&key, item, signature, scheme)?,
            (None, Some(hmac), None, _) => {
                let hash = ask::hash(call, manner.hash_algorithm.as_ref().or(manner.algorithm.as_ref()))?;
                let (number, sum) = ciphertext::parse(hmac)?;
                let version = key.version_for_old(number)?;
                let own = hash.unwrap_or(key.kind.hash_default());
                let own = own.keyed(version.hmac_key.expose(), item.input()?.expose());
                bool::from(own.ct_eq(&sum))
            }
            (None, None, Some(_), _) => return Err(Refusal::invalid("cmac is not supported")),
            (None, None, None, _) => {
                return Err(Refusal::invalid("neither a 'signature' nor an 'hmac' is given to verify"));
            }
            _ => return Err(Refusal::invalid("provide one of 'signature' and 'hmac'")),
        };
        Ok(Output { valid: Some(valid), ..Output::default() })
    })?)
}

fn is_signature(key: &Key, item: &Message, signature: &str, scheme: &Scheme) -> Result<bool, Refusal> {
    if !key.kind.signs() {
        return Err(Refusal::invalid(format!("key type {} does not support verification", key.kind.name())));
    }
    let (number, bytes) =
        if is_url(key, scheme) { ciphertext::parse_url(signature)? } else { ciphertext::parse(signature)? };
    let version = key.version_for_old(number)?;
    let context = item.context(key)?;
    signing::verify(key, version, item.input()?.expose(), &bytes, scheme, context.as_deref())
}

/// Computes a keyed hash, with a key of each version that does nothing else.
pub(super) fn hmac(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut key = record::load_usable(call, view, "encryption key not found")?;
    let manner: Manner = call.request.parse()?;
    let hash = ask::hash(call, manner.algorithm.as_ref().or(manner.hash_algorithm.as_ref()))?;
    let hash = hash.unwrap_or(key.kind.hash_default());
    let asked: Asked<Message> = Asked::parse(call)?;
    asked.check_size(Kind::KeyedHash)?;
    let changes = record::rotate_if_due(&mut key, call, rng)?;
    Ok(asked.answer(call, Failures::AreListed, changes, |item| {
        let (number, version) = key.version_for_new(manner.version_for(item))?;
        let sum = hash.keyed(version.hmac_key.expose(), item.input()?.expose());
        Ok(Output { hmac: Some(ciphertext::format(number, &sum)), ..Output::default() })
    })?)
}
