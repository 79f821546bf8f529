//! Receipts, proofs and questions to witnesses from outside are verified or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_log::checkpoint::CheckpointSigner;
use vault_log::proof::{Growth, Receipt};
use vault_log::witness::{Question, WitnessKey, WitnessSigner};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let key = CheckpointSigner::new([1; 16], ed25519_dalek::SigningKey::from_bytes(&[1; 32])).public();
    if let Ok(receipt) = Receipt::parse(text) {
        assert_eq!(receipt.to_string(), text);
        assert!(receipt.verify(&key).is_err());
    }
    let _ = Growth::parse(text.split('\n'));
    let _ = WitnessKey::parse(text);
    let Some(witness) = WitnessSigner::new("w", &[1; 32]) else { return };
    let _ = witness.public().verify_in(text);
    if let Ok(question) = Question::parse(text) {
        assert_eq!(Question::parse(&question.to_string()).as_ref(), Ok(&question));
        assert!(witness.judge(&question, &key, None, 0).is_err());
    }
});
