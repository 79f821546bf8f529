//! Collects a body within its bound and sees to it that it is a JSON object.

use axum::body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::value::RawValue;
use vault_core::refusal::{Class, Refusal};
use vault_core::secret::SecretBytes;

/// Reads a body of at most `bytes_max`; an empty one is none, and so is `null`, which Vault's Go client sends for it.
///
/// # Errors
/// Refuses bodies that are too large, cut off, or not a JSON object.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Option<SecretBytes>, Refusal> {
    let collected = match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Refusal::new(Class::TooLarge, format!("the body is larger than {bytes_max} bytes")));
        }
        Err(_) => return Err(Refusal::invalid("the body ended early")),
    };
    if matches!(collected.trim_ascii(), b"" | b"null") {
        return Ok(None);
    }
    check(&collected)?;
    Ok(Some(SecretBytes::new(collected.into())))
}

/// Checks that `body` is one JSON object, without keeping any of it.
fn check(body: &[u8]) -> Result<(), Refusal> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| {
        Refusal::invalid(format!("the body is not JSON: error at line {} column {}", error.line(), error.column()))
    })?;
    if raw.get().starts_with('{') { Ok(()) } else { Err(Refusal::invalid("the body is not a JSON object")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_objects_within_the_bound_pass() {
        for none in ["", "null", " null\n"] {
            assert!(read(Body::from(none), 10).await.unwrap().is_none(), "{none}");
        }
        assert_eq!(read(Body::from(" {\"a\":1}"), 10).await.unwrap().unwrap().expose(), b" {\"a\":1}");
        for bad in ["[]", "1", "{", "{}{}", "\"{}\"", "nul", "nullnull", "{\"a\":}", "\u{feff}{}"] {
            let refusal = read(Body::from(bad), 10).await.err().unwrap();
            assert_eq!(refusal.class, Class::Invalid, "{bad}");
        }
        let refusal = read(Body::from("{\"a\": 12345}"), 10).await.err().unwrap();
        assert_eq!(refusal.class, Class::TooLarge);
    }

    #[tokio::test]
    async fn a_deeply_nested_body_does_not_overflow_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500_000), "]".repeat(500_000));
        assert!(read(Body::from(deep), 2_000_000).await.is_ok());
    }
}
