//! `keyturn person` and `keyturn share` as people type them; neither speaks to a server.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use vault_core::id::{Epoch, VaultFingerprint};
use vault_core::sharing::{Share, Threshold, UnsealSecret, split};

/// A folder in which commands are typed.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("old", "correct horse battery\n");
        desk.write("new", "staple staple staple\n");
        desk.write("wrong", "incorrect horse battery\n");
        desk
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, line: &str, typed: &str) -> (Option<i32>, String, String) {
        let input = self.path(".typed");
        std::fs::write(&input, typed).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_keyturn"))
            .args(line.split(' '))
            .current_dir(self.0.path())
            .stdin(std::fs::File::open(input).unwrap())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn ok(&self, line: &str, typed: &str) -> String {
        let (code, out, error) = self.run(line, typed);
        assert_eq!(code, Some(0), "{line}: {error}");
        out
    }

    fn fails(&self, line: &str, typed: &str, expected: i32) -> String {
        let (code, out, error) = self.run(line, typed);
        assert_eq!((code, out.as_str()), (Some(expected), ""), "{line}: {error}");
        error
    }

    fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }
}

fn external(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{program}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_person_gets_keys_and_keeps_them_under_a_passphrase() {
    let desk = Desk::new();
    let card = desk.ok("person new alice --out id.json --passphrase-file old", "");
    assert!(card.starts_with("[[person]]\nname = \"alice\"\nsigning_key = \"ssh-ed25519 AAAA"), "{card}");
    assert!(card.contains("recipient = \"age1"), "{card}");
    assert_eq!(desk.mode("id.json"), 0o600);
    assert_eq!(desk.ok("person card id.json", ""), card);
    let json: serde_json::Value = serde_json::from_str(&desk.ok("--format json person card id.json", "")).unwrap();
    assert!(json["fingerprint"].as_str().unwrap().starts_with("SHA256:"), "{json}");

    let before = desk.read("id.json");
    assert!(desk.fails("person new bob --out id.json --passphrase-file old", "", 1).contains("not overwritten"));
    assert!(desk.fails("person passphrase id.json --passphrase-file wrong", "", 1).contains("passphrase is wrong"));
    assert_eq!(desk.read("id.json"), before);

    desk.ok("person passphrase id.json --passphrase-file old --new-passphrase-file new", "");
    assert_eq!((desk.mode("id.json"), desk.ok("person card id.json", "")), (0o600, card));
    desk.fails("person age-identity id.json --out age.key --passphrase-file old", "", 1);
    let said = desk.ok("person age-identity id.json --out age.key --passphrase-file new", "");
    assert!(said.contains("no passphrase"), "{said}");
    assert_eq!(desk.mode("age.key"), 0o600);
    desk.write("plain", "for alice");
    let recipient = json["recipient"].as_str().unwrap();
    external("age", &["-r", recipient, "-o", "sealed", "plain"], desk.0.path());
    assert_eq!(external("age", &["-d", "-i", "age.key", "sealed"], desk.0.path()), "for alice");
}

#[test]
fn names_and_passphrases_are_checked_before_anything_is_made() {
    let desk = Desk::new();
    assert!(desk.fails("person new Alice --out id.json --passphrase-file old", "", 2).contains("'A'"));
    assert!(desk.fails("person new alice --out id.json", "short\n", 2).contains("at least"));
    assert!(desk.fails("person new alice --out id.json", "", 2).contains("nothing was given"));
    assert!(!desk.path("id.json").exists());
    desk.write("no.json", "{\"header\":{}}");
    assert!(desk.fails("person card no.json", "", 1).contains("no.json"));
    desk.fails("person card", "", 2);
}

#[test]
fn keys_that_a_person_has_already_make_a_card() {
    let desk = Desk::new();
    external("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "a@b", "-f", "key"], desk.0.path());
    let card = desk.ok("person card --name alice --ssh-key key.pub", "");
    assert_eq!(card.matches("ssh-ed25519 AAAA").count(), 2, "{card}");
    assert!(!card.contains("a@b"), "{card}");
    let fingerprint = external("ssh-keygen", &["-l", "-f", "key.pub"], desk.0.path());
    let json: serde_json::Value =
        serde_json::from_str(&desk.ok("person card --name alice --ssh-key key.pub --format json", "")).unwrap();
    assert!(fingerprint.contains(json["fingerprint"].as_str().unwrap()), "{fingerprint} {json}");

    external("ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", "other"], desk.0.path());
    assert!(desk.fails("person card --name alice --ssh-key other.pub", "", 2).contains("ecdsa"));
    assert!(desk.fails("person card --name alice --ssh-key key", "", 2).contains("private key"));
    assert!(desk.fails("person card --name alice --ssh-key key.pub --recipient age1x", "", 2).contains("mistyped"));
}

fn share() -> Share {
    let rng = &mut rand::rng();
    let secret = UnsealSecret::random(rng);
    let (_, shares) =
        split(&secret, Threshold::new(2, 3).unwrap(), VaultFingerprint([0xab; 8]), Epoch(7), rng).unwrap();
    shares.into_iter().nth(1).unwrap()
}

#[test]
fn a_share_goes_to_paper_and_comes_back() {
    let desk = Desk::new();
    let text = format!("{}\n", share().to_text().expose());
    desk.write("share", &text);
    for page in ["page.svg", "page.pdf"] {
        let said = desk.ok(&format!("share print --share-file share --out {page}"), "");
        assert!(said.contains("Share 2 of vault abababababababab, epoch 7"), "{said}");
        assert_eq!(desk.mode(page), 0o600);
        assert!(desk.fails(&format!("share print --share-file share --out {page}"), "", 1).contains("not overwritten"));
    }
    external("pdftoppm", &["-r", "150", "-png", "-singlefile", "page.pdf", "page"], desk.0.path());
    let scanned = external("zbarimg", &["--quiet", "--raw", "page.png"], desk.0.path());
    desk.ok("share read --out scanned", &scanned);
    let words = desk.ok("share words --share-file share", "");
    desk.ok("share read --words --out typed", &words);
    desk.ok("share read --text --out again", &text.to_uppercase());
    for file in ["scanned", "typed", "again"] {
        assert!(desk.read(file) == text, "{file}");
        assert_eq!(desk.mode(file), 0o600);
    }
    assert!(desk.fails("share read --words --out typed", &words, 1).contains("not overwritten"));
    assert!(desk.fails("share print --share-file share --out page.png", "", 2).contains(".pdf"));
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_written() {
    let desk = Desk::new();
    desk.write("share", share().to_text().expose());
    let words = desk.ok("share words --share-file share", "");
    let mut lines: Vec<&str> = words.lines().collect();
    lines.swap(4, 5);
    assert!(desk.fails("share read --words --out typed", &lines.join("\n"), 1).contains("line 5"));
    let text = desk.read("share");
    let wrong = if text.ends_with('q') { "p" } else { "q" };
    let altered = format!("{}{wrong}", &text[..text.len() - 1]);
    assert!(desk.fails("share read --out typed", &altered, 1).contains("in group 28"));
    desk.fails("share read --words --out typed", "", 1);
    assert!(!desk.path("typed").exists());
}
