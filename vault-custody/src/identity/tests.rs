use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::*;

const CHEAP: PasswordCost = PasswordCost { memory_kib: *MEMORY_KIB.start(), passes: 1, lanes: 1 };

fn alice() -> Identity {
    Identity::random(PersonName::parse("alice").unwrap(), &mut StdRng::seed_from_u64(1))
}

fn passphrase(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn file() -> String {
    alice().seal(&passphrase("correct horse"), CHEAP, &mut StdRng::seed_from_u64(2)).unwrap()
}

fn altered(pointer: &str, value: Value) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(&file()).unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    serde_json::to_vec(&document).unwrap()
}

#[test]
fn a_file_opens_with_its_passphrase_alone() {
    let file = IdentityFile::parse(file().as_bytes()).unwrap();
    assert_eq!(file.card().to_toml(), alice().card().to_toml());
    assert!(matches!(file.open(&passphrase("correct horsf")), Err(IdentityError::Passphrase)));
    assert!(matches!(file.open(&passphrase("")), Err(IdentityError::Passphrase)));
    let opened = file.open(&passphrase("correct horse")).unwrap();
    assert!(opened.signing_seed.same_as(&alice().signing_seed));
    assert!(opened.age_secret.same_as(&alice().age_secret));
    assert!(!opened.age_secret.same_as(&opened.signing_seed));
}

#[test]
fn the_file_holds_neither_secret_in_the_open() {
    let text = file();
    for secret in [alice().signing_seed, alice().age_secret] {
        assert!(!text.contains(&BASE64.encode(secret.expose())[..40]));
    }
}

#[test]
fn every_field_is_bound_to_the_seal() {
    let other = Identity::random(PersonName::parse("mallory").unwrap(), &mut StdRng::seed_from_u64(9)).card();
    let other_salt = BASE64.encode(&[9; SALT_LENGTH_BYTES]);
    let other_nonce = BASE64.encode(&[9; NONCE_LENGTH_BYTES]);
    for (pointer, value) in [
        ("/header/name", json!("mallory")),
        ("/header/signing_key", json!(other.signing_key.to_string())),
        ("/header/recipient", json!(other.recipient.to_string())),
        ("/header/argon2id/passes", json!(2)),
        ("/header/salt", json!(other_salt)),
        ("/header/nonce", json!(other_nonce)),
        ("/sealed", json!(BASE64.encode(&[0; 80]))),
        ("/sealed", json!("")),
    ] {
        let file = IdentityFile::parse(&altered(pointer, value)).unwrap();
        assert!(matches!(file.open(&passphrase("correct horse")), Err(IdentityError::Passphrase)), "{pointer}");
    }
}

#[test]
fn a_hostile_file_cannot_ask_for_all_memory_or_for_years() {
    for (pointer, value) in [
        ("memory_kib", 100 << 20),
        ("memory_kib", u32::MAX),
        ("memory_kib", 64),
        ("passes", 0),
        ("passes", u32::MAX),
        ("lanes", 0),
        ("lanes", 1 << 20),
    ] {
        let content = altered(&format!("/header/argon2id/{pointer}"), json!(value));
        let Err(IdentityError::Cost { what, found, .. }) = IdentityFile::parse(&content) else { panic!("{pointer}") };
        assert_eq!((what, found), (pointer, value));
    }
    assert!(
        alice().seal(&passphrase("x"), PasswordCost { passes: 99, ..CHEAP }, &mut StdRng::seed_from_u64(3)).is_err()
    );
}

#[test]
fn what_is_no_identity_file_is_told_why() {
    assert!(matches!(
        IdentityFile::parse(&altered("/header/format", json!(2))),
        Err(IdentityError::Format { found: 2 })
    ));
    assert!(matches!(IdentityFile::parse(&altered("/header/kind", json!("x"))), Err(IdentityError::NotOne { .. })));
    for field in ["salt", "nonce", "name", "signing_key", "recipient"] {
        let content = altered(&format!("/header/{field}"), json!("!"));
        let Err(IdentityError::Field { field: named, .. }) = IdentityFile::parse(&content) else { panic!("{field}") };
        assert_eq!(named, field);
    }
    assert!(matches!(IdentityFile::parse(b"AGE-SECRET-KEY-1"), Err(IdentityError::NotOne { .. })));
    assert!(matches!(IdentityFile::parse(&vec![b' '; 20_000]), Err(IdentityError::NotOne { .. })));
    let mut document: Value = serde_json::from_str(&file()).unwrap();
    document["header"]["extra"] = json!(1);
    assert!(matches!(IdentityFile::parse(document.to_string().as_bytes()), Err(IdentityError::NotOne { .. })));
}

proptest! {
    #[test]
    fn no_content_panics(content in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..1000) {
        let _ = IdentityFile::parse(&content);
        static FILE: std::sync::LazyLock<String> = std::sync::LazyLock::new(file);
        let file = &*FILE;
        let _ = IdentityFile::parse(&file.as_bytes()[..cut.min(file.len())]);
    }
}
