//! Devices that follow the vault's own log: what is stored of them. The log itself gates; a device only copies it.
//!
//! Format: docs/formats.md, "Records".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engines::Change;
use crate::names::{Domain, Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

const DEVICE_VERSION: u8 = 2;

/// The version without the place that a device begins at.
const DEVICE_VERSION_BEFORE: u8 = 1;

/// Most devices of one vault; each follows the log by itself.
pub const DEVICES_MAX: usize = 16;

/// Where lines of the log are copied to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Target {
    /// A file in the folder that the server's settings name, or `stdout`.
    File {
        /// The path as it was asked for.
        path: String,
    },
    /// A socket whose address the server's settings list.
    Socket {
        /// `tcp`, `udp` or `unix`.
        kind: String,
        /// Where it listens.
        address: String,
    },
    /// The system's logger.
    Syslog {
        /// What kind of program the lines come from: `AUTH`.
        facility: String,
        /// What they begin with: `keyturn`.
        tag: String,
    },
    /// A collector of syslog elsewhere, by TLS.
    SyslogTls {
        /// Name and port of the collector, which the server's settings list.
        address: String,
        /// What kind of program the lines come from.
        facility: String,
        /// The name of the application.
        tag: String,
    },
    /// A server that takes batches by HTTP.
    Webhook {
        /// Its address, which the server's settings list.
        url: String,
    },
}

/// A place between two records of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct LogPosition {
    /// The number of the record behind it.
    pub number: u64,
    /// How many bytes of the log are before it.
    pub offset_bytes: u64,
}

/// A device.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Its name, with a trailing slash.
    pub path: String,
    /// What people wrote about it.
    pub description: String,
    /// The options as they were given.
    pub options: BTreeMap<String, String>,
    /// Where it copies to.
    pub target: Target,
    /// What each line begins with.
    pub prefix: String,
    /// Where it began to copy; unknown of those that an older program enabled.
    pub since: Option<LogPosition>,
}

impl Target {
    /// Gives the kind as the API calls it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Socket { .. } => "socket",
            Self::Syslog { .. } | Self::SyslogTls { .. } => "syslog",
            Self::Webhook { .. } => "webhook",
        }
    }
}

impl Device {
    /// Gives the change that stores the device.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub(crate) fn store(&self, names: &Names) -> Result<Change, Refusal> {
        Ok(Change::Put { slot: slot(names, &self.path), payload: record_format::encode(DEVICE_VERSION, self)? })
    }
}

/// Finds the row of a device.
pub(crate) fn slot(names: &Names, path: &str) -> Slot {
    names.entry(&folder(names), path)
}

fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "audit-devices")
}

/// Reads all devices.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(crate) fn load(names: &Names, view: &mut View) -> Result<Vec<Device>, Interrupt> {
    let folder = folder(names);
    let slots: Vec<Slot> = view.list(&folder)?.iter().map(|name| names.entry(&folder, name)).collect();
    view.prefetch(&slots);
    let mut devices = Vec::with_capacity(slots.len());
    for slot in &slots {
        if let Some(row) = view.entry(slot)? {
            devices.push(read(&row.payload)?);
        }
    }
    Ok(devices)
}

fn read(payload: &SecretBytes) -> Result<Device, Refusal> {
    if record_format::version(payload) != Some(DEVICE_VERSION_BEFORE) {
        return record_format::decode(DEVICE_VERSION, payload);
    }
    let (path, description, options, target, prefix) = record_format::decode(DEVICE_VERSION_BEFORE, payload)?;
    Ok(Device { path, description, options, target, prefix, since: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_older_program_are_read() {
        let target = Target::File { path: "a.log".to_owned() };
        let options = BTreeMap::from([("file_path".to_owned(), "a.log".to_owned())]);
        let old = ("a/", "text", &options, &target, "> ");
        let row = record_format::encode(DEVICE_VERSION_BEFORE, &old).unwrap();
        let mut device = read(&row).unwrap();
        assert_eq!((device.path.as_str(), &device.target, device.since), ("a/", &target, None));
        device.since = Some(LogPosition { number: 7, offset_bytes: 900 });
        let row = record_format::encode(DEVICE_VERSION, &device).unwrap();
        assert_eq!(read(&row).unwrap(), device);
        assert!(read(&SecretBytes::new(vec![3])).is_err());
    }
}
