//! Signatures of every type, and keyed hashes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Fixture, base64, merged};

const ECDSA: [&str; 3] = ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"];

const HASHES: [&str; 8] =
    ["sha2-224", "sha2-256", "sha2-384", "sha2-512", "sha3-224", "sha3-256", "sha3-384", "sha3-512"];

impl Fixture {
    fn sign(&mut self, name: &str, input: &[u8], extra: Value) -> String {
        let body = merged(json!({ "input": base64(input) }), extra);
        self.ok(&format!("sign/{name}"), body)["signature"].as_str().unwrap().to_owned()
    }

    fn is_valid(&mut self, name: &str, input: &[u8], signature: &str, extra: Value) -> bool {
        let body = merged(json!({"input": base64(input), "signature": signature}), extra);
        self.ok(&format!("verify/{name}"), body)["valid"].as_bool().unwrap()
    }
}

#[test]
fn ecdsa_signs_with_every_hash_and_in_both_forms() {
    let mut f = Fixture::new();
    for kind in ECDSA {
        f.ok(&format!("keys/{kind}"), json!({ "type": kind }));
        for hash in HASHES {
            for marshaling in ["asn1", "jws"] {
                let extra = json!({"hash_algorithm": hash, "marshaling_algorithm": marshaling});
                let signature = f.sign(kind, b"message", extra.clone());
                assert!(f.is_valid(kind, b"message", &signature, extra.clone()), "{kind} {hash} {marshaling}");
                assert!(!f.is_valid(kind, b"massage", &signature, extra.clone()));
                let in_path = json!({"marshaling_algorithm": marshaling});
                let body = merged(json!({"input": base64(b"message"), "signature": signature}), in_path);
                assert_eq!(f.ok(&format!("verify/{kind}/{hash}"), body)["valid"], true);
            }
        }
    }
}

#[test]
fn a_prehashed_signature_is_that_of_the_message() {
    use sha2::Digest;
    let mut f = Fixture::new();
    let hash = sha2::Sha256::digest(b"message");
    for kind in ECDSA {
        f.ok(&format!("keys/{kind}"), json!({ "type": kind }));
        let signature = f.sign(kind, &hash, json!({"prehashed": true}));
        assert!(f.is_valid(kind, b"message", &signature, json!({})));
        f.refused(&format!("sign/{kind}"), json!({"input": base64(b"short"), "prehashed": true}));
        f.refused(
            &format!("sign/{kind}"),
            json!({"input": base64(&hash), "prehashed": true, "hash_algorithm": "none"}),
        );
    }
    f.ok("keys/ed", json!({"type": "ed25519"}));
    f.refused("sign/ed", json!({"input": base64(&hash), "prehashed": true}));
}

#[test]
fn every_flipped_bit_of_a_signature_is_found() {
    let mut f = Fixture::new();
    for (kind, extra) in [("ecdsa-p256", json!({})), ("ed25519", json!({}))] {
        f.ok(&format!("keys/{kind}"), json!({ "type": kind }));
        let signature = f.sign(kind, b"message", extra.clone());
        let (_, bytes) = super::super::ciphertext::parse(&signature).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = super::super::ciphertext::format(1, &flipped);
            assert!(!f.is_valid(kind, b"message", &flipped, extra.clone()), "{kind} bit {bit}");
        }
        assert!(!f.is_valid(kind, b"message", "vault:v1:", extra.clone()));
    }
}

#[test]
fn derived_signing_keys_are_one_for_each_context() {
    let mut f = Fixture::new();
    f.ok("keys/d", json!({"type": "ed25519", "derived": true}));
    let one = json!({"context": base64(b"one")});
    let signature = f.sign("d", b"m", one.clone());
    assert!(f.is_valid("d", b"m", &signature, one.clone()));
    assert!(!f.is_valid("d", b"m", &signature, json!({"context": base64(b"two")})));
    f.refused("sign/d", json!({"input": ""}));
    let shown = f.ok("sign/d", merged(json!({"input": ""}), one.clone()))["publickey"].clone();
    assert_eq!(f.read(&format!("keys/d?context={}", base64(b"one")))["keys"]["1"]["public_key"], shown);
    assert_eq!(f.read("keys/d")["keys"]["1"]["public_key"], "");
}

#[test]
fn minimum_versions_hold_for_signatures() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({"type": "ed25519"}));
    let first = f.sign("k", b"m", json!({}));
    f.ok("keys/k/rotate", json!({}));
    assert!(f.sign("k", b"m", json!({})).starts_with("vault:v2:"));
    assert!(f.is_valid("k", b"m", &first, json!({})));
    f.ok("keys/k/config", json!({"min_decryption_version": 2}));
    f.refused("verify/k", json!({"input": base64(b"m"), "signature": first}));
    f.refused("sign/k", json!({"input": "", "key_version": 1}));
}

#[test]
fn types_that_do_not_sign_say_so_and_so_do_wrong_parameters() {
    let mut f = Fixture::new();
    f.ok("keys/a", json!({}));
    f.ok("keys/e", json!({"type": "ecdsa-p256"}));
    f.refused("sign/a", json!({"input": ""}));
    f.refused("encrypt/e", json!({"plaintext": ""}));
    for extra in [
        json!({"hash_algorithm": "sha1"}),
        json!({"hash_algorithm": "none"}),
        json!({"marshaling_algorithm": "pem"}),
        json!({"signature_algorithm": "x"}),
        json!({"salt_length": -1}),
        json!({"salt_length": "long"}),
        json!({"signature_context": "AA=="}),
        json!({"context": "AA=="}),
        json!({"input": "?"}),
    ] {
        f.refused("sign/e", merged(json!({"input": ""}), extra));
    }
    f.refused("sign/e", json!({}));
    f.refused("verify/e", json!({"input": ""}));
    f.refused("verify/e", json!({"input": "", "cmac": "vault:v1:"}));
    f.refused("verify/e", json!({"input": "", "signature": "vault:v1:", "hmac": "vault:v1:"}));
}

#[test]
fn rsa_encrypts_and_signs_in_every_padding() {
    use sha2::Digest;
    let mut f = Fixture::new();
    f.ok("keys/r", json!({"type": "rsa-2048", "exportable": true, "allow_plaintext_backup": true}));
    let ciphertext = f.encrypt("r", b"text", json!({}));
    assert_eq!(f.decrypt("r", &ciphertext, json!({})), b"text");
    f.refused("encrypt/r", json!({"plaintext": base64(&[0; 191])}));
    f.refused("encrypt/r", json!({"plaintext": "", "associated_data": "AA=="}));
    f.refused("encrypt/r", json!({"plaintext": "", "padding_scheme": "pkcs1v15"}));
    f.refused("decrypt/r", json!({"ciphertext": super::super::ciphertext::format(1, &[7; 256])}));
    for extra in [
        json!({}),
        json!({"salt_length": "hash"}),
        json!({"salt_length": 0}),
        json!({"salt_length": "20", "hash_algorithm": "sha3-512"}),
        json!({"signature_algorithm": "pkcs1v15"}),
        json!({"signature_algorithm": "pkcs1v15", "hash_algorithm": "sha2-512"}),
    ] {
        let signature = f.sign("r", b"m", extra.clone());
        assert!(f.is_valid("r", b"m", &signature, extra.clone()), "{extra}");
        assert!(!f.is_valid("r", b"n", &signature, extra.clone()), "{extra}");
        if extra["signature_algorithm"].is_null() {
            assert!(!f.is_valid("r", b"m", &signature, merged(extra.clone(), json!({"salt_length": 33}))), "{extra}");
        }
    }
    f.refused("sign/r", json!({"input": "", "salt_length": 223}));
    let hash = sha2::Sha256::digest(b"m");
    let signature = f.sign("r", &hash, json!({"prehashed": true}));
    assert!(f.is_valid("r", b"m", &signature, json!({})));
    let unhashed = json!({"hash_algorithm": "none", "prehashed": true, "signature_algorithm": "pkcs1v15"});
    let signature = f.sign("r", b"any", unhashed.clone());
    assert!(f.is_valid("r", b"any", &signature, unhashed));
    assert!(f.read("export/signing-key/r/1")["keys"]["1"].as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY"));
    super::backup::moves(&mut f, "r");
    assert_eq!(f.decrypt("moved", &ciphertext, json!({})), b"text");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_signed_or_hashed_verifies_and_nothing_else_does(
        kind in prop::sample::select(vec!["ed25519", "ecdsa-p256"]),
        message in proptest::collection::vec(any::<u8>(), 0..100),
        other in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut f = Fixture::new();
        f.ok("keys/k", json!({"type": kind}));
        f.ok("keys/other", json!({"type": kind}));
        let signature = f.sign("k", &message, json!({}));
        let valid = f.is_valid("k", &message, &signature, json!({}));
        prop_assert!(valid);
        let valid = f.is_valid("other", &message, &signature, json!({}));
        prop_assert!(!valid);
        prop_assert_eq!(f.is_valid("k", &other, &signature, json!({})), message == other);
        let sum = f.ok("hmac/k", json!({"input": base64(&message)}))["hmac"].clone();
        let checked = f.ok("verify/k", json!({"input": base64(&other), "hmac": sum}));
        prop_assert_eq!(&checked["valid"], &json!(message == other));
        let checked = f.ok("verify/other", json!({"input": base64(&message), "hmac": sum}));
        prop_assert_eq!(&checked["valid"], &json!(false));
    }
}
