//! The text form of ciphertexts, signatures and keyed hashes: `vault:v3:` and base64.

use data_encoding::{BASE64, BASE64URL_NOPAD};

use crate::refusal::Refusal;

const PREFIX: &str = "vault:v";

/// Writes bytes that version `version` of a key made.
pub fn format(version: u32, bytes: &[u8]) -> String {
    format!("{PREFIX}{version}:{}", BASE64.encode(bytes))
}

/// Writes bytes in the alphabet of JSON web signatures.
pub(super) fn format_url(version: u32, bytes: &[u8]) -> String {
    format!("{PREFIX}{version}:{}", BASE64URL_NOPAD.encode(bytes))
}

/// Reads `vault:v<version>:<base64>`. A version has one way of being written, and none is zero: so the text of a
/// ciphertext cannot be varied without being noticed.
///
/// # Errors
/// Refuses other prefixes, versions of 0, with signs or leading zeros or beyond 32 bits, and what is not base64.
pub fn parse(text: &str) -> Result<(u32, Vec<u8>), Refusal> {
    let (version, encoded) = split(text)?;
    let bytes = decode_base64(encoded);
    Ok((version, bytes.ok_or_else(|| Refusal::invalid("invalid ciphertext: could not decode base64"))?))
}

/// Reads base64 with padding at its end only: `data_encoding` also takes texts that were padded and then joined.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.trim_end_matches('=').contains('=') { None } else { BASE64.decode(text.as_bytes()).ok() }
}

/// Reads the form that [`format_url`] writes.
pub(super) fn parse_url(text: &str) -> Result<(u32, Vec<u8>), Refusal> {
    let (version, encoded) = split(text)?;
    let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes());
    Ok((version, bytes.map_err(|_| Refusal::invalid("invalid signature: could not decode base64url"))?))
}

fn split(text: &str) -> Result<(u32, &str), Refusal> {
    let rest = text.strip_prefix(PREFIX).ok_or_else(|| Refusal::invalid("invalid ciphertext: no prefix"))?;
    let parts = rest.split_once(':');
    let (version, encoded) = parts.ok_or_else(|| Refusal::invalid("invalid ciphertext: wrong number of fields"))?;
    let number = Some(version).filter(|text| text.starts_with(|c: char| matches!(c, '1'..='9')));
    let number = number.and_then(|text| text.parse().ok());
    Ok((number.ok_or_else(|| Refusal::invalid("invalid ciphertext: version number could not be decoded"))?, encoded))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_exactly_the_form_is_refused() {
        let refused = [
            "",
            "vault",
            "vault:",
            "vault:v",
            "vault:v1",
            "vault:v:YQ==",
            "vault:v0:YQ==",
            "vault:v01:YQ==",
            "vault:v+1:YQ==",
            "vault:v-1:YQ==",
            "vault:v4294967296:YQ==",
            "vault:v1:YQ",
            "vault:v1:YQ==\n",
            "vault:v1:YR==",
            "vault:v1:Y Q==",
            "Vault:v1:YQ==",
            " vault:v1:YQ==",
            "vault:v1:YQ==:",
            "vault:v1:_w==",
            "vault:v1:YQ==YQ==",
        ];
        for text in refused {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("vault:v1:YQ=="), Ok((1, b"a".to_vec())));
        assert_eq!(parse("vault:v4294967295:"), Ok((u32::MAX, Vec::new())));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(version in 1u32.., bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(parse(&format(version, &bytes)), Ok((version, bytes.clone())));
            prop_assert_eq!(parse_url(&format_url(version, &bytes)), Ok((version, bytes)));
        }

        #[test]
        fn any_text_is_refused_or_has_one_form(text in "\\PC{0,24}|vault:v[0-9]{0,11}:[A-Za-z0-9+/=]{0,12}") {
            if let Ok((version, bytes)) = parse(&text) {
                prop_assert_eq!(format(version, &bytes), text);
            }
        }
    }
}
