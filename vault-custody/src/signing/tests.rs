use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::BASE64_MIME;
use ed25519_dalek::VerifyingKey;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::card::PersonName;
use crate::files;

const MESSAGE: &[u8] = b"the exact bytes\n\0\xff";

#[test]
fn an_identity_signs_the_bytes_themselves() {
    let identity = Identity::random(PersonName::parse("alice").unwrap(), &mut StdRng::seed_from_u64(1));
    let signer = IdentitySigner::new(&identity);
    let Signature::Raw(bytes) = signer.sign(MESSAGE).unwrap() else { panic!("not raw") };
    let key = VerifyingKey::from_bytes(signer.key().blob().last_chunk().unwrap()).unwrap();
    key.verify_strict(MESSAGE, &ed25519_dalek::Signature::from_bytes(&bytes)).unwrap();
    assert!(key.verify_strict(b"other", &ed25519_dalek::Signature::from_bytes(&bytes)).is_err());
}

fn keygen(arguments: &[&str], folder: &Path) {
    let done = Command::new("ssh-keygen").args(arguments).current_dir(folder).stdout(Stdio::null()).status().unwrap();
    assert!(done.success(), "{arguments:?}");
}

/// Asks ssh-keygen itself whether a blob is a signature of the message.
fn holds(blob: &[u8], key: &SshPublicKey, namespace: &str, folder: &Path) -> bool {
    let armoured = format!(
        "-----BEGIN SSH SIGNATURE-----\n{}-----END SSH SIGNATURE-----\n",
        BASE64_MIME.encode(blob).replace('\r', "")
    );
    std::fs::write(folder.join("signature"), armoured).unwrap();
    std::fs::write(folder.join("message"), MESSAGE).unwrap();
    std::fs::write(folder.join("allowed"), format!("alice {key}\n")).unwrap();
    let arguments = ["-Y", "verify", "-f", "allowed", "-I", "alice", "-n", namespace, "-s", "signature"];
    let message = std::fs::File::open(folder.join("message")).unwrap();
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).current_dir(folder).stdin(message).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

#[test]
fn ssh_keygen_signs_with_its_own_keys() {
    let folder = tempfile::tempdir().unwrap();
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "-key"], folder.path());
    let signer = SshKeygen::new(&folder.path().join("-key")).unwrap();
    let Signature::SshSig(blob) = signer.sign(MESSAGE).unwrap() else { panic!("not an SSH signature") };
    assert!(holds(&blob, signer.key(), NAMESPACE, folder.path()));
    assert!(!holds(&blob, signer.key(), "git", folder.path()));
}

#[test]
fn a_key_that_does_not_sign_is_named() {
    let folder = tempfile::tempdir().unwrap();
    keygen(&["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "old"], folder.path());
    let Err(SignError::Key { file, reason }) = SshKeygen::new(&folder.path().join("old")) else { panic!("taken") };
    assert!(file.ends_with("old.pub") && reason.contains("ssh-rsa"), "{file}: {reason}");
    assert!(matches!(SshKeygen::new(&folder.path().join("none")), Err(SignError::Key { .. })));
    // The private half is not there and no agent has it.
    let identity = Identity::random(PersonName::parse("alice").unwrap(), &mut StdRng::seed_from_u64(1));
    let public = folder.path().join("alone.pub");
    files::write_new(&public, identity.card().signing_key.to_string().as_bytes()).unwrap();
    assert!(matches!(SshKeygen::new(&public).unwrap().sign(MESSAGE), Err(SignError::Refused { .. })));
}
