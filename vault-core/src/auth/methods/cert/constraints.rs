//! What a certificate must say besides being trusted.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::shown::Facts;
use crate::field::Texts;
use crate::glob;
use crate::refusal::Refusal;

/// Most patterns of one list, and the longest of them.
const PATTERNS_MAX: usize = 256;
const PATTERN_LENGTH_BYTES_MAX: usize = 512;

/// Patterns, in which `*` stands for any text. Every list that is not empty must be met: by any of its patterns, or, for
/// required extensions, by all of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Constraints {
    /// For the common name, a DNS name or a mail address.
    names: Vec<String>,
    common_names: Vec<String>,
    dns_sans: Vec<String>,
    email_sans: Vec<String>,
    uri_sans: Vec<String>,
    organizational_units: Vec<String>,
    /// `oid:pattern` for an extension that holds text, `hex:oid:pattern` for the bytes of any.
    required_extensions: Vec<String>,
}

/// The fields of a body that set them.
#[derive(Deserialize)]
pub(super) struct ConstraintsAsk {
    allowed_names: Option<Texts>,
    allowed_common_names: Option<Texts>,
    allowed_dns_sans: Option<Texts>,
    allowed_email_sans: Option<Texts>,
    allowed_uri_sans: Option<Texts>,
    allowed_organizational_units: Option<Texts>,
    required_extensions: Option<Texts>,
}

impl Constraints {
    /// Takes over what is asked, checked.
    pub(super) fn apply(&mut self, ask: ConstraintsAsk) -> Result<(), Refusal> {
        let lists = [
            ("allowed_names", ask.allowed_names, &mut self.names),
            ("allowed_common_names", ask.allowed_common_names, &mut self.common_names),
            ("allowed_dns_sans", ask.allowed_dns_sans, &mut self.dns_sans),
            ("allowed_email_sans", ask.allowed_email_sans, &mut self.email_sans),
            ("allowed_uri_sans", ask.allowed_uri_sans, &mut self.uri_sans),
            ("allowed_organizational_units", ask.allowed_organizational_units, &mut self.organizational_units),
            ("required_extensions", ask.required_extensions, &mut self.required_extensions),
        ];
        for (field, asked, list) in lists {
            if let Some(asked) = asked {
                *list = checked(field, asked)?;
            }
        }
        match self.required_extensions.iter().find(|required| parts(required).is_none()) {
            None => Ok(()),
            Some(bad) => {
                Err(Refusal::invalid(format!("required_extensions: {bad:?} is not oid:value or hex:oid:value")))
            }
        }
    }

    /// Checks a certificate.
    ///
    /// # Errors
    /// Names the list that it does not meet.
    pub(super) fn check(&self, facts: &Facts) -> Result<(), String> {
        let common = std::slice::from_ref(&facts.common_name);
        let any: Vec<String> = [common, &facts.dns_names, &facts.email_addresses].concat();
        let lists: [(&str, &[String], &[String]); 6] = [
            ("allowed_names", &self.names, &any),
            ("allowed_common_names", &self.common_names, common),
            ("allowed_dns_sans", &self.dns_sans, &facts.dns_names),
            ("allowed_email_sans", &self.email_sans, &facts.email_addresses),
            ("allowed_uri_sans", &self.uri_sans, &facts.uris),
            ("allowed_organizational_units", &self.organizational_units, &facts.organizational_units),
        ];
        for (field, patterns, names) in lists {
            // A name that is not there meets nothing, not even `*`.
            let met = |pattern: &String| names.iter().any(|name| !name.is_empty() && glob::matches(pattern, name));
            if !patterns.is_empty() && !patterns.iter().any(met) {
                return Err(format!("{field} is not met"));
            }
        }
        if self.required_extensions.iter().all(|required| has(facts, required)) {
            Ok(())
        } else {
            Err("required_extensions is not met".to_owned())
        }
    }

    /// Adds the fields to a description.
    pub(super) fn describe(&self, into: &mut Map<String, Value>) {
        let fields = json!({
            "allowed_names": self.names,
            "allowed_common_names": self.common_names,
            "allowed_dns_sans": self.dns_sans,
            "allowed_email_sans": self.email_sans,
            "allowed_uri_sans": self.uri_sans,
            "allowed_organizational_units": self.organizational_units,
            "required_extensions": self.required_extensions,
        });
        if let Value::Object(fields) = fields {
            into.extend(fields);
        }
    }
}

/// Checks a list of patterns. One that only looks as if it named something is refused: an empty list allows all.
pub(super) fn checked(field: &str, asked: Texts) -> Result<Vec<String>, Refusal> {
    let clears = match &asked {
        Texts::List(list) => list.is_empty(),
        Texts::Commas(text) => text.is_empty(),
    };
    let list = asked.into_list();
    if list.is_empty() && !clears {
        return Err(Refusal::invalid(format!("{field}: the list names nothing")));
    }
    if list.len() > PATTERNS_MAX || list.iter().any(|pattern| pattern.len() > PATTERN_LENGTH_BYTES_MAX) {
        let most = format!("at most {PATTERNS_MAX} entries of {PATTERN_LENGTH_BYTES_MAX} bytes");
        return Err(Refusal::invalid(format!("{field}: {most}")));
    }
    Ok(list)
}

/// Tells whether a text is an object identifier with dots.
pub(super) fn is_oid(text: &str) -> bool {
    let arc = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.contains('.') && text.split('.').all(arc)
}

/// Takes a required extension apart: whether its bytes count, its identifier, its pattern.
fn parts(required: &str) -> Option<(bool, &str, &str)> {
    let (hex, rest) = required.strip_prefix("hex:").map_or((false, required), |rest| (true, rest));
    let (oid, pattern) = rest.split_once(':')?;
    is_oid(oid).then_some((hex, oid, pattern))
}

fn has(facts: &Facts, required: &str) -> bool {
    let Some((hex, oid, pattern)) = parts(required) else { return false };
    let value = if hex {
        facts.extension(oid).map(|value| data_encoding::HEXLOWER.encode(value))
    } else {
        facts.extension_text(oid)
    };
    value.is_some_and(|value| glob::matches(pattern, &value))
}
