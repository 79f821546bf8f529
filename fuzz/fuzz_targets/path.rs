//! Paths after percent-decoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::path::RequestPath;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(path) = RequestPath::parse(bytes) {
        assert!(!path.as_str().contains("//") && !path.as_str().starts_with('/'));
    }
});
