use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::card::PersonName;

const PLAIN: &[u8] = b"a share, for example\0\xff";

fn person(seed: u64) -> Identity {
    Identity::random(PersonName::parse("alice").unwrap(), &mut StdRng::seed_from_u64(seed))
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).current_dir(folder).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    output.stdout
}

fn from_file(path: &Path) -> Keys {
    Keys::from_file(&SecretBytes::new(std::fs::read(path).unwrap()), Silent).unwrap_or_else(|error| panic!("{error}"))
}

fn ssh_key(folder: &Path, arguments: &[&str]) -> Recipient {
    let mut all = vec!["-q", "-t", "ed25519", "-C", "alice@laptop", "-f", "key"];
    all.extend(arguments);
    run("ssh-keygen", &all, folder);
    Recipient::parse(&std::fs::read_to_string(folder.join("key.pub")).unwrap()).unwrap()
}

fn sealed_to(seed: u64) -> Vec<u8> {
    seal(&person(seed).card().recipient, PLAIN, Silent).unwrap()
}

#[test]
fn only_whom_it_is_sealed_to_opens_it() {
    let sealed = sealed_to(1);
    assert_eq!(open(&Keys::of_identity(&person(1)), &sealed).unwrap().expose(), PLAIN);
    assert!(matches!(open(&Keys::of_identity(&person(2)), &sealed), Err(OpenError::OfAnother)));
}

#[test]
fn the_age_command_opens_what_is_sealed_here_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("identity"), age_identity_text(&person(1)).expose()).unwrap();
    std::fs::write(folder.path().join("sealed"), sealed_to(1)).unwrap();
    assert_eq!(run("age", &["-d", "-i", "identity", "sealed"], folder.path()), PLAIN);

    std::fs::write(folder.path().join("plain"), PLAIN).unwrap();
    let recipient = person(1).card().recipient.to_string();
    let sealed = run("age", &["-r", &recipient, "plain"], folder.path());
    assert_eq!(open(&Keys::of_identity(&person(1)), &sealed).unwrap().expose(), PLAIN);
    assert_eq!(open(&from_file(&folder.path().join("identity")), &sealed).unwrap().expose(), PLAIN);

    let armoured = run("age", &["-a", "-r", &recipient, "plain"], folder.path());
    assert!(matches!(open(&Keys::of_identity(&person(1)), &armoured), Err(OpenError::Armoured)));
}

#[test]
fn identities_made_by_age_keygen_open_too() {
    let folder = tempfile::tempdir().unwrap();
    run("age-keygen", &["-o", "identity"], folder.path());
    let recipient = String::from_utf8(run("age-keygen", &["-y", "identity"], folder.path())).unwrap();
    let sealed = seal(&Recipient::parse(&recipient).unwrap(), PLAIN, Silent).unwrap();
    assert_eq!(open(&from_file(&folder.path().join("identity")), &sealed).unwrap().expose(), PLAIN);
}

#[test]
fn ssh_keys_open_with_and_without_a_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let recipient = ssh_key(folder.path(), &["-N", ""]);
    assert!(!recipient.to_string().contains("alice@laptop"));
    let sealed = seal(&recipient, PLAIN, Silent).unwrap();
    assert_eq!(open(&from_file(&folder.path().join("key")), &sealed).unwrap().expose(), PLAIN);
    std::fs::write(folder.path().join("sealed"), &sealed).unwrap();
    assert_eq!(run("age", &["-d", "-i", "key", "sealed"], folder.path()), PLAIN);

    let folder = tempfile::tempdir().unwrap();
    let recipient = ssh_key(folder.path(), &["-N", "horse"]);
    let sealed = seal(&recipient, PLAIN, Silent).unwrap();
    let content = SecretBytes::new(std::fs::read(folder.path().join("key")).unwrap());
    let open_with = |passphrase: &'static str| open(&Keys::from_file(&content, Says(passphrase)).unwrap(), &sealed);
    assert_eq!(open_with("horse").unwrap().expose(), PLAIN);
    assert!(matches!(open_with("house"), Err(OpenError::Passphrase)));
    assert!(matches!(open(&Keys::from_file(&content, Silent).unwrap(), &sealed), Err(OpenError::OfAnother)));
}

struct Says(&'static str);

impl Prompts for Says {
    fn show(&self, _: &str) {}

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn ask(&self, _: &str) -> Option<String> {
        None
    }

    fn ask_secret(&self, _: &str) -> Option<SecretText> {
        Some(SecretText::new(self.0.to_owned()))
    }
}

#[test]
fn rsa_keys_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    run("ssh-keygen", &["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "open"], folder.path());
    run("ssh-keygen", &["-q", "-t", "rsa", "-b", "2048", "-N", "horse", "-f", "locked"], folder.path());
    run("ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", "ecdsa"], folder.path());
    for name in ["open", "locked", "ecdsa"] {
        let content = SecretBytes::new(std::fs::read(folder.path().join(name)).unwrap());
        assert!(matches!(Keys::from_file(&content, Silent), Err(KeysError::Ssh { .. })), "{name}");
        let line = std::fs::read_to_string(folder.path().join(format!("{name}.pub"))).unwrap();
        assert!(matches!(Recipient::parse(&line), Err(RecipientError::SshKind { .. })), "{name}");
    }
    let from = |content: &[u8]| Keys::from_file(&SecretBytes::new(content.to_vec()), Silent);
    assert!(matches!(from(b"# nothing\n"), Err(KeysError::Empty)));
    assert!(matches!(from(b"AGE-SECRET-KEY-1OOPS\n"), Err(KeysError::Unknown { .. })));
    assert!(matches!(from(&vec![b'#'; 100_000]), Err(KeysError::TooLong)));
}

#[test]
fn cut_off_altered_and_foreign_files_are_told_apart() {
    let keys = Keys::of_identity(&person(1));
    let sealed = sealed_to(1);
    let header = sealed.windows(4).position(|window| window == b"\n---").unwrap();
    let body = sealed.len() - PLAIN.len() - 16;
    for length in 0..sealed.len() {
        let error = open(&keys, &sealed[..length]).err().unwrap();
        match length {
            0 => assert!(matches!(error, OpenError::NotAge), "{length}: {error}"),
            _ if length < body => assert!(matches!(error, OpenError::CutOff { .. }), "{length}: {error}"),
            // What is left of the last chunk no longer carries its tag.
            _ => assert!(matches!(error, OpenError::CutOff { .. } | OpenError::Content), "{length}: {error}"),
        }
    }
    let flipped = |position: usize| {
        let mut altered = sealed.clone();
        altered[position] ^= 1;
        open(&keys, &altered).err().unwrap()
    };
    assert!(matches!(flipped(header + 6), OpenError::Header), "the checksum of the header");
    assert!(matches!(flipped(body), OpenError::Content));
    assert!(matches!(flipped(sealed.len() - 1), OpenError::Content));
    assert!(matches!(flipped(0), OpenError::NotAge));
    assert!(matches!(open(&keys, b"%PDF-1.7"), Err(OpenError::NotAge)));
}

#[test]
fn too_much_is_refused() {
    let too_long = vec![0; PLAIN_BYTES_MAX + 1];
    let recipient = person(1).card().recipient;
    assert!(matches!(seal(&recipient, &too_long, Silent), Err(SealError::TooLong { .. })));
    let age = match &recipient.kind {
        Kind::X25519(recipient) => age::encrypt(recipient, &too_long).unwrap(),
        _ => unreachable!(),
    };
    assert!(matches!(open(&Keys::of_identity(&person(1)), &age), Err(OpenError::TooLong)));
}

#[test]
fn texts_that_are_no_recipients_are_told_why() {
    let good = person(1).card().recipient.to_string();
    let mistyped = if good.ends_with('q') { format!("{}p", &good[..61]) } else { format!("{}q", &good[..61]) };
    assert!(matches!(Recipient::parse(&mistyped), Err(RecipientError::Mistyped { .. })));
    assert!(matches!(Recipient::parse(&good[..40]), Err(RecipientError::Mistyped { .. })));
    assert!(matches!(Recipient::parse(age_identity_text(&person(1)).expose()), Err(RecipientError::Secret)));
    assert!(matches!(Recipient::parse("alice"), Err(RecipientError::Unknown)));
    assert!(matches!(Recipient::parse(""), Err(RecipientError::Unknown)));
    assert!(matches!(Recipient::parse("ssh-ed25519 AAAA"), Err(RecipientError::Mistyped { .. })));
    assert!(matches!(Recipient::parse(&"a".repeat(9000)), Err(RecipientError::TooLong { .. })));
}

#[test]
fn a_plugin_that_is_missing_is_named() {
    let prefix = Hrp::parse("age1keyturnabsent").unwrap();
    let text = bech32::encode::<Bech32>(prefix, b"x").unwrap();
    let Err(SealError::Plugin { reason, .. }) = seal(&Recipient::parse(&text).unwrap(), PLAIN, Silent) else {
        panic!("sealed");
    };
    assert!(reason.contains("age-plugin-keyturnabsent"), "{reason}");
}

proptest! {
    #[test]
    fn no_text_and_no_file_panics(text in "(age1|AGE-|ssh-ed25519 )?.{0,60}", tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Recipient::parse(&text);
        let keys = Keys::of_identity(&person(1));
        prop_assert!(open(&keys, &tail).is_err());
        prop_assert!(open(&keys, &[b"age-encryption.org/v1\n-> X25519 ", tail.as_slice()].concat()).is_err());
        let _ = Keys::from_file(&SecretBytes::new(tail), Silent);
        let _ = Keys::from_file(&SecretBytes::new(format!("-----BEGIN {text}").into_bytes()), Silent);
    }
}
