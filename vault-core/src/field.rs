//! Fields of bodies in the several forms that stock clients send them in.

use serde::Deserialize;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::time::Span;

/// A list of texts, which stock clients also send as one text with commas.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub enum Texts {
    /// A list.
    List(Vec<String>),
    /// One text with commas.
    Commas(String),
}

impl Texts {
    /// Gives the texts without the space around them; empty ones are left out.
    pub fn into_list(self) -> Vec<String> {
        let list = match self {
            Self::List(list) => list,
            Self::Commas(text) => text.split(',').map(str::to_owned).collect(),
        };
        list.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    }
}

/// Reads a number, which stock clients also send as text.
///
/// # Errors
/// Refuses with the name of the field.
pub fn count(name: &str, value: &Value) -> Result<u64, Refusal> {
    let number = match value {
        Value::Null => Some(0),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Refusal::invalid(format!("{name} is not a number from 0 on")))
}

/// Reads a truth value, which stock clients also send as text.
///
/// # Errors
/// Refuses with the name of the field.
pub fn flag(name: &str, value: &Value) -> Result<bool, Refusal> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if matches!(text.as_str(), "true" | "1") => Ok(true),
        Value::String(text) if matches!(text.as_str(), "false" | "0") => Ok(false),
        _ => Err(Refusal::invalid(format!("{name} is neither true nor false"))),
    }
}

/// Reads a length of time given as a number of seconds or as text; nothing is zero.
///
/// # Errors
/// Refuses with the name of the field.
pub fn span(name: &str, value: Option<&Value>) -> Result<Span, Refusal> {
    let text = match value {
        None | Some(Value::Null) => return Ok(Span::ZERO),
        Some(Value::String(text)) if text.is_empty() => return Ok(Span::ZERO),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Span::parse(&text).map_err(|error| Refusal::invalid(format!("{name}: {error}")))
}
