//! Keys that go out and come in: export, backup, restore and import.

use serde_json::{Value, json};

use super::{Fixture, base64, quick_kinds, unbase64};
use crate::refusal::Class;
use crate::request::Operation::Read;

/// Restores a backup of `name` as `moved`.
pub(super) fn moves(f: &mut Fixture, name: &str) {
    let backup = f.read(&format!("backup/{name}"))["backup"].clone();
    f.ok("restore/moved", json!({"backup": backup, "force": true}));
    let (mut old, mut new) = (f.read(&format!("keys/{name}")), f.read("keys/moved"));
    for shown in [&mut old, &mut new] {
        shown["name"] = Value::Null;
    }
    assert_eq!(old, new);
}

#[test]
fn a_backup_restores_every_type_with_all_its_versions() {
    let mut f = Fixture::new();
    for kind in quick_kinds() {
        let allowed = json!({"type": kind, "exportable": true, "allow_plaintext_backup": true});
        f.ok(&format!("keys/{kind}"), allowed);
        f.ok(&format!("keys/{kind}/rotate"), json!({}));
        f.ok(&format!("keys/{kind}/config"), json!({"min_decryption_version": 2, "min_encryption_version": 2}));
        f.ok(&format!("keys/{kind}/config"), json!({"auto_rotate_period": "24h"}));
        moves(&mut f, kind);
        f.ok("keys/moved/config", json!({"min_decryption_version": 1}));
        f.ok(&format!("keys/{kind}/config"), json!({"min_decryption_version": 1}));
        for part in ["encryption-key", "signing-key", "hmac-key", "public-key"] {
            let shown = f.call(Read, &format!("export/{part}/{kind}"), Value::Null);
            let moved = f.call(Read, &format!("export/{part}/moved"), Value::Null);
            assert_eq!(shown.is_ok(), moved.is_ok());
            if let (Ok(shown), Ok(moved)) = (shown, moved) {
                let (shown, moved) =
                    (crate::engines::test_store::data(&shown), crate::engines::test_store::data(&moved));
                assert_eq!(shown["keys"], moved["keys"], "{kind} {part}");
                assert_eq!(shown["keys"].as_object().unwrap().len(), 2);
            }
        }
    }
    f.ok("keys/ed25519/config", json!({"min_decryption_version": 2}));
    f.ok("keys/ed25519/trim", json!({"min_available_version": 2}));
    moves(&mut f, "ed25519");
}

#[test]
fn nothing_goes_out_that_was_not_allowed_to() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({}));
    for path in ["export/encryption-key/k", "export/hmac-key/k/1", "backup/k"] {
        assert_eq!(f.call(Read, path, Value::Null).err().unwrap().class, Class::Invalid, "{path}");
    }
    f.ok("keys/k/config", json!({"allow_plaintext_backup": true}));
    assert!(f.call(Read, "backup/k", Value::Null).is_err());
    f.ok("keys/k/config", json!({"exportable": true}));
    assert_eq!(unbase64(&f.read("export/encryption-key/k/latest")["keys"]["1"]).len(), 32);
    assert!(f.call(Read, "export/signing-key/k", Value::Null).is_err());
    for version in ["0", "2", "x", "4294967295"] {
        assert!(f.call(Read, &format!("export/encryption-key/k/{version}"), Value::Null).is_err(), "{version}");
    }
    f.refused("keys/k/config", json!({"exportable": false}));
    f.refused("keys/k/config", json!({"allow_plaintext_backup": false}));
}

#[test]
fn a_restore_overwrites_only_by_force_and_refuses_what_is_not_whole() {
    let mut f = Fixture::new();
    f.ok("keys/k", json!({"exportable": true, "allow_plaintext_backup": true}));
    let backup = f.read("backup/k")["backup"].clone();
    f.refused("restore", json!({ "backup": backup }));
    f.ok("restore", json!({"backup": backup, "force": true}));
    f.refused("restore/a%20b", json!({ "backup": backup }));
    let whole: Value = serde_json::from_slice(&unbase64(&backup)).unwrap();
    let spoil = |pointer: &str, value: Value| {
        let mut spoiled = whole.clone();
        *spoiled.pointer_mut(pointer).unwrap() = value;
        json!({"backup": base64(spoiled.to_string().as_bytes())})
    };
    for (pointer, value) in [
        ("/policy/type", json!(10)),
        ("/policy/type", json!(8)),
        ("/policy/type", json!(3)),
        ("/policy/type", json!(1)),
        ("/policy/latest_version", json!(0)),
        ("/policy/latest_version", json!(2)),
        ("/policy/latest_version", json!(u32::MAX)),
        ("/policy/min_available_version", json!(u32::MAX)),
        ("/policy/min_decryption_version", json!(2)),
        ("/policy/convergent_encryption", json!(true)),
        ("/policy/name", json!("../x")),
        ("/policy", json!({})),
    ] {
        let body = spoil(pointer, value.clone());
        f.refused("restore", json!({"backup": body["backup"], "force": true}));
    }
    for backup in ["", "?", "e30=", "bnVsbA=="] {
        f.refused("restore/x", json!({ "backup": backup }));
    }
}

#[test]
fn a_key_comes_in_wrapped_and_rotates_only_if_allowed() {
    use p256::pkcs8::DecodePublicKey;
    let mut f = Fixture::new();
    f.refused("keys/k/import", json!({"ciphertext": "AAAA"}));
    let pem = f.read("wrapping_key")["public_key"].as_str().unwrap().to_owned();
    assert_eq!(f.read("wrapping_key")["public_key"], pem);
    let wrapping = rsa::PublicKey::from_public_key_pem(&pem).unwrap();
    let mut wrap = |key: &[u8]| {
        let ephemeral = [9; 32];
        let mut wrapped = wrapping.oaep_encrypt_with_rng::<sha2::Sha256, _>(&mut f.store.rng, &ephemeral).unwrap();
        let mut room = vec![0; key.len().div_ceil(8) * 8 + 8];
        let cipher = <aes_kw::KwpAes256 as aes_kw::KeyInit>::new_from_slice(&ephemeral).unwrap();
        wrapped.extend_from_slice(cipher.wrap_key(key, &mut room).unwrap());
        base64(&wrapped)
    };
    let (good, short) = (wrap(&[1; 32]), wrap(&[1; 31]));
    f.refused("keys/k/import", json!({ "ciphertext": short }));
    f.refused("keys/k/import", json!({"ciphertext": good, "type": "ed25519"}));
    f.refused("keys/k/import", json!({"ciphertext": good, "hash_function": "SHA1"}));
    f.refused("keys/k/import", json!({"ciphertext": good, "hash_function": "SHA512"}));
    f.refused("keys/k/import", json!({"ciphertext": base64(&[0; 600])}));
    f.ok("keys/k/import", json!({"ciphertext": good, "exportable": true}));
    assert_eq!(unbase64(&f.read("export/encryption-key/k")["keys"]["1"]), [1; 32]);
    f.refused("keys/k/rotate", json!({}));
    f.refused("keys/k/import", json!({ "ciphertext": good }));
    assert_eq!(f.ok("keys/k/import_version", json!({ "ciphertext": good }))["latest_version"], 2);
    f.ok("keys/own", json!({}));
    f.refused("keys/own/import_version", json!({ "ciphertext": good }));
    f.ok("keys/r/import", json!({"ciphertext": good, "allow_rotation": true, "type": "chacha20-poly1305"}));
    assert_eq!(f.ok("keys/r/rotate", json!({}))["latest_version"], 2);
}
