//! Vectors of real signatures, and envelopes that must not be believed.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::charter::PAYLOAD_TYPE;
use crate::charter::testkit::{first, sign, signed, signing_key, ssh_key};

/// A signature by OpenSSH 9.2. Of security keys the signed structure was made after PROTOCOL.u2f with an ordinary key,
/// and `ssh-keygen -Y verify` agrees with each outcome but `not-present`, which it leaves to its caller.
#[derive(Deserialize)]
struct Vector {
    name: String,
    key: String,
    message: String,
    signature: String,
    outcome: String,
}

fn outcome(result: &Result<(), SignatureError>) -> &'static str {
    match result {
        Ok(()) => "holds",
        Err(SignatureError::Mismatch | SignatureError::SshSig(SshSigError::Mismatch)) => "mismatch",
        Err(SignatureError::SshSig(error)) => match error {
            SshSigError::Form => "form",
            SshSigError::Version { .. } => "version",
            SshSigError::Key => "key",
            SshSigError::Namespace => "namespace",
            SshSigError::Hash => "hash",
            SshSigError::NotPresent => "not-present",
            SshSigError::Mismatch => "mismatch",
        },
    }
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

#[test]
fn signatures_of_openssh_hold_and_altered_ones_do_not() {
    let vectors = vectors();
    assert!(vectors.len() > 20);
    for vector in vectors {
        let key = SshPublicKey::parse(&vector.key).unwrap();
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).unwrap();
        let result = verify(&key, &bytes(&vector.message), &bytes(&vector.signature));
        assert_eq!(outcome(&result), vector.outcome, "{}", vector.name);
    }
}

#[test]
fn each_altered_byte_of_a_signature_is_noticed() {
    for vector in vectors().iter().filter(|vector| vector.outcome == "holds") {
        let key = SshPublicKey::parse(&vector.key).unwrap();
        let message = BASE64.decode(vector.message.as_bytes()).unwrap();
        let blob = BASE64.decode(vector.signature.as_bytes()).unwrap();
        for place in 0..blob.len() {
            let mut altered = blob.clone();
            altered[place] ^= 2;
            assert!(verify(&key, &message, &altered).is_err(), "{}: byte {place}", vector.name);
            assert!(verify(&key, &message, &blob[..place]).is_err(), "{}: cut at {place}", vector.name);
        }
    }
}

#[test]
fn the_encoding_is_that_of_the_specification() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
}

#[test]
fn signers_are_found_and_an_envelope_comes_back_as_written() {
    let charter = first();
    let envelope = signed(charter.text(), &["bob", "erin"]);
    let again = Envelope::parse(envelope.to_json().as_bytes()).unwrap();
    assert_eq!(again, envelope);
    let signers = again.signers(PAYLOAD_TYPE, &charter).unwrap();
    assert_eq!(signers.iter().map(|person| person.0).collect::<Vec<_>>(), [1, 4]);
    assert!(Envelope::new(PAYLOAD_TYPE, b"").signers(PAYLOAD_TYPE, &charter).unwrap().is_empty());
}

#[test]
fn every_bad_signature_names_its_culprit() {
    let charter = first();
    let error = |envelope: &Envelope| envelope.signers(PAYLOAD_TYPE, &charter).unwrap_err();

    let stranger = ssh_key("mallory").fingerprint();
    assert_eq!(error(&signed("x", &["alice", "mallory"])), EnvelopeError::UnknownKey { key_id: stranger, epoch: 1 });
    assert_eq!(error(&signed("x", &["bob", "alice", "bob"])), EnvelopeError::Duplicate { person: "bob".to_owned() });

    let bad = |person: &str, reason| EnvelopeError::BadSignature { person: person.to_owned(), reason };
    let mut moved = Envelope::new(PAYLOAD_TYPE, b"y");
    moved.add(signed("x", &["alice"]).signatures()[0].clone());
    assert_eq!(error(&moved), bad("alice", SignatureError::Mismatch));

    let mut renamed = signed("x", &["alice"]);
    renamed.signatures[0].key_id = ssh_key("bob").fingerprint();
    assert_eq!(error(&renamed), bad("bob", SignatureError::Mismatch));

    let mut cut = signed("x", &["alice"]);
    cut.signatures[0].bytes.pop();
    assert_eq!(error(&cut), bad("alice", SignatureError::SshSig(SshSigError::Form)));

    let mut other = Envelope::new("text/plain", b"x");
    sign(&mut other, "alice");
    assert!(matches!(error(&other), EnvelopeError::Type { .. }));
}

#[test]
fn a_signature_over_another_type_does_not_hold() {
    let charter = first();
    let mut other = Envelope::new("text/plain", b"x");
    sign(&mut other, "alice");
    let relabelled = Envelope { payload_type: PAYLOAD_TYPE.to_owned(), ..other };
    assert!(matches!(relabelled.signers(PAYLOAD_TYPE, &charter), Err(EnvelopeError::BadSignature { .. })));
}

#[test]
fn every_other_form_is_refused() {
    let good = signed("x", &["alice"]).to_json();
    let refused = |text: &str| Envelope::parse(text.as_bytes()).unwrap_err();
    assert!(Envelope::parse(good.as_bytes()).is_ok());
    for bad in ["", "{}", "[]", "null", &good[..good.len() - 3], &format!("{good}{{}}")] {
        assert!(matches!(refused(bad), EnvelopeError::Syntax { .. }), "{bad}");
    }
    assert!(matches!(refused(&good.replacen('{', "{\"extra\":1,", 1)), EnvelopeError::Syntax { .. }));
    assert!(matches!(refused(&good.replacen('{', "{\"payload\":\"\",", 1)), EnvelopeError::Syntax { .. }));
    assert_eq!(refused(&good.replace("eA==", "eA")), EnvelopeError::Base64 { field: "payload" });
    assert_eq!(refused(&good.replace("eA==", "eB==")), EnvelopeError::Base64 { field: "payload" }, "spare bits");

    let many =
        Envelope { signatures: vec![Signature { key_id: String::new(), bytes: Vec::new() }; 256], ..signed("x", &[]) };
    assert!(matches!(refused(&many.to_json()), EnvelopeError::Bound { field: "signatures", length: 256, .. }));
    let large = Envelope::new(PAYLOAD_TYPE, &vec![b'x'; CHARTER_LENGTH_BYTES_MAX + 1]);
    assert!(matches!(refused(&large.to_json()), EnvelopeError::Bound { field: "payload", .. }));
    assert!(matches!(refused(&" ".repeat(ENVELOPE_LENGTH_BYTES_MAX + 1)), EnvelopeError::TooLong { .. }));
}

proptest! {
    #[test]
    fn no_text_panics(text in "[{}\\[\\]:,\"a-z ]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Envelope::parse(text.as_bytes());
        let _ = Envelope::parse(&bytes);
        let _ = verify(&ssh_key("alice"), &bytes, &bytes);
        let _ = verify(&ssh_key("alice"), &bytes, &[b"SSHSIG\0\0\0\x01".as_slice(), &bytes].concat());
    }

    #[test]
    fn the_parts_of_what_is_signed_cannot_be_moved(a in "[a-z 0-9]{0,12}", b in "[a-z 0-9]{0,12}", c in "[a-z 0-9]{0,12}", d in "[a-z 0-9]{0,12}") {
        prop_assert_eq!(pae(&a, b.as_bytes()) == pae(&c, d.as_bytes()), (a, b) == (c, d));
    }

    #[test]
    fn whoever_signs_is_found(seed in "[a-z]{1,8}", payload: Vec<u8>) {
        use ed25519_dalek::Signer;
        let bytes = signing_key(&seed).sign(&payload).to_bytes();
        prop_assert_eq!(verify(&ssh_key(&seed), &payload, &bytes), Ok(()));
        prop_assert_eq!(verify(&ssh_key("somebody else"), &payload, &bytes), Err(SignatureError::Mismatch));
    }
}
