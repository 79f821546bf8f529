//! Logs, checkpoints and edges from outside are verified or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_log::checkpoint::{CheckpointKey, CheckpointSigner};
use vault_log::tree::Tree;
use vault_log::verify::Verifier;

fuzz_target!(|bytes: &[u8]| {
    if let Some(tree) = Tree::from_bytes(bytes) {
        assert_eq!(tree.to_bytes(), bytes);
        let _ = tree.root();
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = CheckpointKey::parse(text);
    let key = CheckpointSigner::new([1; 16], ed25519_dalek::SigningKey::from_bytes(&[1; 32])).public();
    assert!(key.verify(text).is_err());
    let mut verifier = Verifier::new(key);
    let _ = text.lines().try_for_each(|line| verifier.line(line));
});
