//! What a token must never get away with.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testkit::{assemble, jwk, jwks, pem, sign_bytes, token, token_of_a_small_key};
use super::*;

fn keys(list: &[Value]) -> KeySet {
    KeySet::parse(&jwks(list)).unwrap()
}

fn verify(text: &str, keys: &KeySet) -> Result<Claims, TokenError> {
    Unverified::parse(text)?.verify(&Algorithm::ALL, keys)
}

/// Which key of the vectors signs with an algorithm.
fn signer(algorithm: Algorithm) -> &'static str {
    match algorithm.key_kind() {
        KeyKind::Rsa => "rsa",
        KeyKind::P256 => "p256",
        KeyKind::P384 => "p384",
        KeyKind::P521 => "p521",
        KeyKind::Ed25519 => "ed25519",
    }
}

#[test]
fn every_algorithm_verifies_by_jwk_and_by_pem_and_only_by_its_own_key() {
    for algorithm in Algorithm::ALL {
        let name = signer(algorithm);
        let text = token(name, algorithm, "k", &json!({"sub": "a"}));
        let by_jwk = verify(&text, &keys(&[jwk(name, "k")])).unwrap();
        assert_eq!(by_jwk.get("sub"), Some(&json!("a")), "{algorithm:?}");
        let by_pem = KeySet::of(vec![VerificationKey::from_pem(&pem(name)).unwrap()]).unwrap();
        assert!(verify(&text, &by_pem).is_ok(), "{algorithm:?}");
        let others: Vec<Value> = ["rsa", "p256", "p384", "p521", "ed25519"]
            .into_iter()
            .filter(|other| *other != name)
            .map(|other| jwk(other, "k"))
            .collect();
        assert_eq!(verify(&text, &keys(&others)).unwrap_err(), TokenError::UnknownKey, "{algorithm:?}");
        let unlisted = Unverified::parse(&text).unwrap();
        let listed: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|other| *other != algorithm).collect();
        let error = unlisted.verify(&listed, &keys(&[jwk(name, "k")])).unwrap_err();
        assert_eq!(error, TokenError::UnlistedAlgorithm { algorithm });
    }
}

/// The example of RFC 7515, appendix A.3.
#[test]
fn the_example_of_the_standard_verifies() {
    let key = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb\
                290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_eq!(verify(text, &keys(&[key])).unwrap().get("iss"), Some(&json!("joe")));
}

#[test]
fn none_and_shared_secrets_are_never_algorithms() {
    for name in ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "RS1", "dir"] {
        let header = json!({ "alg": name }).to_string();
        // A shared secret would be the text of the public key, which everybody has.
        let forged = assemble(&header, "{}", |message| hmac_sha256(pem("rsa").as_bytes(), message));
        let unsigned = assemble(&header, "{}", |_| Vec::new());
        for text in [forged, unsigned] {
            let error = verify(&text, &keys(&[jwk("rsa", "k")])).unwrap_err();
            assert!(matches!(error, TokenError::ForbiddenAlgorithm { .. }), "{name}: {error}");
        }
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
}

#[test]
fn an_algorithm_takes_only_keys_of_its_kind_and_of_its_owners_choice() {
    // The header promises one algorithm, the signature is made by another.
    let text = assemble(r#"{"alg":"ES256"}"#, "{}", |message| sign_bytes("rsa", Algorithm::Rs256, message));
    assert!(verify(&text, &keys(&[jwk("rsa", "k"), jwk("p256", "k")])).is_err());
    let text = assemble(r#"{"alg":"PS256"}"#, "{}", |message| sign_bytes("rsa", Algorithm::Rs256, message));
    assert!(verify(&text, &keys(&[jwk("rsa", "k")])).is_err());
    let mut bound = jwk("rsa", "k");
    bound["alg"] = json!("PS256");
    let text = token("rsa", Algorithm::Rs256, "k", &json!({}));
    assert_eq!(verify(&text, &keys(&[bound])).unwrap_err(), TokenError::UnknownKey);
}

#[test]
fn keys_for_other_uses_kinds_and_sizes_are_left_out() {
    let text = token("rsa", Algorithm::Rs256, "k", &json!({}));
    let changes = [
        json!({"use": "enc"}),
        json!({"use": 1}),
        json!({"key_ops": ["sign"]}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"crv": "P-256"}),
        json!({"e": "AQ"}),
        json!({"e": "AAAAAAAAAAAB"}),
        json!({"n": "AQAB"}),
        json!({"n": "not base64!"}),
        json!({"kid": 7}),
        json!({"alg": "HS256"}),
    ];
    for change in changes {
        let mut key = jwk("rsa", "k");
        key.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(verify(&text, &keys(&[key])).unwrap_err(), TokenError::UnknownKey, "{change}");
    }
    let text = token_of_a_small_key();
    assert!(verify(&text, &keys(&[jwk("rsa-small", "k")])).is_err());
    let small = KeySet::of(vec![VerificationKey::from_pem(&pem("rsa-small")).unwrap()]).unwrap();
    assert!(verify(&text, &small).is_err());
    let mut off_curve = jwk("p256", "k");
    off_curve["y"] = off_curve["x"].clone();
    let text = token("p256", Algorithm::Es256, "k", &json!({}));
    assert_eq!(verify(&text, &keys(&[off_curve])).unwrap_err(), TokenError::UnknownKey);
}

#[test]
fn a_key_id_chooses_and_without_one_every_key_is_tried() {
    let text = token("rsa", Algorithm::Rs256, "k", &json!({}));
    assert_eq!(verify(&text, &keys(&[jwk("rsa", "other")])).unwrap_err(), TokenError::UnknownKey);
    // Two keys of one id: the one that signed counts.
    assert!(verify(&text, &keys(&[jwk("rsa-other", "k"), jwk("rsa", "k")])).is_ok());
    let wrong = verify(&text, &keys(&[jwk("rsa-other", "k")])).unwrap_err();
    assert_eq!(wrong, TokenError::WrongSignature { candidates: 1, names_key: true });
    assert!(!wrong.may_be_stale_keys());
    let unnamed = assemble(r#"{"alg":"RS256"}"#, "{}", |message| sign_bytes("rsa", Algorithm::Rs256, message));
    assert!(verify(&unnamed, &keys(&[jwk("rsa-other", "a"), jwk("rsa", "b")])).is_ok());
    assert!(verify(&unnamed, &keys(&[jwk("rsa-other", "a")])).unwrap_err().may_be_stale_keys());
}

#[test]
fn keys_that_the_token_brings_are_not_looked_at() {
    let own = jwk("rsa-other", "k");
    let header = json!({"alg": "RS256", "kid": "k", "jwk": own, "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/x", "x5c": ["AAAA"]});
    let forged = assemble(&header.to_string(), "{}", |message| sign_bytes("rsa-other", Algorithm::Rs256, message));
    assert!(verify(&forged, &keys(&[jwk("rsa", "k")])).is_err());
    // They do no harm either.
    let honest = assemble(&header.to_string(), "{}", |message| sign_bytes("rsa", Algorithm::Rs256, message));
    assert!(verify(&honest, &keys(&[jwk("rsa", "k")])).is_ok());
}

#[test]
fn headers_and_claims_that_two_readers_may_read_differently_are_refused() {
    let headers = [
        r#"{"alg":"RS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"RS256","crit":[]}"#,
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"RS256","kid":"k","kid":"k"}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"kid":"k"}"#,
        "[]",
        "",
    ];
    let sign = |message: &[u8]| sign_bytes("rsa", Algorithm::Rs256, message);
    for header in headers {
        assert!(verify(&assemble(header, "{}", sign), &keys(&[jwk("rsa", "k")])).is_err(), "{header}");
    }
    for claims in [r#"{"sub":"a","sub":"b"}"#, "[]", "\"a\"", "", "{} "] {
        let outcome = verify(&assemble(r#"{"alg":"RS256"}"#, claims, sign), &keys(&[jwk("rsa", "k")]));
        assert_eq!(outcome.is_ok(), claims == "{} ", "{claims}");
    }
}

#[test]
fn shapes_and_sizes_are_bounded() {
    let good = token("rsa", Algorithm::Rs256, "k", &json!({}));
    let set = keys(&[jwk("rsa", "k")]);
    let (signed, _) = good.rsplit_once('.').unwrap();
    for bad in ["", ".", "..", "a.b", signed, &format!("{good}."), &format!("{good}.a"), &format!("{good}=")] {
        assert!(verify(bad, &set).is_err(), "{bad}");
    }
    let long = token("rsa", Algorithm::Rs256, "k", &json!({"a": "a".repeat(TOKEN_LENGTH_BYTES_MAX)}));
    assert!(matches!(verify(&long, &set).unwrap_err(), TokenError::TooLong { .. }));
    let many: Vec<Value> = (0..=KEYS_MAX).map(|number| json!({"kty": "none", "kid": number.to_string()})).collect();
    assert_eq!(KeySet::parse(&jwks(&many)).err(), Some(KeySetError::TooMany { count: KEYS_MAX + 1 }));
    for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn only_public_keys_are_read_from_pem() {
    let good = pem("rsa");
    assert!(VerificationKey::from_pem(&good).is_ok());
    let body = good.lines().nth(1).unwrap();
    let bad = [
        String::new(),
        "secret".to_owned(),
        good.replace("PUBLIC KEY", "PRIVATE KEY"),
        good.replace("PUBLIC KEY", "CERTIFICATE"),
        good.replace(body, "AAAA"),
        good.replace("-----END", "-----AND"),
        pem("p256").replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", "A".repeat(8_000)),
        // 32 bytes alone would pass for a raw Ed25519 key.
        format!("-----BEGIN PUBLIC KEY-----\n{}=\n-----END PUBLIC KEY-----", "A".repeat(43)),
    ];
    for text in bad {
        assert!(VerificationKey::from_pem(&text).is_err(), "{text}");
    }
}

#[test]
fn pointers_lead_into_claims() {
    let claims = Claims::for_test(&json!({"a": {"b/c": [1, {"d": 2}]}, "/x": 1, "": {"": 3}}));
    assert_eq!(claims.at("/a/b~1c/1/d"), Some(&json!(2)));
    assert_eq!(claims.at("/a").is_some(), claims.at("a").is_some());
    assert_eq!(claims.at("/~1x"), Some(&json!(1)));
    assert_eq!(claims.at("//"), Some(&json!(3)));
    assert_eq!((claims.at("/b"), claims.at("/a/x"), claims.at("/a/b~1c/9")), (None, None, None));
}

#[test]
fn every_changed_byte_of_a_good_token_is_refused() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let name = signer(algorithm);
        let good = token(name, algorithm, "k", &json!({"sub": "alice", "n": 1}));
        let set = keys(&[jwk(name, "k")]);
        for position in 0..good.len() {
            for bit in [1, 2, 32] {
                let mut bytes = good.clone().into_bytes();
                bytes[position] ^= bit;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                assert!(verify(&text, &set).is_err(), "{algorithm:?}: byte {position}, bit {bit}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_token_panics(text in "(eyJ[A-Za-z0-9_-]{0,40}|[A-Za-z0-9_=-]{0,20}|.{0,20})(\\.[A-Za-z0-9_-]{0,40}){0,4}") {
        let _ = Unverified::parse(&text);
    }

    #[test]
    fn no_header_panics(header in r#"\{("(alg|kid|crit|typ)":("RS256"|"k"|\[\]|1|null|\{\}),?){0,4}\}?"#) {
        let text = assemble(&header, "{}", |_| vec![0; 256]);
        prop_assert!(verify(&text, &keys(&[jwk("rsa", "k")])).is_err());
    }

    #[test]
    fn no_key_set_and_no_pem_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), x in "[A-Za-z0-9_-]{0,90}") {
        let _ = KeySet::parse(&bytes);
        let _ = VerificationKey::from_pem(&String::from_utf8_lossy(&bytes));
        for (kty, crv) in [("EC", "P-256"), ("EC", "P-521"), ("OKP", "Ed25519"), ("RSA", "")] {
            let mut key = json!({"kty": kty, "x": x, "y": x, "n": x, "e": "AQAB"});
            if !crv.is_empty() {
                key["crv"] = json!(crv);
            }
            let _ = KeySet::parse(&jwks(&[key]));
        }
        let _ = VerificationKey::from_pem(&format!("-----BEGIN PUBLIC KEY-----\n{x}\n-----END PUBLIC KEY-----"));
    }
}
