//! `encrypt/`, `decrypt/`, `rewrap/` and `datakey/`.

use data_encoding::BASE64;
use rand_core::CryptoRng;
use serde::Deserialize;

use super::ask::{self, Flag, Whole};
use super::batch::{Asked, Failures, Item, Output};
use super::cipher::{self, Surroundings};
use super::ciphertext;
use super::kind::Kind;
use super::record::{self, Key, Version};
use crate::engines::{Call, Change, Step};
use crate::policy::{self, Capability};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::{SecretBytes, SecretText};
use crate::view::{Interrupt, View};

const MISSING: &str = "encryption key not found";

/// The fields of one item of each of the endpoints.
#[derive(Deserialize)]
struct Text {
    plaintext: Option<SecretText>,
    ciphertext: Option<String>,
    context: Option<String>,
    associated_data: Option<String>,
    nonce: Option<String>,
    key_version: Option<Whole>,
    padding_scheme: Option<String>,
    reference: Option<String>,
}

impl Item for Text {
    fn reference(&self) -> Option<&String> {
        self.reference.as_ref()
    }
}

impl Text {
    fn surroundings(&self) -> Result<Surroundings, Refusal> {
        surroundings(
            self.context.as_ref(),
            self.associated_data.as_ref(),
            self.nonce.as_ref(),
            self.padding_scheme.as_ref(),
        )
    }

    fn parse_ciphertext(&self) -> Result<(u32, Vec<u8>), Refusal> {
        match self.ciphertext.as_deref() {
            None | Some("") => Err(Refusal::invalid("missing ciphertext to decrypt")),
            Some(text) => ciphertext::parse(text),
        }
    }

    fn open(&self, key: &Key, rng: &mut dyn CryptoRng) -> Result<SecretBytes, Refusal> {
        let (number, bytes) = self.parse_ciphertext()?;
        cipher::decrypt(key, key.version_for_old(number)?, &bytes, &self.surroundings()?, rng)
    }
}

fn surroundings(
    context: Option<&String>,
    associated_data: Option<&String>,
    nonce: Option<&String>,
    padding: Option<&String>,
) -> Result<Surroundings, Refusal> {
    if nonce.is_some_and(|nonce| !nonce.is_empty()) {
        return Err(Refusal::invalid("nonce provided when not allowed: nonces are drawn, or derived when convergent"));
    }
    if padding.is_some_and(|padding| !matches!(padding.as_str(), "" | "oaep")) {
        return Err(Refusal::invalid("unsupported padding_scheme: RSA keys encrypt with oaep"));
    }
    let associated_data = associated_data.map(|text| ask::decode("associated_data", text)).transpose()?;
    Ok(Surroundings { context: ask::context(context)?, associated_data: associated_data.unwrap_or_default() })
}

/// Encrypts, and makes the key first if there is none: the policy was asked whether it may be created.
pub(super) fn encrypt(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let found = record::find(call, call.capture("name"), view)?;
    let asked: Asked<Text> = Asked::parse(call)?;
    let (key, changes) = match found {
        Some(mut key) => {
            key.check_usable()?;
            let changes = record::rotate_if_due(&mut key, call, rng)?;
            (key, changes)
        }
        None => created(call, &asked, rng)?,
    };
    asked.check_size(key.kind)?;
    Ok(asked.answer(call, Failures::Count, changes, |item| {
        let plaintext = item.plaintext.as_ref().ok_or_else(|| Refusal::invalid("missing plaintext to encrypt"))?;
        let plaintext = ask::decode_secret("plaintext", plaintext)?;
        let newest = key.version_for_new(item.key_version.unwrap_or_default().0)?;
        encrypted(&key, newest, &plaintext, &item.surroundings()?, rng)
    })?)
}

fn encrypted(
    key: &Key,
    (number, version): (u32, &Version),
    plaintext: &SecretBytes,
    surroundings: &Surroundings,
    rng: &mut dyn CryptoRng,
) -> Result<Output, Refusal> {
    let bytes = cipher::encrypt(key, version, plaintext.expose(), surroundings, rng)?;
    let ciphertext = Some(ciphertext::format(number, &bytes));
    Ok(Output { ciphertext, key_version: Some(number), ..Output::default() })
}

/// Makes the key that an encryption asks for. It is derived if the items carry contexts, which all or none must.
fn created(call: &Call<'_>, asked: &Asked<Text>, rng: &mut dyn CryptoRng) -> Result<(Key, Vec<Change>), Refusal> {
    #[derive(Deserialize)]
    struct Settings {
        #[serde(rename = "type")]
        kind: Option<String>,
        convergent_encryption: Option<Flag>,
    }
    let settings: Settings = call.request.parse()?;
    let kind = match settings.kind.as_deref() {
        None | Some("") => Kind::Aes256Gcm,
        Some(name) => Kind::parse(name)
            .filter(|kind| kind.encrypts())
            .ok_or_else(|| Refusal::invalid(format!("unknown key type {name:?}, or one that does not encrypt")))?,
    };
    let has_context = |item: &Text| item.context.as_ref().is_some_and(|context| !context.is_empty());
    let with_context = asked.items().iter().filter(|item| has_context(item)).count();
    if with_context != 0 && with_context != asked.items().len() {
        return Err(Refusal::invalid("context should be set either in all the request blocks or in none"));
    }
    asked.check_size(kind)?;
    check_may_create(call)?;
    let mut key = Key::new(record::checked_name(call.capture("name"))?, kind);
    key.derived = with_context != 0;
    key.convergent = settings.convergent_encryption.is_some_and(|flag| flag.0);
    key.check_derivation()?;
    key.rotate(call.now, rng)?;
    let changes = vec![key.put(call)?];
    Ok((key, changes))
}

/// Asks the rules once more whether the caller may create: since they were first asked the key may have been deleted.
fn check_may_create(call: &Call<'_>) -> Result<(), Refusal> {
    let acl = call.acl()?;
    let path = call.request.path.as_str();
    let fields = if acl.looks_at_fields(path) { call.request.parse()? } else { serde_json::Map::new() };
    let ask =
        policy::Ask { path, capability: Capability::Create, fields: &fields, wrapping_ttl: call.request.wrap_ttl };
    if acl.allows(&ask) { Ok(()) } else { Err(Refusal::denied()) }
}

pub(super) fn decrypt(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let key = record::load_usable(call, view, MISSING)?;
    let asked: Asked<Text> = Asked::parse(call)?;
    asked.check_size(key.kind)?;
    Ok(asked.answer(call, Failures::Count, Vec::new(), |item| {
        let plaintext = item.open(&key, rng)?;
        Ok(Output { plaintext: Some(text_of(plaintext)), ..Output::default() })
    })?)
}

fn text_of(plaintext: SecretBytes) -> SecretText {
    SecretText::new(BASE64.encode(plaintext.expose()))
}

/// Encrypts anew what an older version encrypted, without showing it.
pub(super) fn rewrap(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut key = record::load_usable(call, view, MISSING)?;
    let asked: Asked<Text> = Asked::parse(call)?;
    asked.check_size(key.kind)?;
    let changes = record::rotate_if_due(&mut key, call, rng)?;
    Ok(asked.answer(call, Failures::Count, changes, |item| {
        let plaintext = item.open(&key, rng)?;
        let newest = key.version_for_new(item.key_version.unwrap_or_default().0)?;
        encrypted(&key, newest, &plaintext, &item.surroundings()?, rng)
    })?)
}

/// Makes a key for the caller's own use, encrypted under this one, and in clear too if the path says `plaintext`.
pub(super) fn data_key(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Ask {
        bits: Option<Whole>,
        context: Option<String>,
        associated_data: Option<String>,
        nonce: Option<String>,
        padding_scheme: Option<String>,
        key_version: Option<Whole>,
    }
    let shows = match call.capture("shape") {
        "plaintext" => true,
        "wrapped" => false,
        _ => return Err(Refusal::invalid("Invalid path, must be 'plaintext' or 'wrapped'").into()),
    };
    let mut key = record::load_usable(call, view, MISSING)?;
    let ask: Ask = call.request.parse()?;
    let length_bytes = match ask.bits {
        None | Some(Whole(256)) => 32,
        Some(Whole(128)) => 16,
        Some(Whole(512)) => 64,
        Some(_) => return Err(Refusal::invalid("invalid bit length: give 128, 256 or 512").into()),
    };
    let surroundings = surroundings(
        ask.context.as_ref(),
        ask.associated_data.as_ref(),
        ask.nonce.as_ref(),
        ask.padding_scheme.as_ref(),
    )?;
    let changes = record::rotate_if_due(&mut key, call, rng)?;
    let mut fresh = vec![0; length_bytes];
    rng.fill_bytes(&mut fresh);
    let fresh = SecretBytes::new(fresh);
    let newest = key.version_for_new(ask.key_version.unwrap_or_default().0)?;
    let mut output = encrypted(&key, newest, &fresh, &surroundings, rng)?;
    output.plaintext = shows.then(|| text_of(fresh));
    Ok(Step::commit(Reply::data(&output)?, changes))
}
