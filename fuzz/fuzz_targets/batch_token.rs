//! No text opens as a batch token of a vault that did not write it, with the prefix or without, in base64url or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::auth::token::{BATCH_TOKEN_PREFIX, BatchTokens};
use vault_core::id::VaultId;
use vault_core::secret::{SecretKey, SecretText};

fuzz_target!(|bytes: &[u8]| {
    let tokens = BatchTokens::new(SecretKey::fill_with(|key| key.fill(1)), VaultId([1; 16]));
    let sealed = format!("{BATCH_TOKEN_PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(bytes));
    assert!(tokens.open(&SecretText::new(sealed)).is_none());
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(tokens.open(&SecretText::new(text.to_owned())).is_none());
        assert!(tokens.open(&SecretText::new(format!("{BATCH_TOKEN_PREFIX}{text}"))).is_none());
    }
});
