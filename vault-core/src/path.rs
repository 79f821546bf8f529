//! The canonical path of a request: checked once at the door, before any policy sees it.

use std::fmt;

/// Longest path in bytes; the Vault API documents no bound, and a storage key hides behind a hash, so the
/// bound only keeps headers and audit lines small.
pub const PATH_LENGTH_BYTES_MAX: usize = 4096;

/// A canonical path below `/v1/`, without leading slash: `secret/data/app/db`.
///
/// It has no empty, `.` or `..` segment and no control character. A trailing slash is kept: it tells a folder
/// from an entry, and policies distinguish the two.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequestPath(String);

/// Says why a path is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// There was nothing.
    #[error("the path is empty")]
    Empty,
    /// The path is too long.
    #[error("the path has {length_bytes} bytes; at most {PATH_LENGTH_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// The path has a segment that could mean another path.
    #[error("the path has an empty, '.' or '..' segment")]
    Ambiguous,
    /// The path holds a character that cannot be shown or stored safely.
    #[error("the path holds a control character or is not UTF-8")]
    Unprintable,
}

impl RequestPath {
    /// Checks an already percent-decoded path.
    ///
    /// # Errors
    /// Answers [`PathError`] for empty, over-long, ambiguous or unprintable paths.
    pub fn parse(decoded: &[u8]) -> Result<Self, PathError> {
        if decoded.is_empty() {
            return Err(PathError::Empty);
        }
        if decoded.len() > PATH_LENGTH_BYTES_MAX {
            return Err(PathError::TooLong { length_bytes: decoded.len() });
        }
        let text = std::str::from_utf8(decoded).map_err(|_| PathError::Unprintable)?;
        if text.chars().any(char::is_control) {
            return Err(PathError::Unprintable);
        }
        let body = text.strip_suffix('/').unwrap_or(text);
        if body.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(PathError::Ambiguous);
        }
        Ok(Self(text.to_owned()))
    }

    /// Gives the canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the path as a folder, with exactly one trailing slash: a LIST asks about folders.
    #[must_use]
    pub fn into_folder(mut self) -> Self {
        if !self.0.ends_with('/') {
            self.0.push('/');
        }
        self
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ambiguous_and_unprintable_paths_are_refused() {
        let refused: [&[u8]; 11] =
            [b"", b"/", b"/a", b"a//b", b"a/../b", b"..", b"a/.", b"a//", b"a\0b", b"\xff", "a\u{85}b".as_bytes()];
        for path in refused {
            assert!(RequestPath::parse(path).is_err(), "{path:?}");
        }
        assert!(matches!(RequestPath::parse(&vec![b'a'; 65_536]), Err(PathError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn a_parsed_path_parses_to_itself(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(path) = RequestPath::parse(&bytes) {
                prop_assert_eq!(path.as_str().as_bytes(), &bytes[..]);
                prop_assert_eq!(RequestPath::parse(path.as_str().as_bytes()), Ok(path));
            }
        }
    }
}
