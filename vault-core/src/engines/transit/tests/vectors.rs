//! Published vectors (vault-core/tests/vectors/transit.json) through the API: each key comes in as a backup of the form
//! that Vault writes, so that what is shown is also that ciphertexts and signatures made there are read here.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use rsa::BoxedUint;
use serde_json::{Value, json};

use super::{Fixture, base64};
use crate::engines::transit::kind::KINDS;
use crate::keys::transit_derived_key;

const VECTORS: &str = include_str!("../../../../tests/vectors/transit.json");

fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    let list = all[name].as_array().unwrap().clone();
    assert!(!list.is_empty());
    list
}

fn hex(vector: &Value, field: &str) -> Vec<u8> {
    HEXLOWER_PERMISSIVE.decode(vector[field].as_str().unwrap().as_bytes()).unwrap()
}

/// Restores a key that is none, and expects to be refused.
fn refuse_rsa(f: &mut Fixture, rsa_key: &str) {
    f.refused("restore/k", json!({"backup": backup("rsa-2048", &[], false, rsa_key), "force": true}));
}

/// Restores a key as `k` from a backup as Vault 1.15 writes one, with all that is not looked at here.
fn restore(f: &mut Fixture, kind: &str, key: &[u8], derived: bool) {
    restore_with(f, kind, key, derived, "null");
}

fn restore_with(f: &mut Fixture, kind: &str, key: &[u8], derived: bool, rsa_key: &str) {
    f.ok("restore/k", json!({"backup": backup(kind, key, derived, rsa_key), "force": true}));
}

fn backup(kind: &str, key: &[u8], derived: bool, rsa_key: &str) -> String {
    let convergent = derived && kind != "ed25519";
    let number = KINDS.iter().find(|known| known.name == kind).unwrap().backup_number;
    let is_curve = kind.starts_with("ecdsa");
    let scalar = BoxedUint::from_be_slice_vartime(key).to_string_radix_vartime(10);
    let scalar = if is_curve { serde_json::value::RawValue::from_string(scalar).ok() } else { None };
    let scalar = scalar.map_or("null".to_owned(), |scalar| scalar.get().to_owned());
    let key = if is_curve { "null".to_owned() } else { format!("{:?}", base64(key)) };
    let entry = format!(
        r#"{{"key":{key},"hmac_key":"{}","time":"2023-11-05T11:22:33.123456789+02:00","ec_x":null,"ec_y":null,
        "ec_d":{scalar},"rsa_key":{rsa_key},"public_key":"","convergent_version":{},"creation_time":1699175553}}"#,
        base64(&[1; 32]),
        if derived { 3 } else { 0 },
    );
    let empty = r#"{"key":null,"hmac_key":null,"time":"0001-01-01T00:00:00Z","ec_x":null,"ec_y":null,"ec_d":null,
        "rsa_key":null,"public_key":"","convergent_version":0,"creation_time":0}"#;
    let backup = format!(
        r#"{{"policy":{{"name":"k","keys":{{"1":{entry}}},"derived":{derived},"kdf":1,"convergent_encryption":{convergent},
        "exportable":true,"min_decryption_version":1,"min_encryption_version":0,"latest_version":1,"archive_version":1,
        "archive_min_version":0,"min_available_version":0,"deletion_allowed":false,"convergent_version":-1,"type":{number},
        "backup_info":{{"time":"2023-11-05T11:22:34Z","version":1}},"restore_info":null,"allow_plaintext_backup":true,
        "version_template":"","storage_prefix":"","auto_rotate_period":0,"Imported":false,
        "AllowImportedKeyRotation":false}},"archived_keys":{{"keys":[{empty},{entry}]}}}}"#
    );
    base64(backup.as_bytes())
}

#[test]
fn ciphertexts_of_the_vectors_decrypt() {
    let mut f = Fixture::new();
    for vector in vectors("aead") {
        restore(&mut f, vector["kind"].as_str().unwrap(), &hex(&vector, "key"), false);
        let extra = json!({"associated_data": base64(&hex(&vector, "associated_data"))});
        let plaintext = f.decrypt("k", vector["ciphertext"].as_str().unwrap(), extra);
        assert_eq!(plaintext, hex(&vector, "plaintext"), "{}", vector["note"]);
    }
}

#[test]
fn convergent_ciphertexts_are_those_of_the_vectors() {
    let mut f = Fixture::new();
    for vector in vectors("convergent") {
        let (key, context, plaintext) = (hex(&vector, "key"), hex(&vector, "context"), hex(&vector, "plaintext"));
        restore(&mut f, vector["kind"].as_str().unwrap(), &key, true);
        let ciphertext = f.encrypt("k", &plaintext, json!({"context": base64(&context)}));
        let bytes = BASE64.decode(ciphertext.strip_prefix("vault:v1:").unwrap().as_bytes()).unwrap();
        assert_eq!(bytes[..12], hex(&vector, "nonce"));
        assert_eq!(vector["ciphertext"], ciphertext);
        let own = transit_derived_key(&key, &context, key.len()).unwrap();
        assert_eq!(own.expose(), hex(&vector, "encryption_key"));
        // The same text under the derived key itself: what stands behind the nonce is plain authenticated encryption.
        restore(&mut f, vector["kind"].as_str().unwrap(), own.expose(), false);
        assert_eq!(f.decrypt("k", &ciphertext, json!({})), plaintext);
    }
}

#[test]
fn keys_derive_as_in_the_vectors() {
    for vector in vectors("derivation") {
        let expected = hex(&vector, "derived");
        let derived = transit_derived_key(&hex(&vector, "material"), &hex(&vector, "context"), expected.len()).unwrap();
        assert_eq!(derived.expose(), expected);
    }
    assert!(transit_derived_key(&[1], &[], 255 * 32 + 1).is_none());
}

#[test]
fn signatures_of_the_vectors_verify() {
    let mut f = Fixture::new();
    for vector in vectors("signatures") {
        restore(&mut f, vector["kind"].as_str().unwrap(), &hex(&vector, "key"), false);
        let mut body = json!({
            "input": base64(&hex(&vector, "message")),
            "signature": vector["signature"],
            "hash_algorithm": vector["hash"],
            "marshaling_algorithm": vector["marshaling"],
        });
        assert_eq!(f.ok("verify/k", body.clone())["valid"], true, "{}", vector["note"]);
        body["input"] = json!(base64(b"another"));
        assert_eq!(f.ok("verify/k", body)["valid"], false, "{}", vector["note"]);
    }
}

#[test]
fn keyed_hashes_are_those_of_the_vectors() {
    let mut f = Fixture::new();
    for vector in vectors("keyed_hashes") {
        restore(&mut f, "hmac", &hex(&vector, "key"), false);
        let path = format!("hmac/k/{}", vector["hash"].as_str().unwrap());
        let sum = f.ok(&path, json!({"input": base64(&hex(&vector, "message"))}))["hmac"].clone();
        let expected = format!("vault:v1:{}", base64(&hex(&vector, "sum")));
        assert_eq!(sum, json!(expected), "{}", vector["note"]);
    }
}

#[test]
fn rsa_keys_of_another_make_decrypt_and_verify() {
    let mut f = Fixture::new();
    for vector in vectors("rsa") {
        restore_with(&mut f, "rsa-2048", &[], false, vector["rsa_key"].as_str().unwrap());
        assert_eq!(f.decrypt("k", vector["ciphertext"].as_str().unwrap(), json!({})), hex(&vector, "plaintext"));
        for padding in ["pss", "pkcs1v15"] {
            let body = |message: &[u8]| json!({"input": base64(message), "signature": vector[padding], "signature_algorithm": padding});
            assert_eq!(f.ok("verify/k", body(&hex(&vector, "message")))["valid"], true, "{padding}");
            assert_eq!(f.ok("verify/k", body(b"another"))["valid"], false, "{padding}");
        }
    }
}

#[test]
fn derived_signatures_are_those_of_the_vectors() {
    let mut f = Fixture::new();
    for vector in vectors("derived_signatures") {
        restore(&mut f, "ed25519", &hex(&vector, "key"), true);
        let body = json!({"input": base64(&hex(&vector, "message")), "context": base64(&hex(&vector, "context"))});
        let signed = f.ok("sign/k", body);
        assert_eq!(signed["signature"], vector["signature"]);
        assert_eq!(signed["publickey"], vector["public_key"]);
    }
}

#[test]
fn rsa_keys_that_are_none_are_refused_and_never_panic() {
    let mut f = Fixture::new();
    let vector = vectors("rsa").remove(0);
    let text = vector["rsa_key"].as_str().unwrap();
    let number = |name: &str| text.split_once(&format!("\"{name}\":")).unwrap().1.split([',', ']']).next().unwrap();
    let (modulus, private) = (number("N"), number("D"));
    let primes = text.split_once("\"Primes\":[").unwrap().1.split_once(']').unwrap().0;
    let (first, second) = primes.split_once(',').unwrap();
    let key =
        |n: &str, e: &str, d: &str, primes: &str| format!("{{\"N\":{n},\"E\":{e},\"D\":{d},\"Primes\":[{primes}]}}");
    restore_with(&mut f, "rsa-2048", &[], false, &key(modulus, "65537", private, primes));
    let long = "9".repeat(4_096);
    let longer = "9".repeat(4_097);
    for bad in ["0", "1", "2", "3", "65536", long.as_str(), longer.as_str(), "-5", "1.5", "\"5\"", "null"] {
        refuse_rsa(&mut f, &key(bad, "65537", private, primes));
        refuse_rsa(&mut f, &key(modulus, "65537", bad, primes));
        for primes in [format!("{bad},{second}"), format!("{first},{bad}"), format!("{bad},{bad}")] {
            refuse_rsa(&mut f, &key(modulus, "65537", private, &primes));
        }
    }
    for exponent in ["0", "1", "2", "3", "65536", "18446744073709551615", "18446744073709551616", "-1"] {
        refuse_rsa(&mut f, &key(modulus, exponent, private, primes));
    }
    for primes in ["", first, &format!("{primes},3"), &format!("{first},{first}"), modulus] {
        refuse_rsa(&mut f, &key(modulus, "65537", private, primes));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn a_backup_with_any_byte_changed_is_refused_or_makes_a_usable_key(at: proptest::sample::Index, byte: u8) {
        let mut f = Fixture::new();
        let mut bytes = data_encoding::BASE64.decode(backup("aes256-gcm96", &[7; 32], true, "null").as_bytes()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let body = json!({"backup": base64(&bytes)});
        if f.call(crate::request::Operation::Write, "restore/k", body).is_ok() {
            let shown = f.read("keys/k");
            let context = if shown["derived"] == true { json!({"context": base64(b"c")}) } else { json!({}) };
            if shown["soft_deleted"] == false && shown["supports_encryption"] == true {
                let ciphertext = f.encrypt("k", b"text", context.clone());
                proptest::prop_assert_eq!(f.decrypt("k", &ciphertext, context), b"text");
            }
        }
    }
}
