//! A log that somebody hands over is explained or not, whatever is in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::audit::explain::Explainer;

fuzz_target!(|text: &str| {
    let mut explainer = Explainer::new("a");
    text.lines().for_each(|line| explainer.first(line));
    text.lines().for_each(|line| explainer.second(line));
    let _ = serde_json::to_string(explainer.events()).unwrap();
});
