//! Settings files.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vault_server::config::Settings;

fuzz_target!(|text: &str| {
    let _ = Settings::parse(text, Path::new(""));
});
