use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use vault_core::id::RequestId;
use vault_core::time::Timestamp;

use super::*;

fn record(what: &str) -> Record {
    Record::of_housekeeping(what, RequestId([0; 16]), Timestamp(0))
}

fn numbers(text: &str) -> Vec<u64> {
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_on_disk_when_they_are_acknowledged_and_numbered_without_gaps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = Arc::new(AuditLog::open(&path).unwrap());
    let tasks: Vec<_> = (0..200)
        .map(|task| {
            let (log, path) = (Arc::clone(&log), path.clone());
            tokio::spawn(async move {
                let number = log.append_durable(record(&format!("task-{task}"))).await.unwrap().record_number();
                let text = std::fs::read_to_string(path).unwrap();
                let line = text.lines().nth(usize::try_from(number).unwrap()).unwrap();
                assert!(line.contains(&format!("task-{task}\"")), "{line}");
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    log.append(record("last"));
    drop(log);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(numbers(&text).into_iter().eq(0..201));
    let again = AuditLog::open(&path).unwrap();
    assert_eq!(again.append_durable(record("again")).await.unwrap().record_number(), 201);
}

/// A sink that fails while told to.
struct Failing {
    fails: Arc<AtomicBool>,
    text: Arc<Mutex<Vec<u8>>>,
    restored: Arc<AtomicUsize>,
}

impl LogSink for Failing {
    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.text.lock().unwrap().extend_from_slice(lines);
        Ok(())
    }

    fn restore(&mut self) -> std::io::Result<()> {
        self.restored.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_service_comes_back_without_a_gap() {
    let (fails, text, restored) = (Arc::new(AtomicBool::new(false)), Arc::default(), Arc::default());
    let sink = Failing { fails: Arc::clone(&fails), text: Arc::clone(&text), restored: Arc::clone(&restored) };
    let log = AuditLog::start(Box::new(sink), 5).unwrap();
    assert_eq!(log.append_durable(record("a")).await.unwrap().record_number(), 5);
    fails.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(log.append_durable(record("b")).await.is_err());
    }
    fails.store(false, Ordering::SeqCst);
    assert_eq!(log.append_durable(record("c")).await.unwrap().record_number(), 6);
    drop(log);
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    assert_eq!(numbers(&text), [5, 6]);
    assert!(!text.contains("\"b\""), "a refused record does not appear later");
    assert_eq!(restored.load(Ordering::SeqCst), 3, "the file is restored before each new try");
}

fn signer() -> vault_log::checkpoint::CheckpointSigner {
    vault_log::checkpoint::CheckpointSigner::new([1; 16], ed25519_dalek::SigningKey::from_bytes(&[1; 32]))
}

fn checkpointer() -> Checkpointer {
    let signer = signer();
    Arc::new(move |size, root| {
        let note = signer.sign(size, root).unwrap();
        let record = Record::of_checkpoint(&note, RequestId([0; 16]), Timestamp(0));
        Some(CheckpointRecord { note, record })
    })
}

fn verified(path: &Path) -> vault_log::verify::Verified {
    let mut verifier = vault_log::verify::Verifier::new(signer().public());
    std::fs::read_to_string(path).unwrap().lines().for_each(|line| verifier.line(line).unwrap());
    verifier.end()
}

#[tokio::test]
async fn checkpoints_vouch_for_all_records_across_restarts_with_and_without_the_edge() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let edge = directory.path().join("audit.jsonl.tree").join("edge");
    for round in 0..4 {
        let log = AuditLog::open(&path).unwrap();
        log.append_durable(record("while sealed")).await.unwrap();
        log.sign_with(checkpointer());
        for _ in 0..CHECKPOINT_RECORDS {
            log.append(record("many"));
        }
        log.append_durable(record("the last")).await.unwrap();
        log.stop_signing().await;
        log.append_durable(record("sealed again")).await.unwrap();
        drop(log);
        let found = verified(&path);
        assert_eq!(found.records - found.signed, 1, "{found:?}");
        assert!(found.checkpoints > round, "{found:?}");
        match round {
            0 => std::fs::remove_file(&edge).unwrap(),
            1 => std::fs::write(&edge, b"something else").unwrap(),
            _ => assert!(edge.exists()),
        }
    }
}

#[tokio::test]
async fn a_log_that_was_altered_is_not_signed_for_again_as_if_it_were_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = AuditLog::open(&path).unwrap();
    log.sign_with(checkpointer());
    log.append_durable(record("first")).await.unwrap();
    log.stop_signing().await;
    drop(log);
    let altered = std::fs::read_to_string(&path).unwrap().replace("first", "other");
    std::fs::write(&path, altered).unwrap();
    let log = AuditLog::open(&path).unwrap();
    log.sign_with(checkpointer());
    log.append_durable(record("second")).await.unwrap();
    log.stop_signing().await;
    drop(log);
    let mut verifier = vault_log::verify::Verifier::new(signer().public());
    let text = std::fs::read_to_string(&path).unwrap();
    let outcomes: Vec<_> = text.lines().map(|line| verifier.line(line).is_ok()).collect();
    assert_eq!(outcomes, [true, false, false, false], "the first checkpoint is over another record");
}

#[tokio::test]
async fn a_receipt_is_given_with_the_record_and_the_tree_beside_the_log_proves_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = AuditLog::open(&path).unwrap();
    let (_, receipt) = log.append_signed(record("while nobody signs")).await.unwrap();
    assert_eq!(receipt, None);
    log.sign_with(checkpointer());
    let tree = log.tree().unwrap().clone();
    let mut seen = Vec::new();
    for round in 0..40 {
        for _ in 0..round * 7 {
            log.append(record("in between"));
        }
        let (durable, receipt) = log.append_signed(record(&format!("release {round}"))).await.unwrap();
        let receipt = receipt.unwrap();
        assert_eq!(receipt.index, durable.record_number());
        let checkpoint = receipt.verify(&signer().public()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text.lines().nth(usize::try_from(receipt.index).unwrap()).unwrap();
        assert!(line.contains(&format!("release {round}\"")) && receipt.is_for(line.as_bytes()));
        seen.push(checkpoint);
    }
    log.stop_signing().await;
    drop(log);
    // Also after the folder was lost, or cut back to what it was: it follows from the log.
    for damage in [None, Some("edge"), Some("tile")] {
        match damage {
            Some("edge") => std::fs::remove_file(directory.path().join("audit.jsonl.tree/edge")).unwrap(),
            Some(folder) => std::fs::remove_dir_all(directory.path().join("audit.jsonl.tree").join(folder)).unwrap(),
            None => {}
        }
        let log = AuditLog::open(&path).unwrap();
        log.sign_with(checkpointer());
        log.append_durable(record("later")).await.unwrap();
        log.stop_signing().await;
        drop(log);
        let last = tree.last_checkpoint().unwrap().unwrap();
        assert_eq!(last.checkpoint, signer().public().verify(&last.note).unwrap());
        for old in &seen {
            let growth = vault_log::proof::Growth::prove(old.size, last.checkpoint.size, &tree).unwrap();
            growth.verify(old, &last.checkpoint).unwrap();
        }
        for number in [0, 1, 255, 256, last.checkpoint.size - 1] {
            Receipt::prove(number, &last, &tree).unwrap().verify(&signer().public()).unwrap();
        }
    }
    assert_eq!(verified(&path).records, verified(&path).signed);
}
