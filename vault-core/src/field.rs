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

/// Tells whether a text matches a pattern in which `*` stands for any text. It takes time in the length of both, for
/// each piece between stars is searched for once.
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = left.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let cases = [
            ("a", "a", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abbc", true),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "axc", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("b*", "abc", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches_glob(pattern, name), expected, "{pattern} {name}");
        }
    }
}
