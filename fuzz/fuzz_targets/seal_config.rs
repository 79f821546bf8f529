//! A seal configuration that is read writes itself as one that reads back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::seal::SealConfig;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = SealConfig::from_json(bytes) {
        let written = config.to_json().expect("what was read is written");
        assert_eq!(SealConfig::from_json(&written), Ok(config));
    }
});
