//! The file of the log: append, sync, cut back.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::LogSink;

/// Longest line that is looked for at the end of a file: a body at its bound, hashed, with room to spare.
const TAIL_BYTES_MAX: u64 = 256 << 20;

/// Bytes read at once while looking for the start of the last line.
const TAIL_STEP_BYTES: u64 = 64 << 10;

/// An open log file.
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// Length up to which every line is durable.
    durable_bytes: u64,
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

impl LogFile {
    /// Opens or makes the file, and tells the number of the next record.
    ///
    /// # Errors
    /// Fails when the file cannot be opened, is no regular file, or does not end in a line of a log.
    pub fn open(path: &Path) -> Result<(Self, u64)> {
        let mut file = open_to_append(path)?;
        let length = file.metadata()?.len();
        let (durable_bytes, next) = whole_lines(&mut file, length)?;
        if durable_bytes < length {
            tracing::warn!("the last line of {} was cut short by a crash and is removed", path.display());
            file.set_len(durable_bytes)?;
            file.sync_all()?;
        }
        sync_folder(path)?;
        Ok((Self { path: path.to_owned(), file, durable_bytes }, next))
    }
}

impl LogSink for LogFile {
    fn append(&mut self, lines: &[u8]) -> Result<()> {
        self.file.write_all(lines)?;
        self.file.sync_data()?;
        self.durable_bytes += lines.len() as u64;
        Ok(())
    }

    fn length_bytes(&self) -> u64 {
        self.durable_bytes
    }

    /// Opens the file anew: after a failed sync the kernel may have marked pages clean that never reached the disk,
    /// so nothing that was written since the last good sync is kept.
    fn restore(&mut self) -> Result<()> {
        let file = open_to_append(&self.path)?;
        if file.metadata()?.len() < self.durable_bytes {
            return Err(Error::new(ErrorKind::InvalidData, "the log has become shorter than what was durable in it"));
        }
        file.set_len(self.durable_bytes)?;
        file.sync_all()?;
        self.file = file;
        Ok(())
    }
}

fn open_to_append(path: &Path) -> Result<File> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(Error::new(ErrorKind::InvalidInput, "it is a link, a folder or a device, not a regular file"));
    }
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Makes the file's own entry durable, so that a new log does not vanish with its folder's last change.
fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Finds how far the whole lines reach, and the number after that of the last one.
fn whole_lines(file: &mut File, length: u64) -> Result<(u64, u64)> {
    let mut tail = Vec::new();
    let mut start = length;
    loop {
        let end_of_last = tail.iter().rposition(|byte| *byte == b'\n');
        let end_before = end_of_last.and_then(|end| tail.iter().take(end).rposition(|byte| *byte == b'\n'));
        if let Some(end) = end_of_last
            && (end_before.is_some() || start == 0)
        {
            let line = tail.get(end_before.map_or(0, |before| before + 1)..end).unwrap_or_default();
            let no_log = |_| Error::new(ErrorKind::InvalidData, "it does not end in a line of an audit log");
            let last: Numbered = serde_json::from_slice(line).map_err(no_log)?;
            return Ok((start + end as u64 + 1, last.number + 1));
        }
        if start == 0 {
            // No line is whole: either the file is empty, or a crash cut its first line short.
            return Ok((0, 0));
        }
        if length - start >= TAIL_BYTES_MAX {
            return Err(Error::new(ErrorKind::InvalidData, "its last line is longer than any record"));
        }
        let step = TAIL_STEP_BYTES.min(start);
        start -= step;
        file.seek(SeekFrom::Start(start))?;
        let mut piece = vec![0; usize::try_from(step).unwrap_or_default()];
        file.read_exact(&mut piece)?;
        piece.append(&mut tail);
        tail = piece;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn opened(content: &[u8]) -> Result<(u64, u64)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, content).unwrap();
        let (file, next) = LogFile::open(&path)?;
        let length = std::fs::metadata(&path).unwrap().len();
        assert_eq!(file.durable_bytes, length);
        Ok((length, next))
    }

    #[test]
    fn a_line_cut_short_is_removed_and_counting_goes_on() {
        let line = |number: u64, fill: usize| format!("{{\"number\":{number},\"x\":\"{}\"}}\n", "y".repeat(fill));
        let two = line(0, 3) + &line(1, 200_000);
        assert_eq!(opened(b"").unwrap(), (0, 0));
        assert_eq!(opened(two.as_bytes()).unwrap(), (two.len() as u64, 2));
        for cut in [1, 2, 70_000, 200_000] {
            let torn = two.clone() + &line(2, 200_000)[..cut];
            assert_eq!(opened(torn.as_bytes()).unwrap(), (two.len() as u64, 2), "cut after {cut}");
        }
        assert_eq!(opened(b"{\"number\":0").unwrap(), (0, 0));
        assert!(opened(b"a diary\nof something else\n").is_err());
    }

    #[test]
    fn the_file_is_private_and_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        drop(LogFile::open(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(LogFile::open(&link).is_err());
        assert!(LogFile::open(directory.path()).is_err());
    }

    #[test]
    fn restoring_cuts_back_to_what_was_durable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (mut log, _) = LogFile::open(&path).unwrap();
        log.append(b"{\"number\":0}\n").unwrap();
        log.file.write_all(b"{\"number\":1").unwrap();
        log.restore().unwrap();
        log.append(b"{\"number\":1}\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"number\":0}\n{\"number\":1}\n");
        std::fs::write(&path, b"").unwrap();
        assert!(log.restore().is_err(), "a log that somebody emptied is not gone on with");
    }
}
