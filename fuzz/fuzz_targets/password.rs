//! Password policies: a text that parses gives passwords of the length that it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use vault_core::policy::PasswordPolicy;

fuzz_target!(|input: (&str, u64)| {
    let (text, seed) = input;
    if let Ok(policy) = PasswordPolicy::parse(text) {
        let password = policy.generate(&mut rand::rngs::StdRng::seed_from_u64(seed));
        let characters = password.expose().chars().count();
        assert!((4..=100).contains(&characters), "a password of {characters} characters");
    }
});
