//! Writes JSON with every text and number replaced by its keyed hash, in one pass and without building a tree.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::keys::KeyedHash;

/// What every hash begins with, as in Vault's log.
const PREFIX: &str = "hmac-sha256:";

/// Deepest nesting that is written field by field; what lies deeper is hashed as a whole.
const DEPTH_MAX: usize = 32;

/// Writes the hash of `value` as a JSON text.
pub(super) fn write_hash(buffer: &mut Vec<u8>, value: &[u8], hash: &KeyedHash) {
    let digest = hash.hash(&[value]);
    buffer.push(b'"');
    buffer.extend_from_slice(PREFIX.as_bytes());
    let mut hexadecimal = [0; 64];
    HEXLOWER.encode_mut(&digest, &mut hexadecimal);
    buffer.extend_from_slice(&hexadecimal);
    buffer.push(b'"');
}

/// Writes `value` in clear.
pub(super) fn write_plain<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) {
    let start = buffer.len();
    if serde_json::to_writer(&mut *buffer, value).is_err() {
        buffer.truncate(start);
        buffer.extend_from_slice(b"null");
    }
}

/// Writes `json` with its names in clear and its texts and numbers hashed. What is no JSON is hashed as a whole.
pub(super) fn write_json(buffer: &mut Vec<u8>, json: &[u8], hash: &KeyedHash) {
    let start = buffer.len();
    if write_value(buffer, json, hash, 0).is_err() {
        buffer.truncate(start);
        write_hash(buffer, json, hash);
    }
}

fn write_value(buffer: &mut Vec<u8>, json: &[u8], hash: &KeyedHash, depth: usize) -> serde_json::Result<()> {
    let json = json.trim_ascii();
    match json {
        [b'{' | b'[', ..] if depth == DEPTH_MAX => {
            write_hash(buffer, json, hash);
            Ok(())
        }
        [b'{' | b'[', ..] => {
            let mut deserializer = serde_json::Deserializer::from_slice(json);
            Container { buffer, hash, depth }.deserialize(&mut deserializer)?;
            deserializer.end()
        }
        // There are too few truth values for a hash to hide one.
        b"true" | b"false" | b"null" => {
            buffer.extend_from_slice(json);
            Ok(())
        }
        [b'"', ..] => {
            let text: std::borrow::Cow<'_, str> = serde_json::from_slice(json)?;
            write_hash(buffer, text.as_bytes(), hash);
            Ok(())
        }
        _ => {
            write_hash(buffer, json, hash);
            Ok(())
        }
    }
}

/// Writes an object or a list.
struct Container<'a> {
    buffer: &'a mut Vec<u8>,
    hash: &'a KeyedHash,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Container<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Container<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.buffer.push(b'{');
        let mut first = true;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            separate(self.buffer, &mut first);
            write_plain(self.buffer, &name);
            self.buffer.push(b':');
            let value: &RawValue = map.next_value()?;
            write_value(self.buffer, value.get().as_bytes(), self.hash, self.depth + 1).map_err(A::Error::custom)?;
        }
        self.buffer.push(b'}');
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.buffer.push(b'[');
        let mut first = true;
        while let Some(value) = list.next_element::<&RawValue>()? {
            separate(self.buffer, &mut first);
            write_value(self.buffer, value.get().as_bytes(), self.hash, self.depth + 1).map_err(A::Error::custom)?;
        }
        self.buffer.push(b']');
        Ok(())
    }
}

fn separate(buffer: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        buffer.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::secret::SecretKey;

    fn hash() -> KeyedHash {
        KeyedHash::new(&SecretKey::fill_with(|key| key.fill(1)))
    }

    fn written(json: &str) -> String {
        let mut buffer = Vec::new();
        write_json(&mut buffer, json.as_bytes(), &hash());
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn names_stay_and_values_are_hashed() {
        let value: Value =
            serde_json::from_str(&written(r#"{"a": "x", "b": [1.50, {"c": true}], "d": null}"#)).unwrap();
        assert!(value["a"].as_str().unwrap().starts_with(PREFIX));
        assert!(value["b"][0].as_str().unwrap().starts_with(PREFIX));
        assert_eq!((&value["b"][1]["c"], &value["d"]), (&json!(true), &json!(null)));
        assert_eq!(written("\"x\\u0041\""), written("\"xA\""), "a text is hashed as what it means");
        assert_ne!(written("1.5"), written("1.50"), "a number is hashed as it is written");
    }

    #[test]
    fn what_lies_too_deep_or_is_no_json_is_hashed_as_a_whole() {
        let deep = format!("{}\"canary\"{}", "[".repeat(100_000), "]".repeat(100_000));
        let line = written(&deep);
        assert!(!line.contains("canary") && line.len() < 1_000);
        assert!(serde_json::from_str::<Value>(&line).is_ok());
        assert!(written("{\"a\": canary").starts_with("\"hmac-sha256:"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (1_000_000_i64..).prop_map(|number| json!(format!("canary-{number}"))),
            Just(json!(31_415_926_535_u64)),
        ];
        leaf.prop_recursive(5, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z\"\\\\\n]{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_value_shows_and_the_line_stays_one_line_of_json(value in any_json()) {
            let line = written(&value.to_string());
            prop_assert!(!line.contains("canary") && !line.contains("31415926535") && !line.contains('\n'));
            prop_assert!(serde_json::from_str::<Value>(&line).is_ok());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut buffer = Vec::new();
            write_json(&mut buffer, &bytes, &hash());
            prop_assert!(serde_json::from_slice::<Value>(&buffer).is_ok());
        }
    }
}
