//! Shares as a custodian or a stock client may send them: text, hexadecimal, base64, or anything else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::sharing::Share;

fuzz_target!(|text: &str| {
    if let Ok(share) = Share::parse(text) {
        assert!(Share::parse(share.to_text().expose()).is_ok(), "what was read must be readable again");
    }
});
