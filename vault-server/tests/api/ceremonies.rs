//! The custodians' ceremonies on an unsealed vault: new shares and root tokens.

use std::sync::Arc;

use data_encoding::BASE64_NOPAD;
use serde_json::{Value, json};

use crate::support::TestVault;

pub(crate) const REKEY: &str = "sys/rekey/init";
pub(crate) const ROOT: &str = "sys/generate-root/attempt";

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn keys(made: &Value) -> Vec<String> {
    made["keys"].as_array().unwrap().iter().map(text).collect()
}

fn error(refused: &Value) -> &str {
    refused["errors"][0].as_str().unwrap()
}

fn ask(shares: u8, threshold: u8, verify: bool) -> Option<Value> {
    Some(json!({"secret_shares": shares, "secret_threshold": threshold, "require_verification": verify}))
}

pub(crate) fn given(key: &str, nonce: &str) -> Option<Value> {
    Some(json!({"key": key, "nonce": nonce}))
}

/// Begins a rekey without a token and names it.
pub(crate) async fn begin(vault: &TestVault, path: &str) -> String {
    let body = if path == REKEY { ask(3, 2, false) } else { None };
    let begun = vault.expect_as("", 200, "PUT", path, body).await;
    assert_eq!(begun["started"], json!(true));
    text(&begun["nonce"])
}

/// Rekeys with the vault's shares and gives the answer.
pub(crate) async fn rekey(vault: &TestVault, shares: u8, threshold: u8, verify: bool) -> Value {
    let begun = vault.expect_as("", 200, "PUT", REKEY, ask(shares, threshold, verify)).await;
    let nonce = text(&begun["nonce"]);
    vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[2], &nonce)).await;
    vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[0], &nonce)).await
}

#[tokio::test]
async fn a_rekey_makes_new_shares_and_the_old_ones_open_nothing() {
    let mut vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let begun = vault.expect_as("", 200, "PUT", REKEY, ask(5, 3, false)).await;
    let nonce = text(&begun["nonce"]);
    let expected = json!({
        "nonce": nonce, "started": true, "t": 3, "n": 5, "progress": 0, "required": 2, "pgp_fingerprints": null,
        "backup": false, "verification_required": false,
    });
    assert_eq!(begun, expected);
    let first = vault.expect_as("", 200, "POST", "sys/rekey/update", given(&vault.keys[2], &nonce)).await;
    assert_eq!(first["progress"], json!(1));
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["progress"], json!(1));
    let other = begin(&vault, ROOT).await;
    let made = vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[0], &nonce)).await;
    assert_eq!((&made["complete"], &made["nonce"]), (&json!(true), &json!(nonce)));
    assert_eq!(keys(&made).len(), 5);
    assert_eq!(made["keys_base64"].as_array().unwrap().len(), 5);
    let ended = vault.expect_as("", 400, "PUT", "sys/generate-root/update", given(&vault.keys[0], &other)).await;
    assert!(error(&ended).contains("no attempt"), "other attempts end with it: {ended}");
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["started"], json!(false));
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}), "it keeps serving");
    let status = vault.expect(200, "GET", "sys/seal-status", None).await;
    assert_eq!((&status["t"], &status["n"]), (&json!(3), &json!(5)));

    let next = begin(&vault, ROOT).await;
    let stale = vault.expect_as("", 400, "PUT", "sys/generate-root/update", given(&vault.keys[1], &next)).await;
    assert!(error(&stale).contains("out of date"), "{stale}");
    vault.expect(204, "PUT", "sys/seal", None).await;
    for old in &vault.keys {
        let stale = vault.expect(400, "PUT", "sys/unseal", Some(json!({"key": old}))).await;
        assert!(error(&stale).contains("out of date"), "{stale}");
    }
    vault.keys = keys(&made);
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
}

#[tokio::test]
async fn new_shares_that_must_be_verified_count_only_once_they_came_back() {
    let mut vault = TestVault::ready().await;
    let made = rekey(&vault, 3, 2, true).await;
    let new = keys(&made);
    assert_eq!((&made["complete"], &made["verification_required"]), (&json!(true), &json!(true)));
    let nonce = text(&made["verification_nonce"]);
    let status = vault.expect_as("", 200, "GET", REKEY, None).await;
    assert_eq!((&status["started"], &status["verification_nonce"]), (&json!(true), &json!(nonce)));
    let path = "sys/rekey/verify";
    let status = vault.expect_as("", 200, "GET", path, None).await;
    assert_eq!(status, json!({"nonce": nonce, "started": true, "t": 2, "n": 3, "progress": 0}));

    let old = vault.expect_as("", 400, "PUT", path, given(&vault.keys[0], &nonce)).await;
    assert!(error(&old).contains("out of date"), "{old}");
    vault.expect_as("", 400, "PUT", path, given(&new[0], &text(&made["nonce"]))).await;
    assert_eq!(vault.expect_as("", 200, "PUT", path, given(&new[0], &nonce)).await["progress"], json!(1));
    let twice = vault.expect_as("", 400, "PUT", path, given(&new[0], &nonce)).await;
    assert!(error(&twice).contains("given already"), "{twice}");
    vault.expect_as("", 403, "DELETE", path, None).await;
    vault.expect_as("", 403, "DELETE", REKEY, None).await;
    let anew = vault.expect(200, "DELETE", path, None).await;
    assert_eq!(anew["progress"], json!(0));
    let nonce = text(&anew["nonce"]);
    assert_eq!(vault.expect_as("", 200, "PUT", path, given(&new[1], &nonce)).await["progress"], json!(1));

    // Sealing ends the verification: the old shares are still the ones that count.
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.unseal().await;
    vault.expect_as("", 400, "GET", path, None).await;

    let made = rekey(&vault, 3, 2, true).await;
    let (new, nonce) = (keys(&made), text(&made["verification_nonce"]));
    vault.expect_as("", 200, "PUT", path, given(&new[2], &nonce)).await;
    let done = vault.expect_as("", 200, "PUT", path, given(&new[1], &nonce)).await;
    assert_eq!(done, json!({"nonce": nonce, "complete": true}));
    vault.expect_as("", 400, "GET", path, None).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.expect(400, "PUT", "sys/unseal", Some(json!({"key": vault.keys[0]}))).await;
    vault.keys = new;
    vault.unseal().await;
}

#[tokio::test]
async fn a_verification_ends_with_its_time_and_by_an_operator() {
    let vault = TestVault::ready().await;
    let made = rekey(&vault, 3, 2, true).await;
    vault.clock.advance_seconds(601);
    let late = given(&keys(&made)[0], &text(&made["verification_nonce"]));
    vault.expect_as("", 400, "PUT", "sys/rekey/verify", late).await;
    rekey(&vault, 3, 2, true).await;
    vault.expect(204, "DELETE", REKEY, None).await;
    vault.expect_as("", 400, "GET", "sys/rekey/verify", None).await;
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["started"], json!(false));
    rekey(&vault, 2, 2, false).await;
}

#[tokio::test]
async fn a_quorum_makes_a_root_token_under_a_one_time_pad() {
    let vault = TestVault::ready().await;
    let status = vault.expect_as("", 200, "GET", ROOT, None).await;
    assert_eq!(
        (&status["started"], &status["otp_length"], &status["required"]),
        (&json!(false), &json!(36), &json!(2))
    );
    for own in [None, Some("0123456789abcdefghijklmnopqrstuvwxyz")] {
        let begun = vault.expect_as("", 200, "PUT", ROOT, own.map(|otp| json!({ "otp": otp }))).await;
        let (nonce, drawn) = (text(&begun["nonce"]), text(&begun["otp"]));
        assert_eq!(drawn.is_empty(), own.is_some(), "a pad is answered once, to whom it was drawn for");
        assert_eq!(vault.expect_as("", 200, "GET", ROOT, None).await["otp"], json!(""));
        let pad = own.map_or(drawn, str::to_owned);
        let first = vault.expect_as("", 200, "PUT", "sys/generate-root/update", given(&vault.keys[0], &nonce)).await;
        assert_eq!((&first["progress"], &first["complete"]), (&json!(1), &json!(false)));
        let made = vault.expect_as("", 200, "PUT", "sys/generate-root/update", given(&vault.keys[1], &nonce)).await;
        assert_eq!((&made["complete"], &made["encoded_token"]), (&json!(true), &made["encoded_root_token"]));
        let hidden = BASE64_NOPAD.decode(text(&made["encoded_token"]).as_bytes()).unwrap();
        let token: Vec<u8> = hidden.iter().zip(pad.bytes()).map(|(byte, pad)| byte ^ pad).collect();
        let token = String::from_utf8(token).unwrap();
        assert!(token.starts_with("kts.") && token != vault.root);
        let own = vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;
        assert_eq!(own["data"]["policies"], json!(["root"]));
        assert_eq!(vault.expect_as("", 200, "GET", ROOT, None).await["started"], json!(false));
    }
    for bad in [json!({"otp": "short"}), json!({"otp": "x".repeat(37)}), json!({"pgp_key": "a"})] {
        vault.expect_as("", 400, "PUT", ROOT, Some(bad)).await;
    }
}

#[tokio::test]
async fn strangers_neither_cancel_nor_occupy() {
    let vault = TestVault::ready().await;
    for (path, update) in [(REKEY, "sys/rekey/update"), (ROOT, "sys/generate-root/update")] {
        let body = |path: &str| if path == REKEY { ask(3, 2, false) } else { None };
        let operators = text(&vault.expect(200, "PUT", path, body(path)).await["nonce"]);
        let custodians = text(&vault.expect_from("192.0.2.1", 200, "PUT", path, body(path)).await["nonce"]);
        vault.expect_as("", 200, "PUT", update, given(&vault.keys[0], &custodians)).await;
        for host in 0..60 {
            let address = format!("198.51.100.{host}");
            vault.expect_from(&address, 200, "PUT", path, body(path)).await;
            vault.expect_from(&address, 403, "DELETE", path, None).await;
            for nonce in [&operators, &custodians] {
                vault.expect_from(&address, 403, "DELETE", &format!("{path}?nonce={nonce}"), None).await;
            }
        }
        // The operator's own address, without the token.
        vault.expect_from("127.0.0.1", 403, "DELETE", path, Some(json!({"nonce": operators}))).await;
        vault.expect_from("192.0.2.1", 403, "DELETE", path, Some(json!({"nonce": custodians}))).await;
        assert_eq!(vault.expect_as("", 200, "GET", path, None).await["nonce"], json!(operators));
        let named = vault.expect_as("", 200, "GET", &format!("{path}?nonce={custodians}"), None).await;
        assert_eq!(named["progress"], json!(1));
        vault.expect(204, "DELETE", path, None).await;
        let shown = vault.expect_as("", 200, "GET", path, None).await;
        assert_eq!(shown["nonce"], json!(custodians), "the one with most shares is shown next");
        vault.expect(204, "DELETE", path, Some(json!({"nonce": custodians}))).await;
        vault.expect_as("", 400, "PUT", update, given(&vault.keys[1], &custodians)).await;
    }
}

#[tokio::test]
async fn a_flood_from_one_network_displaces_itself() {
    let vault = TestVault::ready().await;
    let honest = text(&vault.expect_from("192.0.2.9", 200, "PUT", REKEY, ask(3, 2, false)).await["nonce"]);
    let mut nonces = Vec::new();
    for host in 1..100 {
        let begun = vault.expect_from(&format!("2001:db8::{host}"), 200, "PUT", REKEY, ask(3, 2, false)).await;
        nonces.push(text(&begun["nonce"]));
    }
    let (latest, displaced) = nonces.split_at(97);
    for gone in latest {
        let status = vault.expect_as("", 200, "GET", &format!("{REKEY}?nonce={gone}"), None).await;
        assert_eq!(status["started"], json!(false));
    }
    assert_eq!(displaced.len(), 2);
    vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[0], &honest)).await;
    let made = vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[1], &honest)).await;
    assert_eq!(made["complete"], json!(true));
}

#[tokio::test]
async fn a_full_list_makes_room_only_where_nobody_is_hurt() {
    let vault = TestVault::ready().await;
    for _ in 0..32 {
        vault.expect(200, "PUT", ROOT, None).await;
    }
    vault.expect_as("", 429, "PUT", ROOT, None).await;
    assert!(vault.audit().iter().any(|record| record["event"] == json!("begin-refused")));
    begin(&vault, REKEY).await;
    vault.expect(204, "DELETE", ROOT, None).await;
    begin(&vault, ROOT).await;
}

#[tokio::test]
async fn only_unlimited_tokens_with_sudo_make_privileged() {
    let vault = TestVault::ready().await;
    let path = format!("path \"{REKEY}\" {{ capabilities = [\"update\", \"delete\", \"read\"] }}");
    let plain = vault.token_with("plain", &path).await;
    let sudo = vault.token_with("sudo", &path.replace("[\"update\"", "[\"sudo\"")).await;
    let body = json!({"policies": ["sudo"], "num_uses": 5, "no_default_policy": true});
    let limited = vault.expect(200, "POST", "auth/token/create", Some(body)).await;
    let limited = text(&limited["auth"]["client_token"]);
    let begun = vault.expect_as(&sudo, 200, "PUT", REKEY, ask(3, 2, false)).await;
    for token in ["", "kts.unknown", &plain, &limited] {
        vault.expect_as(token, 403, "DELETE", REKEY, None).await;
    }
    vault.expect(204, "POST", "auth/token/revoke", Some(json!({"token": plain}))).await;
    vault.expect_as(&plain, 403, "DELETE", REKEY, None).await;
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["nonce"], begun["nonce"]);
    vault.expect_as(&sudo, 204, "DELETE", REKEY, None).await;
    vault.expect_as(&sudo, 204, "DELETE", REKEY, None).await;
    let own = text(&vault.expect_as(&plain, 200, "PUT", REKEY, ask(3, 2, false)).await["nonce"]);
    vault.expect_as("", 204, "DELETE", REKEY, Some(json!({"nonce": own}))).await;
}

#[tokio::test]
async fn wrong_nonces_and_bad_shares_are_refused_by_name() {
    let vault = TestVault::ready().await;
    for (path, update) in [(REKEY, "sys/rekey/update"), (ROOT, "sys/generate-root/update")] {
        let nonce = begin(&vault, path).await;
        let other = nonce.replace(|c: char| c.is_ascii_hexdigit() && c != '4', "1");
        for wrong in [other.as_str(), "x"] {
            let refused = vault.expect_as("", 400, "PUT", update, given(&vault.keys[0], wrong)).await;
            assert!(error(&refused).contains("no attempt with this nonce"), "{refused}");
        }
        for incomplete in [json!({"key": vault.keys[0]}), json!({ "nonce": nonce }), json!({})] {
            vault.expect_as("", 400, "PUT", update, Some(incomplete)).await;
        }
        let mistyped = vault.expect_as("", 400, "PUT", update, given("keyturn-share-1-abc", &nonce)).await;
        assert!(error(&mistyped).contains("mistyped"), "{mistyped}");
        vault.expect_as("", 200, "PUT", update, given(&vault.keys[0], &nonce)).await;
        let twice = vault.expect_as("", 400, "PUT", update, given(&vault.keys[0], &nonce)).await;
        assert!(error(&twice).contains("share 1 was given already"), "{twice}");
        let mut altered = vault.keys[1].clone().into_bytes();
        altered[40] = if altered[40] == b'0' { b'1' } else { b'0' };
        let altered = String::from_utf8(altered).unwrap();
        vault.expect_as("", 400, "PUT", update, given(&altered, &nonce)).await;
        let status = vault.expect_as("", 200, "GET", &format!("{path}?nonce={nonce}"), None).await;
        assert_eq!(status["progress"], json!(1), "what is refused does not count");
    }
}

#[tokio::test]
async fn an_attempt_ends_with_its_time() {
    let vault = TestVault::ready().await;
    let nonce = begin(&vault, REKEY).await;
    vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[0], &nonce)).await;
    vault.clock.advance_seconds(599);
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["progress"], json!(1));
    vault.clock.advance_seconds(1);
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["started"], json!(false));
    vault.expect_as("", 400, "PUT", "sys/rekey/update", given(&vault.keys[1], &nonce)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_shares_given_at_once_each_counts_once() {
    let vault = Arc::new(TestVault::ready().await);
    let nonce = begin(&vault, ROOT).await;
    let same = (0..8).map(|_| {
        let (vault, nonce) = (Arc::clone(&vault), nonce.clone());
        tokio::spawn(async move {
            let body = given(&vault.keys[0], &nonce).unwrap().to_string();
            vault.call("PUT", "sys/generate-root/update", "", Some(&body)).await.0.as_u16()
        })
    });
    let mut codes = Vec::new();
    for call in same.collect::<Vec<_>>() {
        codes.push(call.await.unwrap());
    }
    codes.sort_unstable();
    assert_eq!(codes, [200, 400, 400, 400, 400, 400, 400, 400]);
    let last = [1, 2].map(|position| {
        let (vault, nonce) = (Arc::clone(&vault), nonce.clone());
        tokio::spawn(async move {
            let body = given(&vault.keys[position], &nonce).unwrap().to_string();
            vault.call("PUT", "sys/generate-root/update", "", Some(&body)).await.0.as_u16()
        })
    });
    let mut codes = Vec::new();
    for call in last {
        codes.push(call.await.unwrap());
    }
    codes.sort_unstable();
    assert_eq!(codes, [200, 400], "a quorum makes one token");
}

#[tokio::test]
async fn a_closed_vault_has_no_ceremonies() {
    let mut vault = TestVault::blank().await;
    let calls = [
        ("GET", REKEY),
        ("PUT", REKEY),
        ("DELETE", REKEY),
        ("PUT", "sys/rekey/update"),
        ("GET", "sys/rekey/verify"),
        ("PUT", "sys/rekey/verify"),
        ("GET", "sys/rekey/backup"),
        ("GET", ROOT),
        ("PUT", ROOT),
        ("DELETE", ROOT),
        ("PUT", "sys/generate-root/update"),
    ];
    let body = json!({"secret_shares": 3, "secret_threshold": 2, "key": "x", "nonce": ""});
    let body_with_nonce =
        json!({"key": "x", "nonce": "d7bd7fd2-77a5-4a3d-8a2a-5d1a4d1b3c55", "secret_shares": 3, "secret_threshold": 2});
    for (method, path) in calls {
        let body = if path.ends_with("update") || path.ends_with("verify") { &body_with_nonce } else { &body };
        let refused = vault.expect_as("", 400, method, path, Some(body.clone())).await;
        assert!(error(&refused).contains("not yet initialized"), "{method} {path}: {refused}");
    }
    vault.initialise(3, 2).await;
    for (method, path) in calls {
        let body = if path.ends_with("update") || path.ends_with("verify") { &body_with_nonce } else { &body };
        let refused = vault.expect(503, method, path, Some(body.clone())).await;
        assert_eq!(error(&refused), "Vault is sealed", "{method} {path}");
    }
    vault.unseal().await;
    let nonce = begin(&vault, ROOT).await;
    vault.expect_as("", 200, "PUT", "sys/generate-root/update", given(&vault.keys[0], &nonce)).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.unseal().await;
    vault.expect_as("", 400, "PUT", "sys/generate-root/update", given(&vault.keys[1], &nonce)).await;
}

#[tokio::test]
async fn what_is_not_supported_is_refused() {
    let vault = TestVault::ready().await;
    let bad = [
        json!({}),
        json!({"secret_shares": 3, "secret_threshold": 4}),
        json!({"secret_shares": 3, "secret_threshold": 1}),
        json!({"secret_shares": 0, "secret_threshold": 0}),
        json!({"secret_shares": 3, "secret_threshold": 2, "stored_shares": 1}),
        json!({"secret_shares": 3, "secret_threshold": 2, "backup": true}),
        json!({"secret_shares": 3, "secret_threshold": 2, "pgp_keys": ["a", "b", "c"]}),
    ];
    for body in bad {
        vault.expect(400, "PUT", REKEY, Some(body)).await;
    }
    vault.expect(404, "GET", "sys/rekey/backup", None).await;
    vault.expect(204, "DELETE", "sys/rekey/backup", None).await;
    for path in ["sys/rekey/recovery-key-backup", "sys/rekey-recovery-key/init", "sys/rekey-recovery-key/update"] {
        let refused = vault.expect(400, "GET", path, None).await;
        assert!(error(&refused).contains("no recovery keys"), "{refused}");
    }
    for (method, path) in [("GET", "sys/rekey/update"), ("DELETE", "sys/generate-root/update"), ("PATCH", REKEY)] {
        vault.expect(405, method, path, None).await;
    }
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["started"], json!(false));
}

#[tokio::test]
async fn every_step_is_on_record_without_a_byte_of_a_share() {
    let vault = TestVault::ready().await;
    let nonce = begin(&vault, REKEY).await;
    vault.expect_as("", 400, "PUT", "sys/rekey/update", given("junk", &nonce)).await;
    vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[0], &nonce)).await;
    vault.expect_from("192.0.2.1", 403, "DELETE", REKEY, None).await;
    let made = vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[1], &nonce)).await;
    vault.expect(200, "PUT", ROOT, None).await;
    vault.expect(204, "DELETE", ROOT, None).await;
    let records = vault.audit();
    let steps: Vec<_> = records
        .iter()
        .filter(|record| record["kind"] == json!("ceremony"))
        .map(|record| (text(&record["ceremony"]), text(&record["event"])))
        .collect();
    let expected = [
        ("rekey", "begin"),
        ("rekey", "share-refused"),
        ("rekey", "share-taken"),
        ("rekey", "cancel-refused"),
        ("rekey", "share-taken"),
        ("rekey", "complete"),
        ("generate-root", "begin"),
        ("generate-root", "cancel"),
    ];
    assert_eq!(steps, expected.map(|(ceremony, event)| (ceremony.to_owned(), event.to_owned())));
    let cancel = records.iter().rfind(|record| record["event"] == json!("cancel")).unwrap();
    assert!(text(&cancel["who"]["accessor"]).starts_with("hmac-sha256:"));
    let log = std::fs::read_to_string(&vault.audit_path).unwrap();
    for key in vault.keys.iter().chain(&keys(&made)) {
        assert!(!log.contains(&key[28..60]), "a share is in the log");
    }
}
