//! The adapter to vsss-rs: a point of a polynomial that wipes itself.

use std::fmt;

use curve25519_dalek::{RistrettoPoint, Scalar};
use vsss_rs::{IdentifierPrimeField, ShareVerifierGroup, ValuePrimeField};
use zeroize::Zeroize;

/// A commitment as vsss-rs wraps it.
pub(super) type Verifier = ShareVerifierGroup<RistrettoPoint>;

/// One point (x, f(x)) of a polynomial, or one coefficient while vsss-rs draws them.
///
/// vsss-rs asks for `Debug` and `Clone`, so this type stays inside of the sharing: it prints nothing of what it
/// holds, and each copy wipes itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct PolynomialPoint {
    identifier: IdentifierPrimeField<Scalar>,
    value: ValuePrimeField<Scalar>,
}

impl Drop for PolynomialPoint {
    fn drop(&mut self) {
        self.identifier.0.zeroize();
        self.value.0.zeroize();
    }
}

impl fmt::Debug for PolynomialPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolynomialPoint(..)")
    }
}

impl vsss_rs::Share for PolynomialPoint {
    type Identifier = IdentifierPrimeField<Scalar>;
    type Value = ValuePrimeField<Scalar>;

    fn with_identifier_and_value(identifier: Self::Identifier, value: Self::Value) -> Self {
        Self { identifier, value }
    }

    fn identifier(&self) -> &Self::Identifier {
        &self.identifier
    }

    fn identifier_mut(&mut self) -> &mut Self::Identifier {
        &mut self.identifier
    }

    fn value(&self) -> &Self::Value {
        &self.value
    }

    fn value_mut(&mut self) -> &mut Self::Value {
        &mut self.value
    }
}
