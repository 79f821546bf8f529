//! The process and its files, looked at whenever metrics are read.

use std::path::Path;
use std::sync::OnceLock;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use vault_core::time::Timestamp;

use crate::facts::WatchedFiles;

/// What SQLite keeps beside a store's file: what was written and is not yet moved into it.
const WRITE_AHEAD_SUFFIX: &str = "-wal";

/// How far the audit log is behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AuditLag {
    /// Records that are not yet on stable storage.
    pub(crate) waiting: u64,
    /// Records since the start that no checkpoint vouches for yet.
    pub(crate) unsigned: u64,
}

/// Asks the audit log how far it is behind.
type AskLag = Box<dyn Fn() -> AuditLag + Send + Sync>;

/// What is told of the process and its files.
pub(crate) struct ProcessMetrics {
    files: OnceLock<WatchedFiles>,
    lag: OnceLock<AskLag>,
    resident: Gauge,
    locked: Gauge,
    swapped: Gauge,
    store_size: Gauge,
    audit_size: Gauge,
    audit_waiting: Gauge,
    audit_unsigned: Gauge,
    certificate_ends: Gauge,
}

impl ProcessMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let made = Self {
            files: OnceLock::new(),
            lag: OnceLock::new(),
            resident: Gauge::default(),
            locked: Gauge::default(),
            swapped: Gauge::default(),
            store_size: Gauge::default(),
            audit_size: Gauge::default(),
            audit_waiting: Gauge::default(),
            audit_unsigned: Gauge::default(),
            certificate_ends: Gauge::default(),
        };
        let bytes = [
            ("process_resident_memory", "Memory of the process", &made.resident),
            ("process_locked_memory", "Memory of the process that cannot be swapped out", &made.locked),
            ("process_swapped_memory", "Memory of the process that is swapped out", &made.swapped),
            ("storage_size", "Size of the store, what waits to be moved into its file included", &made.store_size),
            ("audit_log_size", "Size of the audit log", &made.audit_size),
        ];
        for (name, help, gauge) in bytes {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        let help = "Records of the audit log that are not yet on stable storage";
        registry.register("audit_records_waiting", help, made.audit_waiting.clone());
        let help = "Records of the audit log since the start that no checkpoint vouches for yet";
        registry.register("audit_records_unsigned", help, made.audit_unsigned.clone());
        let help = "When the first certificate of the TLS chain ends, since 1970; 0 without TLS";
        registry.register_with_unit("tls_certificate_expiry_time", help, Unit::Seconds, made.certificate_ends.clone());
        made
    }

    /// Tells which files to look at, and whom to ask about the audit log.
    pub(crate) fn watch(&self, files: WatchedFiles, lag: impl Fn() -> AuditLag + Send + Sync + 'static) {
        // Each is told once, when the vault is opened.
        let _ = (self.files.set(files), self.lag.set(Box::new(lag)));
    }

    /// Tells when the certificate ends.
    pub(crate) fn certificate_ends(&self, at: Timestamp) {
        self.certificate_ends.set(at.unix_seconds());
    }

    /// Looks at everything.
    pub(super) fn refresh(&self) {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        self.resident.set(whole(memory_bytes(&status, "VmRSS:")));
        self.locked.set(whole(memory_bytes(&status, "VmLck:")));
        self.swapped.set(whole(memory_bytes(&status, "VmSwap:")));
        if let Some(files) = self.files.get() {
            self.store_size.set(whole(files.store.as_deref().map_or(0, store_size_bytes)));
            self.audit_size.set(whole(files.audit_log.as_deref().map_or(0, size_bytes)));
        }
        let lag = self.lag.get().map(|ask| ask()).unwrap_or_default();
        self.audit_waiting.set(whole(lag.waiting));
        self.audit_unsigned.set(whole(lag.unsigned));
    }
}

fn size_bytes(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |found| found.len())
}

fn store_size_bytes(file: &Path) -> u64 {
    let mut beside = file.as_os_str().to_owned();
    beside.push(WRITE_AHEAD_SUFFIX);
    size_bytes(file).saturating_add(size_bytes(Path::new(&beside)))
}

/// Reads one line of /proc/self/status, which counts in KiB.
fn memory_bytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    number.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_and_its_files_are_measured() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, size: usize| {
            let path = directory.path().join(name);
            std::fs::write(&path, vec![0; size]).unwrap();
            path
        };
        let (store, audit_log) = (file("k.db", 100), file("audit.jsonl", 7));
        file("k.db-wal", 20);
        let metrics = ProcessMetrics::register(&mut Registry::default());
        let files = WatchedFiles { store: Some(store), audit_log: Some(audit_log) };
        metrics.watch(files, || AuditLag { waiting: 3, unsigned: 4 });
        metrics.refresh();
        assert_eq!((metrics.store_size.get(), metrics.audit_size.get()), (120, 7));
        assert_eq!((metrics.audit_waiting.get(), metrics.audit_unsigned.get()), (3, 4));
        assert!(metrics.resident.get() > 1 << 20);
        assert_eq!(memory_bytes("VmRSS:\t  8 kB\nVmLck:\t 4 kB\n", "VmLck:"), 4096);
    }
}
