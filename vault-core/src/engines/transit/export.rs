//! `export/`: shows keys that may be shown.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use rand_core::CryptoRng;
use serde::Serialize;

use super::material;
use super::record::{self, Key, Version};
use crate::engines::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

/// What of a key is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Encryption,
    Signing,
    KeyedHash,
    Public,
}

impl Part {
    fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "encryption-key" => Ok(Self::Encryption),
            "signing-key" => Ok(Self::Signing),
            "hmac-key" => Ok(Self::KeyedHash),
            "public-key" => Ok(Self::Public),
            _ => Err(Refusal::invalid("invalid export type: give encryption-key, signing-key, hmac-key or public-key")),
        }
    }

    fn check(self, key: &Key) -> Result<(), Refusal> {
        // A public key is no secret, and `keys/` shows it too.
        if self != Self::Public && !key.exportable {
            return Err(Refusal::invalid("private key material is not exportable"));
        }
        match self {
            Self::Encryption if !key.kind.encrypts() => Err(Refusal::invalid("encryption not supported for the key")),
            Self::Signing if !key.kind.signs() => Err(Refusal::invalid("signing not supported for the key")),
            Self::Public if !key.kind.signs() => Err(Refusal::invalid("unknown key type for a public key")),
            Self::Public if key.derived => Err(Refusal::invalid("a derived key has no one public key")),
            _ => Ok(()),
        }
    }

    fn text(self, key: &Key, version: &Version) -> Result<SecretText, Refusal> {
        match self {
            Self::KeyedHash => Ok(SecretText::new(BASE64.encode(version.hmac_key.expose()))),
            Self::Public => {
                let text = material::public_text(key.kind, &version.material, None)?;
                Ok(SecretText::new(text.unwrap_or_default()))
            }
            Self::Signing | Self::Encryption => material::private_text(key.kind, &version.material),
        }
    }
}

#[derive(Serialize)]
struct Exported<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    keys: BTreeMap<String, &'a str>,
}

pub(super) fn export(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let part = Part::parse(call.capture("part"))?;
    let key = record::find(call, call.capture("name"), view)?.ok_or_else(Refusal::missing)?;
    part.check(&key)?;
    if call.request.parameter("format").is_some_and(|format| !matches!(format, "" | "raw")) {
        return Err(Refusal::invalid("unsupported format: leave it out").into());
    }
    let numbers = match call.capture("version") {
        "" => key.min_decryption_version..=key.latest_version,
        "latest" => key.latest_version..=key.latest_version,
        digits => {
            let number = digits.parse().map_err(|_| Refusal::invalid("invalid key version"))?;
            if number < key.min_decryption_version {
                return Err(Refusal::invalid("version for export is below minimum decryption version").into());
            }
            number..=number
        }
    };
    let mut texts = BTreeMap::new();
    for (number, version) in key.versions.range(numbers) {
        texts.insert(number.to_string(), part.text(&key, version)?);
    }
    if texts.is_empty() {
        return Err(Refusal::invalid("version does not exist or cannot be found").into());
    }
    let keys = texts.iter().map(|(number, text)| (number.clone(), text.expose())).collect();
    Ok(Step::answer(Reply::data(&Exported { name: &key.name, kind: key.kind.name(), keys })?))
}
