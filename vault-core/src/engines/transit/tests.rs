//! The engine as its callers see it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Transit;
use super::kind::KINDS;
use crate::auth::{Identity, Sender};
use crate::engines::Engine as _;
use crate::engines::test_store::{TestStore, data, mount, token};
use crate::mounts::Mount;
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::request::Operation::{self, Delete, List, Read, Write};

mod backup;
mod batches;
mod signatures;
mod vectors;

pub(super) struct Fixture {
    pub(super) store: TestStore,
    mount: Mount,
    sender: Sender,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let store = TestStore::new();
        let sender = Identity::for_test("a", token(&["root"]), &store.names);
        Self { store, mount: mount("t/", "transit", ""), sender }
    }

    pub(super) fn call(&mut self, operation: Operation, path: &str, body: Value) -> Result<Reply, Refusal> {
        let body = body.to_string();
        let body = Some(body.as_str()).filter(|body| *body != "null");
        let request = self.store.request(operation, &format!("t/{path}"), body, None);
        self.store.run(&Transit, &self.mount, &self.sender, &request)
    }

    /// Writes and demands an answer.
    pub(super) fn ok(&mut self, path: &str, body: Value) -> Value {
        match self.call(Write, path, body) {
            Ok(reply) => data(&reply),
            Err(refusal) => panic!("{path}: {refusal:?}"),
        }
    }

    pub(super) fn read(&mut self, path: &str) -> Value {
        data(&self.call(Read, path, Value::Null).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}")))
    }

    /// Writes, demands that the caller be blamed, and gives the text.
    pub(super) fn refused(&mut self, path: &str, body: Value) -> String {
        let shown = body.to_string();
        match self.call(Write, path, body) {
            Ok(reply) => panic!("{path} {shown}: {}", data(&reply)),
            Err(refusal) => {
                assert_eq!(refusal.class, Class::Invalid, "{path}: {refusal:?}");
                refusal.public
            }
        }
    }

    pub(super) fn encrypt(&mut self, name: &str, text: &[u8], extra: Value) -> String {
        let body = merged(json!({ "plaintext": base64(text) }), extra);
        self.ok(&format!("encrypt/{name}"), body)["ciphertext"].as_str().unwrap().to_owned()
    }

    pub(super) fn decrypt(&mut self, name: &str, ciphertext: &str, extra: Value) -> Vec<u8> {
        let body = merged(json!({ "ciphertext": ciphertext }), extra);
        unbase64(&self.ok(&format!("decrypt/{name}"), body)["plaintext"])
    }

    fn advance(&mut self, seconds: i64) {
        self.store.now.0 += seconds * 1_000_000_000;
    }
}

pub(super) fn merged(mut body: Value, extra: Value) -> Value {
    if let (Value::Object(body), Value::Object(extra)) = (&mut body, extra) {
        body.extend(extra);
    }
    body
}

pub(super) fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

pub(super) fn unbase64(text: &Value) -> Vec<u8> {
    data_encoding::BASE64.decode(text.as_str().unwrap().as_bytes()).unwrap()
}

/// The types that do not take seconds to make.
pub(super) fn quick_kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().filter(|known| !known.kind.is_rsa()).map(|known| known.name)
}

const AEADS: [&str; 4] = ["aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"];

#[test]
fn a_key_is_made_shown_listed_and_deleted_only_when_allowed() {
    let mut f = Fixture::new();
    for kind in quick_kinds() {
        let made = f.ok(&format!("keys/{kind}"), json!({ "type": kind }));
        let shown = f.read(&format!("keys/{kind}"));
        assert_eq!(made, shown);
        assert_eq!((&shown["type"], &shown["latest_version"]), (&json!(kind), &json!(1)));
        let version = &shown["keys"]["1"];
        assert!(version.is_number() || !version["public_key"].as_str().unwrap().is_empty(), "{kind}: {version}");
    }
    let listed = data(&f.call(List, "keys/", Value::Null).unwrap());
    assert_eq!(listed["keys"].as_array().unwrap().len(), quick_kinds().count());
    assert_eq!(f.call(Delete, "keys/hmac", Value::Null).err().unwrap().class, Class::Invalid);
    f.ok("keys/hmac/config", json!({"deletion_allowed": "true"}));
    assert!(f.call(Delete, "keys/hmac", Value::Null).is_ok());
    assert_eq!(f.call(Read, "keys/hmac", Value::Null).err().unwrap().class, Class::Missing);
}

#[test]
fn what_a_type_cannot_have_is_refused() {
    let mut f = Fixture::new();
    for body in [
        json!({"type": "rsa-1024"}),
        json!({"type": "managed_key"}),
        json!({"type": "ecdsa-p256", "derived": true}),
        json!({"type": "ed25519", "derived": true, "convergent_encryption": true}),
        json!({"convergent_encryption": true}),
        json!({"key_size": 64}),
        json!({"type": "hmac", "key_size": 31}),
        json!({"type": "hmac", "key_size": 513}),
        json!({"auto_rotate_period": "59m"}),
        json!({"derived": "perhaps"}),
    ] {
        f.refused("keys/k", body);
    }
    for name in ["-a", "a-", "a.", "a b", "ä"] {
        f.refused(&format!("keys/{name}"), json!({}));
        f.refused(&format!("encrypt/{name}"), json!({"plaintext": ""}));
    }
    assert!(f.store.rows.is_empty());
}

#[test]
fn a_key_that_is_there_stays_as_it_is() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({"type": "aes128-gcm96"}));
    let before = f.store.rows.clone();
    let Ok(Reply::Content(content)) = f.call(Write, "keys/k", json!({"type": "hmac"})) else { panic!("no content") };
    assert_eq!(content.warnings, ["key k already existed"]);
    assert_eq!(f.store.rows, before);
}

#[test]
fn encrypting_makes_a_missing_key_and_uses_of_a_key_write_nothing() {
    let mut f = Fixture::new();
    let ciphertext = f.encrypt("new", b"text", json!({}));
    assert_eq!(f.read("keys/new")["type"], "aes256-gcm96");
    let before = f.store.rows.clone();
    assert_eq!(f.decrypt("new", &ciphertext, json!({})), b"text");
    f.encrypt("new", b"", json!({}));
    f.ok("rewrap/new", json!({ "ciphertext": ciphertext }));
    f.ok("datakey/plaintext/new", json!({}));
    f.ok("hmac/new", json!({"input": ""}));
    assert_eq!(f.store.rows, before, "a use wrote something");
    for path in ["decrypt/none", "rewrap/none", "datakey/wrapped/none", "sign/none", "hmac/none", "keys/none/rotate"] {
        f.refused(path, json!({"plaintext": "", "ciphertext": ciphertext, "input": ""}));
    }
    f.encrypt(
        "derived",
        b"text",
        json!({"context": base64(b"c"), "convergent_encryption": true, "type": "aes128-gcm96"}),
    );
    let shown = f.read("keys/derived");
    assert_eq!((&shown["derived"], &shown["convergent_encryption"]), (&json!(true), &json!(true)));
}

#[test]
fn a_key_that_was_deleted_meanwhile_is_not_made_again_by_who_may_only_update() {
    let mut f = Fixture::new();
    f.sender = Identity::for_test("b", token(&["default"]), &f.store.names);
    let refusal = f.call(Write, "encrypt/new", json!({"plaintext": ""})).err().unwrap();
    assert_eq!(refusal.class, Class::Denied);
    assert!(f.store.rows.is_empty());
}

#[test]
fn what_does_not_belong_to_a_ciphertext_is_refused() {
    let mut f = Fixture::new();
    for kind in AEADS {
        let extra = json!({"context": base64(b"one"), "associated_data": base64(b"data")});
        f.ok(&format!("keys/{kind}"), json!({"type": kind, "derived": true}));
        f.ok("keys/other", json!({"type": kind, "derived": true}));
        let ciphertext = f.encrypt(kind, b"text", extra.clone());
        assert_eq!(f.decrypt(kind, &ciphertext, extra.clone()), b"text");
        let path = format!("decrypt/{kind}");
        let with = |name: &str, value: Value| {
            merged(merged(json!({ "ciphertext": ciphertext }), extra.clone()), json!({ name: value }))
        };
        assert_eq!(f.refused(&path, with("context", json!(base64(b"two")))), "cipher: message authentication failed");
        f.refused(&path, with("context", Value::Null));
        f.refused(&path, with("associated_data", json!(base64(b"datb"))));
        f.refused(&path, with("associated_data", Value::Null));
        f.refused(&path, with("nonce", json!(base64(&[0; 12]))));
        f.refused("decrypt/other", with("context", json!(base64(b"one"))));
        let body = ciphertext.strip_prefix("vault:v1:").unwrap();
        for version in ["0", "2", "01", "4294967295", "4294967296", "99999999999999999999", "", "-1"] {
            f.refused(&path, with("ciphertext", json!(format!("vault:v{version}:{body}"))));
        }
        f.ok(&format!("keys/{kind}/rotate"), json!({}));
        f.refused(&path, with("ciphertext", json!(format!("vault:v2:{body}"))));
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let mut f = Fixture::new();
    for kind in AEADS {
        f.ok(&format!("keys/{kind}"), json!({ "type": kind }));
        let ciphertext = f.encrypt(kind, b"text", json!({}));
        let (_, bytes) = super::ciphertext::parse(&ciphertext).unwrap();
        let overhead = if kind == "xchacha20-poly1305" { 40 } else { 28 };
        assert_eq!(bytes.len(), overhead + 4, "nonce, text and tag");
        let path = format!("decrypt/{kind}");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            f.refused(&path, json!({"ciphertext": super::ciphertext::format(1, &flipped)}));
        }
        for length in 0..bytes.len() {
            f.refused(&path, json!({"ciphertext": super::ciphertext::format(1, &bytes[..length])}));
        }
    }
}

#[test]
fn versions_rotate_and_their_minimums_hold() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({}));
    let first = f.encrypt("k", b"text", json!({}));
    f.ok("keys/k/rotate", json!({}));
    f.ok("keys/k/rotate", json!({}));
    let third = f.encrypt("k", b"text", json!({}));
    assert!(third.starts_with("vault:v3:"));
    assert!(f.encrypt("k", b"text", json!({"key_version": "2"})).starts_with("vault:v2:"));
    assert_eq!(f.decrypt("k", &first, json!({})), b"text");
    let again = f.ok("rewrap/k", json!({ "ciphertext": first }));
    assert_eq!(again["key_version"], 3);
    assert_eq!(f.decrypt("k", again["ciphertext"].as_str().unwrap(), json!({})), b"text");
    f.refused("encrypt/k", json!({"plaintext": "", "key_version": 4}));
    for body in [
        json!({"min_decryption_version": 4}),
        json!({"min_encryption_version": 4}),
        json!({"min_decryption_version": 3, "min_encryption_version": 2}),
        json!({"min_decryption_version": -1}),
    ] {
        f.refused("keys/k/config", body);
    }
    f.ok("keys/k/config", json!({"min_decryption_version": 2, "min_encryption_version": 3}));
    f.refused("decrypt/k", json!({ "ciphertext": first }));
    f.refused("rewrap/k", json!({ "ciphertext": first }));
    f.refused("encrypt/k", json!({"plaintext": "", "key_version": 2}));
    f.ok("keys/k/config", json!({"min_decryption_version": 1}));
    assert_eq!(f.decrypt("k", &first, json!({})), b"text");
    f.refused("keys/k/trim", json!({"min_available_version": 2}));
    f.ok("keys/k/config", json!({"min_decryption_version": 3}));
    assert_eq!(f.ok("keys/k/trim", json!({"min_available_version": 3}))["min_available_version"], 3);
    f.refused("keys/k/config", json!({"min_decryption_version": 1}));
    f.refused("decrypt/k", json!({ "ciphertext": first }));
    assert_eq!(f.decrypt("k", &third, json!({})), b"text");
}

#[test]
fn a_key_rotates_by_itself_at_the_next_use_that_makes_something_new() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({"auto_rotate_period": "1h"}));
    let first = f.encrypt("k", b"text", json!({}));
    f.advance(3_599);
    assert!(f.encrypt("k", b"", json!({})).starts_with("vault:v1:"));
    f.advance(1);
    let before = f.store.rows.clone();
    assert_eq!(f.decrypt("k", &first, json!({})), b"text");
    assert_eq!(f.store.rows, before, "decrypting rotates nothing");
    assert!(f.encrypt("k", b"", json!({})).starts_with("vault:v2:"));
    assert_eq!(f.read("keys/k")["latest_version"], 2);
    assert!(f.encrypt("k", b"", json!({})).starts_with("vault:v2:"));
    f.refused("keys/k/config", json!({"auto_rotate_period": 60}));
    f.ok("keys/k/config", json!({"auto_rotate_period": 0}));
    f.advance(1_000_000);
    assert!(f.encrypt("k", b"", json!({})).starts_with("vault:v2:"));
}

#[test]
fn convergent_encryption_gives_the_same_ciphertext_for_the_same_text_and_context_only() {
    let mut f = Fixture::new();
    for kind in AEADS {
        f.ok(&format!("keys/{kind}"), json!({"type": kind, "derived": true, "convergent_encryption": true}));
        let one = f.encrypt(kind, b"text", json!({"context": base64(b"a")}));
        assert_eq!(one, f.encrypt(kind, b"text", json!({"context": base64(b"a")})));
        assert_ne!(one, f.encrypt(kind, b"text", json!({"context": base64(b"b")})));
        let other = f.encrypt(kind, b"texu", json!({"context": base64(b"a")}));
        assert_ne!(one[9..25], other[9..25], "two texts have two nonces");
        let body = json!({"plaintext": "", "context": base64(b"a"), "associated_data": base64(b"d")});
        f.refused(&format!("encrypt/{kind}"), body);
    }
}

#[test]
fn a_context_is_never_ignored() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({}));
    f.refused("encrypt/k", json!({"plaintext": "", "context": base64(b"c")}));
    f.ok("keys/d", json!({"derived": true}));
    f.refused("encrypt/d", json!({"plaintext": ""}));
    f.refused("encrypt/d", json!({"plaintext": "", "context": ""}));
    f.refused("encrypt/d", json!({"plaintext": "", "context": "no base64"}));
}

#[test]
fn data_keys_come_in_three_lengths_and_are_shown_only_when_asked() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({}));
    for (bits, bytes) in [(128, 16), (256, 32), (512, 64)] {
        let made = f.ok("datakey/plaintext/k", json!({ "bits": bits }));
        let opened = f.decrypt("k", made["ciphertext"].as_str().unwrap(), json!({}));
        assert_eq!(opened, unbase64(&made["plaintext"]));
        assert_eq!(opened.len(), bytes);
    }
    assert_eq!(f.ok("datakey/wrapped/k", json!({})).get("plaintext"), None);
    f.refused("datakey/wrapped/k", json!({"bits": 8}));
    f.refused("datakey/other/k", json!({}));
}

#[test]
fn a_softly_deleted_key_is_of_no_use_until_it_is_restored() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({}));
    let ciphertext = f.encrypt("k", b"text", json!({}));
    assert!(f.call(Delete, "keys/k/soft-delete", Value::Null).is_ok());
    for path in ["encrypt/k", "decrypt/k", "rewrap/k", "hmac/k", "verify/k", "datakey/wrapped/k", "keys/k/rotate"] {
        assert!(f.refused(path, json!({"ciphertext": ciphertext, "input": "", "plaintext": ""})).contains("soft"));
    }
    assert_eq!(f.read("keys/k")["soft_deleted"], true);
    f.ok("keys/k/soft-delete-restore", json!({}));
    assert_eq!(f.decrypt("k", &ciphertext, json!({})), b"text");
}

#[test]
fn random_bytes_and_hashes_need_no_key() {
    let mut f = Fixture::new();
    assert_eq!(unbase64(&f.ok("random", json!({}))["random_bytes"]).len(), 32);
    assert_eq!(unbase64(&f.ok("random/7", json!({}))["random_bytes"]).len(), 7);
    assert_eq!(unbase64(&f.ok("random/platform/9", json!({}))["random_bytes"]).len(), 9);
    assert_eq!(f.ok("random/seal", json!({"bytes": "4", "format": "hex"}))["random_bytes"].as_str().unwrap().len(), 8);
    for path in ["random/0", "random/131073", "random/4294967296", "random/other", "random/all/x"] {
        f.refused(path, json!({}));
    }
    let sum = f.ok("hash/sha2-256", json!({"input": base64(b"abc")}))["sum"].clone();
    assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let sum = f.ok("hash", json!({"input": base64(b"abc"), "algorithm": "sha3-256"}))["sum"].clone();
    assert_eq!(sum, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    f.refused("hash/sha1", json!({"input": ""}));
    f.refused("hash/md5", json!({"input": ""}));
    f.refused("hash", json!({}));
}

#[test]
fn the_cache_has_a_size_that_is_kept() {
    let mut f = Fixture::new();
    assert_eq!(f.read("cache-config"), json!({"size": 0}));
    f.refused("cache-config", json!({"size": 9}));
    f.ok("cache-config", json!({"size": "500"}));
    assert_eq!(f.read("cache-config"), json!({"size": 500}));
}

#[test]
fn a_mount_that_goes_takes_all_its_rows_along() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({}));
    f.ok("cache-config", json!({"size": 10}));
    let folders: Vec<_> = Transit.folders(&f.mount, &f.store.names).iter().map(|folder| folder.id()).collect();
    assert!(f.store.rows.keys().all(|key| folders.contains(&key.folder())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_encrypted_decrypts(
        kind in prop::sample::select(AEADS.to_vec()),
        derived: bool,
        convergent: bool,
        text in proptest::collection::vec(any::<u8>(), 0..600),
        context in proptest::collection::vec(any::<u8>(), 1..40),
        associated in proptest::collection::vec(any::<u8>(), 0..40),
        rotations in 0u32..4,
        asked in 0u32..4,
    ) {
        let mut f = Fixture::new();
        let convergent = derived && convergent;
        f.ok("keys/k", json!({"type": kind, "derived": derived, "convergent_encryption": convergent}));
        for _ in 0..rotations {
            f.ok("keys/k/rotate", json!({}));
        }
        let mut extra = json!({});
        if derived {
            extra["context"] = json!(base64(&context));
        }
        if !convergent {
            extra["associated_data"] = json!(base64(&associated));
        }
        let asked = asked.min(rotations + 1);
        let ciphertext = f.encrypt("k", &text, merged(extra.clone(), json!({"key_version": asked})));
        let version = if asked == 0 { rotations + 1 } else { asked };
        let prefix = format!("vault:v{version}:");
        prop_assert!(ciphertext.starts_with(&prefix));
        f.ok("keys/k/rotate", json!({}));
        prop_assert_eq!(f.decrypt("k", &ciphertext, extra.clone()), text.clone());
        let again = f.ok("rewrap/k", merged(json!({"ciphertext": ciphertext}), extra.clone()));
        prop_assert_eq!(f.decrypt("k", again["ciphertext"].as_str().unwrap(), extra), text);
    }
}
