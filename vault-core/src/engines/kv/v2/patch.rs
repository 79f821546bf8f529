//! JSON merge patch (RFC 7396) on JSON texts: what is not changed stays as it was written, to the digit.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::refusal::Refusal;
use crate::secret::SecretBytes;

/// Deepest nesting of a patch.
const DEPTH_MAX: usize = 64;

type Fields = BTreeMap<String, Box<RawValue>>;

/// Merges `change` into the object `target`.
pub(super) fn merge(target: &[u8], change: &RawValue) -> Result<SecretBytes, Refusal> {
    let target: Fields =
        serde_json::from_slice(target).map_err(|_| Refusal::internal("a stored value is no object"))?;
    let merged = merge_fields(target, change, 0)?;
    let text = serde_json::to_vec(&merged).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(SecretBytes::new(text))
}

fn merge_fields(mut target: Fields, change: &RawValue, depth: usize) -> Result<Fields, Refusal> {
    if depth == DEPTH_MAX {
        return Err(Refusal::invalid(format!("the patch is nested deeper than {DEPTH_MAX} levels")));
    }
    let change: Fields = serde_json::from_str(change.get()).map_err(|_| Refusal::invalid("the patch is no object"))?;
    for (name, value) in change {
        if value.get() == "null" {
            target.remove(&name);
        } else if value.get().starts_with('{') {
            // A value that is no object is replaced, and nulls inside the patch are dropped, as RFC 7396 section 2 says.
            let below = target.get(&name).and_then(|old| serde_json::from_str(old.get()).ok()).unwrap_or_default();
            let merged = merge_fields(below, &value, depth + 1)?;
            let raw = serde_json::value::to_raw_value(&merged).map_err(|error| Refusal::internal(error.to_string()))?;
            target.insert(name, raw);
        } else {
            target.insert(name, value);
        }
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(target: &str, change: &str) -> Result<String, Refusal> {
        let change: &RawValue = serde_json::from_str(change).unwrap();
        merge(target.as_bytes(), change).map(|text| String::from_utf8(text.expose().to_vec()).unwrap())
    }

    /// The cases of RFC 7396 appendix A whose target and patch are objects.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        let cases = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ];
        for (target, change, expected) in cases {
            assert_eq!(merged(target, change).unwrap(), expected, "{target} + {change}");
        }
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        assert_eq!(
            merged(r#"{"a":9007199254740993,"b":1.10}"#, r#"{"c":1e400}"#).unwrap(),
            r#"{"a":9007199254740993,"b":1.10,"c":1e400}"#
        );
    }

    #[test]
    fn a_patch_that_is_too_deep_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
        assert!(merged("{}", &deep).is_err());
    }
}
