//! Disks that fail: nothing is served unrecorded, nothing acknowledged is lost, and service comes back by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use vault_server::audit_log::{AuditLog, LogSink};
use vault_server::storage::faults::{Faults, FaultyStorage};
use vault_server::storage::memory::MemoryStorage;

use crate::support::TestVault;

/// A log whose disk is full while told so.
struct FullDisk(Arc<AtomicBool>);

impl LogSink for FullDisk {
    fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn restore(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn without_the_log_nothing_is_served_but_status_unseal_and_seal() {
    let full = Arc::new(AtomicBool::new(false));
    let log = AuditLog::start(Box::new(FullDisk(Arc::clone(&full))), 0).unwrap();
    let vault = TestVault::ready_with_log(log).await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    full.store(true, Ordering::SeqCst);
    for (method, path) in [("GET", "kv/a"), ("PUT", "kv/b"), ("DELETE", "kv/a"), ("LIST", "kv"), ("GET", "sys/mounts")]
    {
        let refused = vault.expect(503, method, path, Some(json!({"x": "2"}))).await;
        assert!(refused["errors"][0].as_str().unwrap().contains("audit log"), "{refused}");
    }
    let denied = vault.expect_as("kts.unknown", 503, "GET", "kv/a", None).await;
    assert!(denied["errors"][0].as_str().unwrap().contains("audit log"), "a denial needs its record too: {denied}");
    vault.expect(200, "GET", "sys/health", None).await;
    vault.expect_as("kts.unknown", 503, "PUT", "sys/seal", None).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    assert_eq!(vault.expect(200, "GET", "sys/seal-status", None).await["sealed"], json!(true));
    vault.unseal().await;
    vault.expect(503, "GET", "kv/a", None).await;
    full.store(false, Ordering::SeqCst);
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
    vault.expect(404, "GET", "kv/b", None).await;
}

#[tokio::test]
async fn a_store_that_cannot_be_written_changes_nothing_and_says_so() {
    let plan = Arc::new(Faults::default());
    let storage = FaultyStorage::new(Arc::new(MemoryStorage::default()), Arc::clone(&plan));
    let vault = TestVault::over(Arc::new(storage)).await.furnished().await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    plan.commits_fail.store(true, Ordering::SeqCst);
    vault.expect(503, "PUT", "kv/a", Some(json!({"x": "2"}))).await;
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
    plan.commits_fail.store(false, Ordering::SeqCst);
    plan.reads_fail.store(true, Ordering::SeqCst);
    vault.expect(503, "GET", "kv/a", None).await;
    plan.reads_fail.store(false, Ordering::SeqCst);
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
}

/// A policy whose commit succeeded but whose answer was lost is in force or not, but never half: the next request is
/// judged by what the store holds.
#[tokio::test]
async fn a_lost_answer_leaves_one_of_two_whole_states() {
    let plan = Arc::new(Faults::default());
    let storage = FaultyStorage::new(Arc::new(MemoryStorage::default()), Arc::clone(&plan));
    let vault = TestVault::over(Arc::new(storage)).await.furnished().await;
    plan.answers_to_lose.store(1, Ordering::SeqCst);
    vault.expect(503, "PUT", "secret/data/a", Some(json!({"data": {"x": 1}}))).await;
    assert_eq!(vault.expect(200, "GET", "secret/data/a", None).await["data"]["data"], json!({"x": 1}));
    vault.expect(400, "PUT", "secret/data/a", Some(json!({"data": {}, "options": {"cas": 0}}))).await;
}
