//! Signed tokens of others: JSON Web Tokens (RFC 7519) in the compact form of JSON Web Signature (RFC 7515), and the keys
//! that verify them. Signatures are checked by aws-lc-rs, which needs neither clock nor randomness for it; see
//! docs/decisions/0013.
//!
//! [`Unverified::parse`] reads a token and believes nothing of it; [`Unverified::verify`] is the only way to its claims.

mod algorithm;
mod json;
mod keys;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
mod token;

pub use algorithm::{Algorithm, KeyKind};
pub use json::{JSON_DEPTH_MAX, parse_object};
pub use keys::{KEYS_MAX, KeySet, KeySetError, VerificationKey};
pub use token::{Claims, TOKEN_LENGTH_BYTES_MAX, TokenError, Unverified};
