use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

const PLUGIN: &str = include_str!("test-plugin.py");
const PLAIN: &[u8] = b"through a plugin";
const WITHIN: &str = "KEYTURN_TEST_WITHIN_PLUGIN_PATH";

fn bech32_text(prefix: &str) -> String {
    bech32::encode::<Bech32>(Hrp::parse(prefix).unwrap(), b"x").unwrap()
}

/// A plugin is found in `PATH`, which is that of the whole process: so the test runs itself again with another one.
#[test]
fn a_plugin_seals_and_opens() {
    if std::env::var_os(WITHIN).is_some() {
        return seal_and_open();
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("age-plugin-keyturntest");
    std::fs::write(&program, PLUGIN).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "age_seal::plugin_tests::a_plugin_seals_and_opens", "--nocapture"])
        .env("PATH", path)
        .env(WITHIN, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

fn seal_and_open() {
    let recipient = Recipient::parse(&bech32_text("age1keyturntest")).unwrap();
    let sealed = seal(&recipient, PLAIN, Silent).unwrap();
    let identity = bech32_text("age-plugin-keyturntest-").to_uppercase();
    let keys = Keys::from_file(&SecretBytes::new(identity.into_bytes()), Silent).unwrap();
    assert_eq!(open(&keys, &sealed).unwrap().expose(), PLAIN);
}
