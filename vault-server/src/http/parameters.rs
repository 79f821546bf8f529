//! Query parameters and percent-encoding, decoded exactly once.

use vault_core::refusal::Refusal;

/// Most parameters of one query; the API knows no endpoint with more than four.
const PARAMETERS_MAX: usize = 32;

/// Decodes a percent-encoded path or value.
///
/// # Errors
/// Refuses a percent sign that is not followed by two hexadecimal digits.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = bytes.next().and_then(hexadecimal);
                let low = bytes.next().and_then(hexadecimal);
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(Refusal::invalid("the address has a '%' that two hexadecimal digits do not follow"));
                };
                high << 4 | low
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    Ok(decoded)
}

/// Decodes a query string.
///
/// # Errors
/// Refuses too many parameters, bad percent signs and texts that are not UTF-8.
pub(super) fn parse(query: Option<&str>) -> Result<Vec<(String, String)>, Refusal> {
    let Some(query) = query else { return Ok(Vec::new()) };
    let mut parameters = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if parameters.len() == PARAMETERS_MAX {
            return Err(Refusal::invalid(format!("the query has more than {PARAMETERS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.push((text(name)?, text(value)?));
    }
    Ok(parameters)
}

fn text(encoded: &str) -> Result<String, Refusal> {
    String::from_utf8(decode(encoded, true)?).map_err(|_| Refusal::invalid("the query is not UTF-8"))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percent_signs_are_decoded_once() {
        assert_eq!(decode("a%252fb", false).unwrap(), b"a%2fb");
        assert_eq!(decode("a+b%20c", true).unwrap(), b"a b c");
        for bad in ["%", "%2", "%zz", "a%"] {
            assert!(decode(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_is_parsed_within_bounds() {
        let pairs = parse(Some("list=true&&version=2&x")).unwrap();
        let expected = [("list", "true"), ("version", "2"), ("x", "")];
        assert!(pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(expected));
        assert!(parse(Some(&"a&".repeat(PARAMETERS_MAX + 1))).is_err());
        assert!(parse(Some("a=%ff")).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(&encoded, true).unwrap(), bytes);
        }

        #[test]
        fn no_query_panics(query in ".*") {
            let _ = parse(Some(&query));
        }
    }
}
