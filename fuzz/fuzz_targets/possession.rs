//! A proof that is read writes itself as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::sharing::PossessionProof;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = PossessionProof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes);
    }
});
