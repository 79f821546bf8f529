//! Snapshots over the HTTP application: what was saved comes back, whatever was altered does not, and nobody without
//! sudo makes the server read a byte.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use vault_server::storage::faults::{Faults, FaultyStorage};
use vault_server::storage::memory::MemoryStorage;

use crate::support::TestVault;

const SNAPSHOT: &str = "sys/storage/raft/snapshot";
const FORCED: &str = "sys/storage/raft/snapshot-force";

async fn save(vault: &TestVault) -> Vec<u8> {
    let mut request =
        Request::get(format!("/v1/{SNAPSHOT}")).header("x-vault-token", &vault.root).body(Body::empty()).unwrap();
    let remote: std::net::SocketAddr = "127.0.0.1:50000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(remote));
    let response = vault.app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

async fn restore(vault: &TestVault, path: &str, archive: impl Into<Body>) -> (u16, Value) {
    let request = Request::post(format!("/v1/{path}")).header("x-vault-token", &vault.root);
    let (status, value) = vault.send(request.body(archive.into()).unwrap()).await;
    (status.as_u16(), value)
}

async fn is_sealed(vault: &TestVault) -> bool {
    vault.expect(200, "GET", "sys/seal-status", None).await["sealed"] == json!(true)
}

type Member = (String, Vec<u8>);

fn members(archive: &[u8]) -> Vec<Member> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().display().to_string(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

fn packed(members: &[Member]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[tokio::test]
async fn what_was_saved_comes_back_and_what_came_later_is_gone() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/old", Some(json!({"x": "1"}))).await;
    let archive = save(&vault).await;
    let names: Vec<String> = members(&archive).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["meta.json", "state.bin", "SHA256SUMS", "SHA256SUMS.sealed"]);
    vault.expect(204, "PUT", "kv/old", Some(json!({"x": "2"}))).await;
    vault.expect(204, "PUT", "kv/new", Some(json!({"x": "2"}))).await;
    let later = vault.token_with("later", "path \"kv/*\" { capabilities = [\"read\"] }").await;
    let (status, value) = restore(&vault, SNAPSHOT, archive).await;
    assert_eq!((status, &value), (204, &Value::Null));
    assert!(is_sealed(&vault).await);
    vault.expect(503, "GET", "kv/old", None).await;
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "kv/old", None).await["data"], json!({"x": "1"}));
    vault.expect(404, "GET", "kv/new", None).await;
    vault.expect_as(&later, 403, "GET", "kv/old", None).await;
    vault.expect(404, "GET", "sys/policies/acl/later", None).await;
    vault.expect(204, "PUT", "kv/new", Some(json!({"x": "3"}))).await;
    let events: Vec<Value> = vault.audit().into_iter().filter(|line| line["kind"] == "snapshot").collect();
    let words: Vec<&str> = events.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(words, ["saved", "restoring", "restored"]);
    assert_eq!(events[0]["sha256"], events[1]["sha256"]);
}

#[tokio::test]
async fn altered_archives_are_refused_and_change_nothing() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let archive = save(&vault).await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
    let whole = members(&archive);
    let changed = |position: usize, change: &dyn Fn(&mut Member)| {
        let mut members = whole.clone();
        change(&mut members[position]);
        packed(&members)
    };
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for (position, (name, content)) in whole.iter().enumerate() {
        for at in [0, content.len() / 2, content.len() - 2] {
            cases.push((format!("{name} byte {at}"), changed(position, &|(_, content)| content[at] ^= 1)));
        }
        cases.push((format!("{name} cut"), changed(position, &|(_, content)| content.truncate(content.len() - 1))));
        cases.push((format!("{name} longer"), changed(position, &|(_, content)| content.push(b'0'))));
        cases.push((format!("{name} renamed"), changed(position, &|(name, _)| name.push('x'))));
        let without: Vec<Member> = whole.iter().filter(|(other, _)| other != name).cloned().collect();
        cases.push((format!("{name} left out"), packed(&without)));
    }
    let mut reordered = whole.clone();
    reordered.swap(0, 1);
    cases.push(("reordered".to_owned(), packed(&reordered)));
    let more: Vec<Member> = whole.iter().cloned().chain([whole[0].clone()]).collect();
    cases.push(("one more member".to_owned(), packed(&more)));
    for length in [0, 1, 20, archive.len() / 2, archive.len() - 1] {
        cases.push((format!("cut to {length}"), archive[..length].to_vec()));
    }
    cases.push(("bytes after the end".to_owned(), [archive.as_slice(), b"x"].concat()));
    let (seal, forced) =
        (whole.len() - 1, ["SHA256SUMS.sealed byte", "SHA256SUMS.sealed cut", "SHA256SUMS.sealed longer"]);
    cases.push(("empty seal".to_owned(), changed(seal, &|(_, content)| content.clear())));
    for (case, bytes) in cases {
        let (status, value) = restore(&vault, SNAPSHOT, bytes.clone()).await;
        assert_eq!(status, 400, "{case}: {value}");
        assert!(!is_sealed(&vault).await, "{case}");
        assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "2"}), "{case}");
        // Only the seal is left out of a forced restore.
        if case != "empty seal" && !forced.iter().any(|start| case.starts_with(start)) {
            assert_eq!(restore(&vault, FORCED, bytes).await.0, 400, "forced: {case}");
        }
    }
    assert_eq!(restore(&vault, SNAPSHOT, archive).await.0, 204, "the archive itself is good");
}

/// A member that promises, or holds, far more than it may must not be unpacked into memory or onto the disk.
#[tokio::test]
async fn members_beyond_their_bounds_are_refused() {
    let vault = TestVault::ready().await;
    let whole = members(&save(&vault).await);
    for position in [0, 2, 3] {
        let mut bomb = whole.clone();
        bomb[position].1 = vec![b' '; 20 << 20];
        let archive = packed(&bomb);
        assert!(archive.len() < 200_000);
        assert_eq!(restore(&vault, SNAPSHOT, archive).await.0, 413, "{}", whole[position].0);
    }
    let mut header = tar::Header::new_ustar();
    header.set_path("state.bin").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    let meta = packed(&whole[..1]);
    let mut plain = Vec::new();
    GzDecoder::new(meta.as_slice()).read_to_end(&mut plain).unwrap();
    out.write_all(&plain[..plain.len() - 1024]).unwrap();
    out.write_all(header.as_bytes()).unwrap();
    assert_eq!(restore(&vault, SNAPSHOT, out.finish().unwrap()).await.0, 413);
    assert!(!is_sealed(&vault).await);
}

#[tokio::test]
async fn a_snapshot_of_another_vault_needs_force_and_brings_its_keys_along() {
    let mut other = TestVault::blank().await;
    other.initialise(1, 1).await;
    other.unseal().await;
    other.expect(204, "POST", "sys/mounts/kv", Some(json!({"type": "kv"}))).await;
    other.expect(204, "PUT", "kv/a", Some(json!({"from": "other"}))).await;
    let archive = save(&other).await;
    // The generator of a test vault is seeded: something is drawn first, so that this one has other keys.
    let mut vault = TestVault::blank().await;
    vault.expect(200, "GET", "sys/health?uninitcode=200", None).await;
    vault = vault.furnished().await;
    let (status, value) = restore(&vault, SNAPSHOT, archive.clone()).await;
    assert_eq!(status, 400);
    assert!(value["errors"][0].as_str().unwrap().contains("forced restore"), "{value}");
    assert!(!is_sealed(&vault).await);
    assert_eq!(restore(&vault, FORCED, archive).await.0, 204);
    vault.keys.clone_from(&other.keys);
    vault.root.clone_from(&other.root);
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"from": "other"}));
}

#[tokio::test]
async fn without_sudo_not_a_byte_is_read() {
    let vault = TestVault::ready().await;
    let policy = "path \"sys/storage/*\" { capabilities = [\"read\", \"update\", \"create\"] }";
    let limited = vault.token_with("limited", policy).await;
    for token in [limited.as_str(), "", "kts.unknown"] {
        for path in [SNAPSHOT, FORCED] {
            let touched = Arc::new(AtomicBool::new(false));
            let body = Body::new(Watched(Arc::clone(&touched)));
            let request = Request::post(format!("/v1/{path}")).header("x-vault-token", token).body(body).unwrap();
            let (status, _) = vault.send(request).await;
            assert_eq!(status.as_u16(), 403, "{path}");
            assert!(!touched.load(Ordering::SeqCst), "{path}: the body was read");
        }
        vault.expect_as(token, 403, "GET", SNAPSHOT, None).await;
    }
    vault.expect_as(&limited, 200, "GET", "sys/storage/raft/configuration", None).await;
    let touched = Arc::new(AtomicBool::new(false));
    assert_eq!(restore(&vault, SNAPSHOT, Body::new(Watched(Arc::clone(&touched)))).await.0, 400);
    assert!(touched.load(Ordering::SeqCst), "the watch works");
}

/// A body that notes that somebody asks for it.
struct Watched(Arc<AtomicBool>);

impl http_body::Body for Watched {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        self.0.store(true, Ordering::SeqCst);
        std::task::Poll::Ready(None)
    }
}

#[tokio::test]
async fn a_store_that_fails_ends_the_snapshot_with_an_error_and_keeps_its_content() {
    let plan = Arc::new(Faults::default());
    let storage = FaultyStorage::new(Arc::new(MemoryStorage::default()), Arc::clone(&plan));
    let vault = TestVault::over(Arc::new(storage)).await.furnished().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    let archive = save(&vault).await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
    plan.commits_fail.store(true, Ordering::SeqCst);
    assert_eq!(restore(&vault, SNAPSHOT, archive).await.0, 503);
    plan.commits_fail.store(false, Ordering::SeqCst);
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "2"}));
}
