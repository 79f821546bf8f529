//! Transit: keys that encrypt and sign for their users.

use vaultrs::api::transit::requests::{
    CreateKeyRequest, DataKeyType, DecryptDataRequest, EncryptDataRequest, ExportKeyType, ExportVersion,
    GenerateHmacRequest, GenerateRandomBytesRequest, HashDataRequest, RandomBytesSource, RestoreKeyRequest,
    RewrapDataRequest, SignDataRequest, UpdateKeyConfigurationRequest, VerifySignedDataRequest,
};
use vaultrs::api::transit::responses::ReadKeyData;
use vaultrs::api::transit::{HashAlgorithm, KeyType, OutputFormat, SignatureAlgorithm};
use vaultrs::client::VaultClient;
use vaultrs::sys::mount;
use vaultrs::transit::{cache, data, generate, key, wrapping_key};

use crate::vault::{refused, root};

/// "hello" in base64.
const HELLO: &str = "aGVsbG8=";
/// "other" in base64.
const OTHER: &str = "b3RoZXI=";

async fn mounted(path: &str) -> VaultClient {
    let root = root().await;
    mount::enable(&root, path, "transit", None).await.unwrap();
    root
}

#[tokio::test]
async fn a_key_is_made_configured_trimmed_and_deleted() {
    let root = mounted("t-keys").await;
    key::create(&root, "t-keys", "k", None).await.unwrap();
    assert_eq!(key::list(&root, "t-keys").await.unwrap().keys, ["k"]);
    let read = key::read(&root, "t-keys", "k").await.unwrap();
    assert!(matches!(read.key_type, KeyType::Aes256Gcm96));
    assert!(matches!(&read.keys, ReadKeyData::Symmetric(keys) if keys.len() == 1 && keys["1"] > 1_600_000_000));
    assert!(read.supports_encryption && read.supports_derivation && !read.supports_signing && !read.exportable);
    refused(key::delete(&root, "t-keys", "k").await, 400);

    key::rotate(&root, "t-keys", "k").await.unwrap();
    let mut wishes = UpdateKeyConfigurationRequest::builder();
    wishes.min_decryption_version(2u64).min_encryption_version(2u64).deletion_allowed(true);
    key::update(&root, "t-keys", "k", Some(&mut wishes)).await.unwrap();
    let read = key::read(&root, "t-keys", "k").await.unwrap();
    assert_eq!((read.min_decryption_version, read.min_encryption_version, read.deletion_allowed), (2, 2, true));
    key::trim(&root, "t-keys", "k", 2).await.unwrap();
    let back = UpdateKeyConfigurationRequest::builder().min_decryption_version(1u64).clone();
    refused(key::update(&root, "t-keys", "k", Some(&mut back.clone())).await, 400);
    key::delete(&root, "t-keys", "k").await.unwrap();
    refused(key::read(&root, "t-keys", "k").await, 404);
    mount::disable(&root, "t-keys").await.unwrap();
}

#[tokio::test]
async fn data_is_encrypted_rewrapped_and_decrypted() {
    let root = mounted("t-data").await;
    key::create(&root, "t-data", "k", None).await.unwrap();
    let old = data::encrypt(&root, "t-data", "k", HELLO, None).await.unwrap().ciphertext;
    assert!(old.starts_with("vault:v1:"), "{old}");
    assert_eq!(data::decrypt(&root, "t-data", "k", &old, None).await.unwrap().plaintext, HELLO);
    key::rotate(&root, "t-data", "k").await.unwrap();
    let new = data::rewrap(&root, "t-data", "k", &old, None).await.unwrap().ciphertext;
    assert!(new.starts_with("vault:v2:"), "{new}");
    assert_eq!(data::decrypt(&root, "t-data", "k", &new, None).await.unwrap().plaintext, HELLO);
    let mut first = RewrapDataRequest::builder();
    let back = data::rewrap(&root, "t-data", "k", &new, Some(first.key_version(1u64))).await.unwrap();
    assert!(back.ciphertext.starts_with("vault:v1:"));
    refused(data::decrypt(&root, "t-data", "k", "vault:v1:bm9uc2Vuc2U=", None).await, 400);

    let mut bound = EncryptDataRequest::builder();
    let sealed = data::encrypt(&root, "t-data", "k", HELLO, Some(bound.associated_data(OTHER))).await.unwrap();
    refused(data::decrypt(&root, "t-data", "k", &sealed.ciphertext, None).await, 400);
    let mut bound = DecryptDataRequest::builder();
    let given = data::decrypt(&root, "t-data", "k", &sealed.ciphertext, Some(bound.associated_data(OTHER))).await;
    assert_eq!(given.unwrap().plaintext, HELLO);
    mount::disable(&root, "t-data").await.unwrap();
}

#[tokio::test]
async fn a_derived_key_needs_its_context() {
    let root = mounted("t-derived").await;
    let mut wishes = CreateKeyRequest::builder();
    wishes.derived(true).convergent_encryption(true).key_type(KeyType::Chacha20Poly1305);
    key::create(&root, "t-derived", "k", Some(&mut wishes)).await.unwrap();
    refused(data::encrypt(&root, "t-derived", "k", HELLO, None).await, 400);
    let seal = async |context: &str| {
        let mut wishes = EncryptDataRequest::builder();
        data::encrypt(&root, "t-derived", "k", HELLO, Some(wishes.context(context))).await.unwrap().ciphertext
    };
    let (one, other) = (seal(HELLO).await, seal(OTHER).await);
    assert_eq!(one, seal(HELLO).await);
    assert_ne!(one, other);
    let mut wishes = DecryptDataRequest::builder();
    let given = data::decrypt(&root, "t-derived", "k", &one, Some(wishes.context(HELLO))).await.unwrap();
    assert_eq!(given.plaintext, HELLO);
    refused(data::decrypt(&root, "t-derived", "k", &one, Some(wishes.context(OTHER))).await, 400);
    mount::disable(&root, "t-derived").await.unwrap();
}

#[tokio::test]
async fn signatures_are_made_and_verified() {
    let root = mounted("t-sign").await;
    for (name, kind) in [("ed", KeyType::Ed25519), ("ec", KeyType::EcdsaP384), ("rsa", KeyType::Rsa2048)] {
        key::create(&root, "t-sign", name, Some(CreateKeyRequest::builder().key_type(kind))).await.unwrap();
        let read = key::read(&root, "t-sign", name).await.unwrap();
        assert!(matches!(&read.keys, ReadKeyData::Asymmetric(keys) if !keys["1"].public_key.is_empty()), "{name}");
        let signature = data::sign(&root, "t-sign", name, HELLO, None).await.unwrap().signature;
        for (input, valid) in [(HELLO, true), (OTHER, false)] {
            let mut asked = VerifySignedDataRequest::builder();
            asked.signature(signature.clone());
            assert_eq!(
                data::verify(&root, "t-sign", name, input, Some(&mut asked)).await.unwrap().valid,
                valid,
                "{name}"
            );
        }
    }
    let mut wishes = SignDataRequest::builder();
    wishes.hash_algorithm(HashAlgorithm::Sha2_512).signature_algorithm(SignatureAlgorithm::Pkcs1v15);
    let signature = data::sign(&root, "t-sign", "rsa", HELLO, Some(&mut wishes)).await.unwrap().signature;
    for (algorithm, valid) in [(SignatureAlgorithm::Pkcs1v15, true), (SignatureAlgorithm::Pss, false)] {
        let mut asked = VerifySignedDataRequest::builder();
        asked.signature(signature.clone()).hash_algorithm(HashAlgorithm::Sha2_512).signature_algorithm(algorithm);
        assert_eq!(data::verify(&root, "t-sign", "rsa", HELLO, Some(&mut asked)).await.unwrap().valid, valid);
    }
    mount::disable(&root, "t-sign").await.unwrap();
}

#[tokio::test]
async fn keys_hashes_and_random_bytes_are_generated() {
    let root = mounted("t-make").await;
    key::create(&root, "t-make", "k", None).await.unwrap();
    let made = generate::data_key(&root, "t-make", "k", DataKeyType::Plaintext, None).await.unwrap();
    let opened = data::decrypt(&root, "t-make", "k", &made.ciphertext, None).await.unwrap();
    assert_eq!(Some(opened.plaintext), made.plaintext);
    let wrapped = generate::data_key(&root, "t-make", "k", DataKeyType::Wrapped, None).await.unwrap();
    assert_eq!(wrapped.plaintext, None);

    let mut wishes = GenerateRandomBytesRequest::builder();
    wishes.bytes(24u32);
    let drawn =
        generate::random_bytes(&root, "t-make", OutputFormat::Hex, RandomBytesSource::All, Some(&mut wishes)).await;
    assert_eq!(drawn.unwrap().random_bytes.len(), 48);
    let mut wishes = HashDataRequest::builder();
    wishes.algorithm(HashAlgorithm::Sha2_256).format(OutputFormat::Hex);
    let hash = generate::hash(&root, "t-make", "YWJj", Some(&mut wishes)).await.unwrap();
    assert_eq!(hash.sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    let mut wishes = GenerateHmacRequest::builder();
    let hmac = generate::hmac(&root, "t-make", "k", HELLO, Some(wishes.algorithm(HashAlgorithm::Sha3_256)));
    let hmac = hmac.await.unwrap().hmac;
    for (input, valid) in [(HELLO, true), (OTHER, false)] {
        let mut asked = VerifySignedDataRequest::builder();
        asked.hmac(hmac.clone()).hash_algorithm(HashAlgorithm::Sha3_256);
        assert_eq!(data::verify(&root, "t-make", "k", input, Some(&mut asked)).await.unwrap().valid, valid);
    }
    mount::disable(&root, "t-make").await.unwrap();
}

#[tokio::test]
async fn a_key_leaves_only_when_that_was_asked_for() {
    let root = mounted("t-leave").await;
    key::create(&root, "t-leave", "kept", None).await.unwrap();
    let kept = key::export(&root, "t-leave", "kept", ExportKeyType::EncryptionKey, ExportVersion::All).await;
    refused(kept, 400);
    let mut wishes = CreateKeyRequest::builder();
    wishes.exportable(true).allow_plaintext_backup(true);
    key::create(&root, "t-leave", "k", Some(&mut wishes)).await.unwrap();
    key::rotate(&root, "t-leave", "k").await.unwrap();
    let export =
        async |version| key::export(&root, "t-leave", "k", ExportKeyType::EncryptionKey, version).await.unwrap().keys;
    let (all, latest) = (export(ExportVersion::All).await, export(ExportVersion::Latest).await);
    assert_eq!((all.len(), latest.len(), &all["2"]), (2, 1, &latest["2"]));
    assert_eq!(export(ExportVersion::Version(1)).await["1"], all["1"]);

    let sealed = data::encrypt(&root, "t-leave", "k", HELLO, None).await.unwrap().ciphertext;
    let backup = key::backup(&root, "t-leave", "k").await.unwrap().backup;
    refused(key::restore(&root, "t-leave", &backup, None).await, 400);
    key::rotate(&root, "t-leave", "k").await.unwrap();
    let later = data::encrypt(&root, "t-leave", "k", HELLO, None).await.unwrap().ciphertext;
    let mut forced = RestoreKeyRequest::builder();
    key::restore(&root, "t-leave", &backup, Some(forced.force(true))).await.unwrap();
    assert_eq!(data::decrypt(&root, "t-leave", "k", &sealed, None).await.unwrap().plaintext, HELLO);
    refused(data::decrypt(&root, "t-leave", "k", &later, None).await, 400);
    assert!(wrapping_key::get(&root, "t-leave").await.unwrap().public_key.starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!(cache::read(&root, "t-leave").await.unwrap().size, 0);
    mount::disable(&root, "t-leave").await.unwrap();
}
