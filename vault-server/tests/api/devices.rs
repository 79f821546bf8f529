//! Audit devices: they copy the log, where the server allows it, and never hold it up.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::TestVault;

fn folder(vault: &TestVault) -> &Path {
    vault.audit_path.parent().unwrap()
}

/// Reads a file until `part` is in it; devices follow on a thread of their own.
fn read_until(path: &Path, part: &str) -> String {
    for _ in 0..2_000 {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.contains(part) {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("{part} never came to {}", path.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_copies_the_log_line_by_line_until_it_is_disabled() {
    let vault = TestVault::ready().await;
    let body = json!({"type": "file", "description": "copy", "options": {"file_path": "copy.log"}});
    vault.expect(204, "POST", "sys/audit/copy", Some(body.clone())).await;
    let listed = vault.expect(200, "GET", "sys/audit", None).await;
    assert_eq!(listed["data"]["copy/"]["options"]["file_path"], json!("copy.log"));
    vault.expect(400, "POST", "sys/audit/copy", Some(body)).await;
    vault.expect(404, "GET", "kv/marker-one", None).await;
    let path = folder(&vault).join("copy.log");
    let copied = read_until(&path, "kv/marker-one");
    let log = std::fs::read_to_string(&vault.audit_path).unwrap();
    for line in copied.lines() {
        assert!(log.contains(line), "{line}");
    }
    vault.expect(204, "DELETE", "sys/audit/copy", None).await;
    vault.expect(404, "GET", "kv/marker-two", None).await;
    assert!(!std::fs::read_to_string(&path).unwrap().contains("kv/marker-two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_cannot_make_the_server_write_elsewhere() {
    let vault = TestVault::ready().await;
    for options in [
        json!({"file_path": "/etc/cron.d/x"}),
        json!({"file_path": "../x"}),
        json!({"file_path": "a/b"}),
        json!({"file_path": ""}),
        json!({"file_path": "x", "mode": "0666"}),
        json!({"file_path": "x", "log_raw": true}),
        json!({"file_path": "x", "hmac_accessor": "false"}),
        json!({"file_path": "x", "unknown": "1"}),
    ] {
        vault.expect(400, "POST", "sys/audit/bad", Some(json!({"type": "file", "options": options}))).await;
    }
    for (kind, options) in [
        ("socket", json!({"address": "127.0.0.1:1"})),
        ("socket", json!({"address": "/run/other.sock", "socket_type": "unix"})),
        ("socket", json!({})),
        ("http", json!({})),
        ("syslog", json!({"address": "127.0.0.1:1"})),
        ("webhook", json!({"url": "http://127.0.0.1:1/"})),
        ("webhook", json!({"url": "file:///etc/passwd"})),
    ] {
        vault.expect(400, "POST", "sys/audit/bad", Some(json!({"type": kind, "options": options}))).await;
    }
    assert_eq!(vault.expect(200, "GET", "sys/audit", None).await["data"], json!({}));
    let weak =
        vault.token_with("weak", "path \"sys/audit*\" { capabilities = [\"read\", \"update\", \"delete\"] }").await;
    vault.expect_as(&weak, 403, "GET", "sys/audit", None).await;
    vault
        .expect_as(&weak, 403, "POST", "sys/audit/x", Some(json!({"type": "file", "options": {"file_path": "x"}})))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_goes_away_holds_nothing_up() {
    let vault = TestVault::ready().await;
    let address = folder(&vault).join("device.sock");
    let listener = UnixListener::bind(&address).unwrap();
    let options = json!({"socket_type": "unix", "address": address.to_str().unwrap(), "prefix": "kt "});
    vault.expect(204, "POST", "sys/audit/sock", Some(json!({"type": "socket", "options": options}))).await;
    // The first connection only tried whether the device can be opened.
    drop(listener.accept().unwrap());
    vault.expect(404, "GET", "kv/marker-one", None).await;
    let mut lines = BufReader::new(listener.accept().unwrap().0);
    let mut text = String::new();
    while !text.contains("kv/marker-one") {
        text.clear();
        assert!(lines.read_line(&mut text).unwrap() > 0);
        assert!(text.starts_with("kt {"), "{text}");
    }
    drop(lines);
    drop(listener);
    for _ in 0..20 {
        vault.expect(404, "GET", "kv/marker-two", None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hash_of_a_value_is_the_one_in_the_log() {
    let vault = TestVault::ready().await;
    let body = json!({"type": "file", "options": {"file_path": "copy.log"}});
    vault.expect(204, "POST", "sys/audit/copy", Some(body)).await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"password": "needle"}))).await;
    let told = vault.expect(200, "POST", "sys/audit-hash/copy", Some(json!({"input": "needle"}))).await;
    let hash = told["data"]["hash"].as_str().unwrap().to_owned();
    let found = vault.audit().into_iter().any(|record: Value| record["body"]["password"] == json!(hash));
    assert!(found, "{hash}");
    vault.expect(400, "POST", "sys/audit-hash/other", Some(json!({"input": "needle"}))).await;
    vault.expect(400, "POST", "sys/audit-hash/copy", None).await;
}
