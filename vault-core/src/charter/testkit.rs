//! People with keys that tests know, and charters of them.

use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use bech32::{Bech32, Hrp};
use ed25519_dalek::{Signer, SigningKey};

use super::{Charter, Digest, PAYLOAD_TYPE};
use crate::envelope::{Envelope, Signature};
use crate::ssh_key::SshPublicKey;

/// Gives the signing key of a person, which follows from the name.
pub(crate) fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(Digest::of(name.as_bytes()).as_bytes())
}

/// Gives the public half as OpenSSH writes it.
pub(crate) fn ssh_key(name: &str) -> SshPublicKey {
    SshPublicKey::from_ed25519(&signing_key(name).verifying_key())
}

/// Gives an age recipient, which follows from the name.
pub(crate) fn recipient(name: &str) -> String {
    let prefix = Hrp::parse("age").unwrap();
    let key = Digest::of(format!("recipient {name}").as_bytes());
    key.as_bytes().iter().copied().bytes_to_fes().with_checksum::<Bech32>(&prefix).chars().collect()
}

/// Writes the card of a person.
pub(crate) fn card(name: &str) -> String {
    format!("[[person]]\nname = \"{name}\"\nsigning_key = \"{}\"\nrecipient = \"{}\"\n", ssh_key(name), recipient(name))
}

/// The rest of a charter in which security has three people and operations two.
pub(crate) const RULES: &str = r#"
[team]
security = ["alice", "bob", "carol"]
operations = ["dan", "erin"]

[quorum]
unseal = "2 of security and 1 of operations"
change = "1 of security and 1 of operations"
charter = "2 of security and 1 of operations"
"#;

/// Writes a charter of five people, or of others.
pub(crate) fn text(previous: Option<&Charter>, people: &[&str], rules: &str) -> String {
    let head = match previous {
        None => "format = 1\nepoch = 1\n".to_owned(),
        Some(old) => format!("format = 1\nepoch = {}\nprevious = \"{}\"\n", old.epoch() + 1, old.digest()),
    };
    let cards: String = people.iter().map(|name| card(name)).collect();
    head + &cards + rules
}

/// The people of [`RULES`].
pub(crate) const FIVE: [&str; 5] = ["alice", "bob", "carol", "dan", "erin"];

/// Gives the charter of five people.
pub(crate) fn first() -> Charter {
    Charter::parse(text(None, &FIVE, RULES).as_bytes()).unwrap()
}

/// Signs an envelope raw.
pub(crate) fn sign(envelope: &mut Envelope, name: &str) {
    let bytes = signing_key(name).sign(&envelope.signed_bytes()).to_bytes().to_vec();
    envelope.add(Signature { key_id: ssh_key(name).fingerprint(), bytes });
}

/// Puts a charter into an envelope that these people sign.
pub(crate) fn signed(text: &str, signers: &[&str]) -> Envelope {
    let mut envelope = Envelope::new(PAYLOAD_TYPE, text.as_bytes());
    signers.iter().for_each(|name| sign(&mut envelope, name));
    envelope
}
