//! Stores and logs that fail in the middle of a ceremony: no shares and no terms are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use vault_server::audit_log::{AuditLog, LogSink};
use vault_server::storage::faults::{Faults, FaultyStorage};
use vault_server::storage::memory::MemoryStorage;

use crate::ceremonies::{REKEY, ROOT, begin, given, keys, rekey, text};
use crate::support::TestVault;

async fn faulty() -> (TestVault, Arc<Faults>) {
    let plan = Arc::new(Faults::default());
    let storage = FaultyStorage::new(Arc::new(MemoryStorage::default()), Arc::clone(&plan));
    (TestVault::over(Arc::new(storage)).await.furnished().await, plan)
}

#[tokio::test]
async fn a_store_that_fails_at_the_commit_leaves_everything_as_it_was() {
    let (vault, plan) = faulty().await;
    for (path, update) in [(REKEY, "sys/rekey/update"), (ROOT, "sys/generate-root/update")] {
        let nonce = begin(&vault, path).await;
        vault.expect_as("", 200, "PUT", update, given(&vault.keys[0], &nonce)).await;
        plan.commits_fail.store(true, Ordering::SeqCst);
        vault.expect_as("", 503, "PUT", update, given(&vault.keys[1], &nonce)).await;
        vault.expect(503, "PUT", "sys/rotate", None).await;
        plan.commits_fail.store(false, Ordering::SeqCst);
    }
    let made = rekey(&vault, 3, 2, true).await;
    let nonce = text(&made["verification_nonce"]);
    vault.expect_as("", 200, "PUT", "sys/rekey/verify", given(&keys(&made)[0], &nonce)).await;
    plan.commits_fail.store(true, Ordering::SeqCst);
    vault.expect_as("", 503, "PUT", "sys/rekey/verify", given(&keys(&made)[1], &nonce)).await;
    plan.commits_fail.store(false, Ordering::SeqCst);
    assert!(vault.audit().iter().any(|record| record["event"] == json!("failed")));
    assert_eq!(vault.expect(200, "GET", "sys/key-status", None).await["term"], json!(1));
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.unseal().await;
    vault.expect(204, "PUT", "sys/rotate", None).await;
}

/// A rekey whose commit succeeded but whose answer was lost must not lose the only shares that open the vault.
#[tokio::test]
async fn a_lost_answer_loses_no_shares_and_no_term() {
    let (mut vault, plan) = faulty().await;
    plan.answers_to_lose.store(1, Ordering::SeqCst);
    vault.expect(503, "PUT", "sys/rotate", None).await;
    vault.expect(204, "PUT", "kv/a", Some(json!({"x": "1"}))).await;
    vault.expect(204, "PUT", "sys/rotate", None).await;
    assert_eq!(vault.expect(200, "GET", "sys/key-status", None).await["term"], json!(3));
    let nonce = begin(&vault, REKEY).await;
    vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[0], &nonce)).await;
    plan.answers_to_lose.store(1, Ordering::SeqCst);
    let made = vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[1], &nonce)).await;
    assert_eq!(made["complete"], json!(true));
    vault.expect(204, "PUT", "sys/rotate", None).await;
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.keys = keys(&made);
    vault.unseal().await;
    assert_eq!(vault.expect(200, "GET", "kv/a", None).await["data"], json!({"x": "1"}));
}

/// A store that commits a rekey, tells that it failed and cannot be read afterwards: whoever withheld the new shares now
/// would lose the vault.
#[tokio::test]
async fn new_shares_of_unknown_standing_are_handed_out_with_a_warning() {
    let (mut vault, plan) = faulty().await;
    let nonce = begin(&vault, REKEY).await;
    vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[0], &nonce)).await;
    plan.losing_blinds.store(true, Ordering::SeqCst);
    plan.answers_to_lose.store(1, Ordering::SeqCst);
    let made = vault.expect_as("", 200, "PUT", "sys/rekey/update", given(&vault.keys[1], &nonce)).await;
    assert!(text(&made["warnings"][0]).contains("keep both sets"), "{made}");
    plan.reads_fail.store(false, Ordering::SeqCst);
    let refused = vault.expect(503, "PUT", "sys/rotate", None).await;
    assert!(text(&refused["errors"][0]).contains("seal and unseal"), "{refused}");
    vault.expect(204, "PUT", "sys/seal", None).await;
    vault.keys = keys(&made);
    vault.unseal().await;
    vault.expect(204, "PUT", "sys/rotate", None).await;
}

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
async fn without_the_log_no_share_counts() {
    let full = Arc::new(AtomicBool::new(false));
    let log = AuditLog::start(Box::new(FullDisk(Arc::clone(&full))), 0).unwrap();
    let vault = TestVault::ready_with_log(log).await;
    let nonce = begin(&vault, REKEY).await;
    full.store(true, Ordering::SeqCst);
    vault.expect_as("", 503, "PUT", ROOT, None).await;
    vault.expect_as("", 503, "PUT", "sys/rekey/update", given(&vault.keys[0], &nonce)).await;
    vault.expect_as("", 503, "PUT", "sys/rekey/update", given("junk", &nonce)).await;
    vault.expect(503, "DELETE", REKEY, None).await;
    full.store(false, Ordering::SeqCst);
    assert_eq!(vault.expect_as("", 200, "GET", REKEY, None).await["progress"], json!(0));
    assert_eq!(vault.expect_as("", 200, "GET", ROOT, None).await["started"], json!(false));
    rekey(&vault, 3, 2, false).await;
}
