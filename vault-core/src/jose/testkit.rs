//! Signs tokens in tests, with keys that only tests use.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::Algorithm;

const KEYS: &str = include_str!("../../tests/vectors/jose-keys.json");

fn entry(name: &str) -> Value {
    let keys: Value = serde_json::from_str(KEYS).unwrap();
    keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap().clone()
}

/// The public half of a key in PEM.
pub(crate) fn pem(name: &str) -> String {
    entry(name)["pem"].as_str().unwrap().to_owned()
}

/// The public half of a key as a JSON Web Key of the given id.
pub(crate) fn jwk(name: &str, id: &str) -> Value {
    let mut jwk = entry(name)["jwk"].clone();
    jwk["kid"] = json!(id);
    jwk
}

/// A token that the key `rsa-small`, too short to be used, has signed.
pub(crate) fn token_of_a_small_key() -> String {
    entry("rsa-small")["token"].as_str().unwrap().to_owned()
}

/// A key set.
pub(crate) fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// Signs bytes with a key of the vectors.
pub(crate) fn sign_bytes(name: &str, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let der = BASE64.decode(entry(name)["pkcs8"].as_str().unwrap().as_bytes()).unwrap();
    let rsa = |encoding: &'static dyn RsaEncoding| {
        let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    let ecdsa = |curve: &'static EcdsaSigningAlgorithm| {
        let pair = EcdsaKeyPair::from_pkcs8(curve, &der).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    };
    match algorithm {
        Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
        Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
        Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
        Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
        Algorithm::Ps384 => rsa(&RSA_PSS_SHA384),
        Algorithm::Ps512 => rsa(&RSA_PSS_SHA512),
        Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
        Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(&der).unwrap().sign(message).as_ref().to_vec(),
    }
}

/// Puts a token together from a header and claims as they are written.
pub(crate) fn assemble(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
    let signed = format!("{header}.{claims}");
    let signature = BASE64URL_NOPAD.encode(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Signs a token whose header says nothing but the algorithm and the key's id.
pub(crate) fn token(name: &str, algorithm: Algorithm, id: &str, claims: &Value) -> String {
    let header = json!({ "alg": algorithm.name(), "kid": id, "typ": "JWT" }).to_string();
    assemble(&header, &claims.to_string(), |message| sign_bytes(name, algorithm, message))
}
