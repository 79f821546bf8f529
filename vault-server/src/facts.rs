//! What the server knows of itself and of its machine.

use std::path::PathBuf;

use vault_core::question::ServerFacts;

/// Files whose size metrics tell.
#[derive(Clone, Debug, Default)]
pub struct WatchedFiles {
    /// The store, where it is a file.
    pub store: Option<PathBuf>,
    /// The audit log.
    pub audit_log: Option<PathBuf>,
}

/// What the settings say of this server.
#[derive(Clone, Debug, Default)]
pub struct KnownFacts {
    /// The address that clients are told.
    pub api_address: String,
    /// How much is logged.
    pub log_level: String,
    /// The kind of the store.
    pub storage_kind: String,
}

impl KnownFacts {
    /// Adds what the machine says now; what it does not say is left empty.
    pub(crate) fn now(&self) -> ServerFacts {
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        ServerFacts {
            hostname: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: memory_field(&memory, "MemTotal:"),
            memory_available_bytes: memory_field(&memory, "MemAvailable:"),
            api_address: self.api_address.clone(),
            storage_kind: self.storage_kind.clone(),
            log_level: self.log_level.clone(),
        }
    }
}

/// Reads one line of /proc/meminfo, which counts in KiB.
fn memory_field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    number.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(memory_field("MemTotal:  16 kB\nMemAvailable: 8 kB\n", "MemAvailable:"), 8192);
        assert_eq!(memory_field("x", "MemTotal:"), 0);
    }
}
