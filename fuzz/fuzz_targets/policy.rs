//! Policies in HCL and JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::policy::Policy;

fuzz_target!(|text: &str| {
    let _ = Policy::parse("fuzz", text);
});
