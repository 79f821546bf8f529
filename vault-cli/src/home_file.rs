//! Files in the home folder that remember something of each vault.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const FORMAT: u32 = 1;

/// Most bytes of a file, and most vaults in it: what one person deals with is far below.
const FILE_BYTES_MAX: u64 = 1 << 20;
const VAULTS_MAX: usize = 1_000;

/// What is remembered, by the ids of the vaults.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vaults<V> {
    format: u32,
    pub(crate) vaults: BTreeMap<String, V>,
}

impl<V> Vaults<V> {
    /// Remembers nothing.
    pub(crate) const fn none() -> Self {
        Self { format: FORMAT, vaults: BTreeMap::new() }
    }
}

impl<V: Serialize + DeserializeOwned> Vaults<V> {
    /// Reads a file of the home folder; nothing is remembered where there is none.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub(crate) fn load(file: &str) -> Result<Self, Failure> {
        let Some(path) = path(file) else { return Ok(Self::none()) };
        let damaged = |reason: &dyn fmt::Display| {
            Failure::usage(format!(
                "{} cannot be read ({reason}). It remembers the vaults that you have seen; put a good copy back, or remove \
                 it and look at each vault with care",
                path.display()
            ))
        };
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::none()),
            Ok(metadata) if metadata.len() > FILE_BYTES_MAX => return Err(damaged(&"it is too large")),
            _ => std::fs::read_to_string(&path).map_err(|error| damaged(&error))?,
        };
        let known: Self = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
        if known.format == FORMAT { Ok(known) } else { Err(damaged(&format!("format {}", known.format))) }
    }

    /// Writes the file and tells whether there is a home folder to write it to.
    ///
    /// # Errors
    /// Fails when it cannot be written.
    pub(crate) fn store(mut self, file: &str) -> Result<bool, Failure> {
        while self.vaults.len() > VAULTS_MAX {
            self.vaults.pop_first();
        }
        let Some(path) = path(file) else { return Ok(false) };
        let folder = path.parent().ok_or_else(|| Failure::usage("HOME is the root of the file system"))?;
        // The file is new, readable by its owner only, and takes the old one's place as a whole.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(serde_json::to_string_pretty(&self).map_err(anyhow::Error::from)?.as_bytes())?;
        file.persist(&path).map_err(|error| Failure::Other(error.into()))?;
        Ok(true)
    }
}

fn path(file: &str) -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| PathBuf::from(home).join(file))
}
