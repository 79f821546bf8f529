//! Fields of bodies in the forms that stock clients send: the command line of Vault sends numbers and truth values as
//! text.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::ciphertext::decode_base64;
use super::hash::HashAlgorithm;
use crate::engines::Call;
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};

/// A truth value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flag(pub(super) bool);

/// A number that is not negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Whole(pub(super) u32);

#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Truth(bool),
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Loose::deserialize(deserializer)? {
            Loose::Truth(truth) => Ok(Self(truth)),
            Loose::Number(number @ (0 | 1)) => Ok(Self(number == 1)),
            Loose::Number(_) => Err(Error::custom("no truth value")),
            Loose::Text(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(Self(true)),
                "" | "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(Self(false)),
                _ => Err(Error::custom("no truth value")),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Loose::deserialize(deserializer)? {
            Loose::Truth(_) => return Err(Error::custom("no number")),
            Loose::Number(number) => u32::try_from(number).map_err(Error::custom)?,
            Loose::Text(text) if text.is_empty() => 0,
            Loose::Text(text) => text.parse().map_err(Error::custom)?,
        };
        Ok(Self(number))
    }
}

/// Reads base64; line breaks, which encoders add to long texts, are passed over.
pub(super) fn decode(field: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    let wrong = || Refusal::invalid(format!("failed to base64-decode {field}"));
    if text.contains(['\n', '\r']) {
        let joined = SecretText::new(text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect());
        return decode_base64(joined.expose()).ok_or_else(wrong);
    }
    decode_base64(text).ok_or_else(wrong)
}

/// Reads base64 of something secret.
pub(super) fn decode_secret(field: &str, text: &SecretText) -> Result<SecretBytes, Refusal> {
    decode(field, text.expose()).map(SecretBytes::new)
}

/// Reads a context, if one is given.
pub(super) fn context(text: Option<&String>) -> Result<Option<Vec<u8>>, Refusal> {
    text.filter(|text| !text.is_empty()).map(|text| decode("context", text)).transpose()
}

/// Finds the hash function that the path, else the body names; `None` if neither does.
pub(super) fn hash(call: &Call<'_>, body: Option<&String>) -> Result<Option<HashAlgorithm>, Refusal> {
    let named = Some(call.capture("algorithm")).filter(|name| !name.is_empty());
    let named = named.or(body.map(String::as_str)).filter(|name| !name.is_empty());
    named.map(HashAlgorithm::parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_numbers_come_in_several_forms() {
        let flag = |text| serde_json::from_str::<Flag>(text).ok().map(|flag| flag.0);
        assert_eq!(
            [flag("true"), flag("\"true\""), flag("1"), flag("\"0\"")].map(Option::unwrap),
            [true, true, true, false]
        );
        assert_eq!([flag("2"), flag("\"yes\""), flag("[]"), flag("null")], [None; 4]);
        let whole = |text| serde_json::from_str::<Whole>(text).ok().map(|number| number.0);
        assert_eq!([whole("7"), whole("\"7\""), whole("\"\"")].map(Option::unwrap), [7, 7, 0]);
        assert_eq!([whole("-1"), whole("\"-1\""), whole("4294967296"), whole("1.5"), whole("true")], [None; 5]);
    }
}
