//! Pedersen verifiable sharing of the unseal secret over Ristretto255 (Pedersen, CRYPTO '91, section 4).
//!
//! The dealer hides the secret `s` and a blinding `r` in two polynomials of degree t − 1; share `i` holds their
//! values at `i`, and the public commitments `C_k = s_k·G + r_k·H` let everybody tell a good share from a bad one
//! without learning anything about `s`. What is shared is an *opening* (s, r) of the commitment `C_0`, and each
//! share is an opening of the commitment to its index: a team's share is shared among its members in the same way, so
//! that a tree of thresholds opens (docs/decisions/0019-nested-sharing.md).
//!
//! Formats: docs/formats.md, "Share" and "Commitments".

mod combine;
mod commitments;
mod dealer;
mod parse;
mod polynomial;
mod possession;
mod secret;
mod share;
mod split;
mod structure;
mod text;
mod threshold;

#[cfg(test)]
mod tests;

pub use combine::{CombineError, combine};
pub use commitments::{Commitments, CommitmentsError};
pub use parse::SHARE_TEXT_LENGTH_BYTES_MAX;
pub use possession::{PossessionError, PossessionNonce, PossessionProof};
pub use secret::UnsealSecret;
pub use share::{EpochEnd, Malformation, MistypedAt, Share, ShareError, VerifiedShare};
pub use split::{SplitError, split};
pub use structure::{
    Child, Node, STRUCTURE_DEPTH_MAX, STRUCTURE_NODES_MAX, STRUCTURE_SHARES_MAX, Structure, StructureError,
};
pub use threshold::{ShareIndex, Threshold, ThresholdError};
