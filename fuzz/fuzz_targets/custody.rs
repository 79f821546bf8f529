//! A custody record that is read keeps its bytes, which the keyring is bound to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::custody::Custody;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(custody) = Custody::read(bytes) {
        assert_eq!(custody.row().as_ref(), bytes);
    }
});
