//! Signed tokens and key sets of strangers: nothing panics, and nothing is believed that no key of the set has signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::jose::{Algorithm, KeySet, Unverified, VerificationKey};

fuzz_target!(|input: (&str, &[u8])| {
    let (token, keys) = input;
    let Ok(token) = Unverified::parse(token) else { return };
    let own = KeySet::default();
    assert!(token.verify(&Algorithm::ALL, &own).is_err(), "a token is believed without keys");
    if let Ok(keys) = KeySet::parse(keys) {
        let _ = token.verify(&Algorithm::ALL, &keys);
        assert!(token.verify(&[], &keys).is_err(), "a token is believed without algorithms");
    }
    let _ = VerificationKey::from_pem(&String::from_utf8_lossy(keys));
});
