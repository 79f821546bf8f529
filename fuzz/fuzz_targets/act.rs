//! An act that is read makes a request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::custody::SignedAct;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(act) = SignedAct::parse(bytes) {
        assert!(act.request().is_ok());
    }
});
