//! Names of users and roles, as far as Vault's patterns allow them.

use crate::refusal::Refusal;

/// Longest name of a user or role.
pub(super) const LENGTH_BYTES_MAX: usize = 256;

/// Gives a name in its one form, in lower case.
///
/// # Errors
/// Refuses a name that is too long or holds other characters than are allowed.
pub(super) fn canonical(name: &str) -> Result<String, Refusal> {
    if is_valid(name) {
        return Ok(name.to_ascii_lowercase());
    }
    Err(Refusal::invalid(format!(
        "a name has at most {LENGTH_BYTES_MAX} characters: letters, digits, '_', and between them '-' and '.'"
    )))
}

/// Tells whether a name is one.
pub(super) fn is_valid(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.len() <= LENGTH_BYTES_MAX
        && name.bytes().all(|byte| word(byte) || matches!(byte, b'-' | b'.'))
        && ends.into_iter().all(|byte| byte.is_some_and(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_canonical_name_is_its_own(name in "\\PC{0,20}|[A-Za-z0-9_.-]{0,300}") {
            if let Ok(canonical) = canonical(&name) {
                prop_assert!(canonical.len() <= LENGTH_BYTES_MAX && !canonical.contains(['/', ' ']));
                prop_assert_eq!(super::canonical(&canonical).unwrap(), canonical);
            }
        }
    }

    #[test]
    fn names_have_one_form() {
        assert_eq!(canonical("Alice.B-c_1").unwrap(), "alice.b-c_1");
        for bad in ["", " alice", "alice ", "a b", "-a", "a-", ".", "a.", "ä", "a@b", "a/b", &"a".repeat(257)] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
        assert!(canonical(&"a".repeat(256)).is_ok());
    }
}
