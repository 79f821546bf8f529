//! Any text is refused as a ciphertext, or is exactly what its version and bytes are written as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::engines::transit::ciphertext;

fuzz_target!(|text: &str| {
    if let Ok((version, bytes)) = ciphertext::parse(text) {
        assert_eq!(ciphertext::format(version, &bytes), text);
    }
});
