//! Reads what is still to be copied from the log itself: the durable log is the outbox of every device.
//!
//! A device's place in the log is kept in a small file beside it. Should that be gone or damaged, lines come twice; nothing is
//! believed because of it, since the record at the place must have the number that the file says.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use vault_core::audit::{Device, LogPosition};

/// Longest line that is read; a body at its bound, hashed, with room to spare.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// How each line of a log begins.
const LINE_START: &[u8] = b"{\"number\":";

/// Longest beginning of a line that is needed to read its number.
const LINE_START_BYTES_MAX: usize = 40;

/// Largest file with a place; real ones have some fifty bytes.
const FILE_BYTES_MAX: u64 = 1 << 10;

/// Bytes of the digest that names a device's file.
const NAME_LENGTH_BYTES: usize = 8;

/// What stands between the name of the log and the name of a device.
const NAME_START: &str = ".device-";

/// Bounds of one batch; a line that is longer is a batch of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimits {
    /// Most records.
    pub(super) records_max: u64,
    /// Most bytes.
    pub(super) bytes_max: u64,
}

/// Whole lines of the log, one after another.
pub(super) struct Batch {
    /// The lines as they are in the log.
    lines: String,
    prefix: String,
    /// Where the first line begins.
    pub(super) start: LogPosition,
    /// Where the line behind the last begins.
    pub(super) end: LogPosition,
}

impl Batch {
    /// Gives the lines without their ends and without the prefix.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.lines()
    }

    /// Gives what goes before each line.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Gives all lines with the prefix before each.
    pub(super) fn text(&self) -> Cow<'_, str> {
        if self.prefix.is_empty() {
            return self.lines.as_str().into();
        }
        self.lines.lines().flat_map(|line| [self.prefix.as_str(), line, "\n"]).collect::<String>().into()
    }

    /// Gives the number of the last record.
    pub(super) const fn last(&self) -> u64 {
        self.end.number.saturating_sub(1)
    }

    #[cfg(test)]
    pub(super) fn of(lines: &str, prefix: &str) -> Self {
        let number = lines.lines().count() as u64;
        let end = LogPosition { number, offset_bytes: lines.len() as u64 };
        Self { lines: lines.to_owned(), prefix: prefix.to_owned(), start: LogPosition::default(), end }
    }
}

/// Reads the batch that begins at `start`, from nothing beyond `end`, which is durable.
///
/// # Errors
/// Fails when the log cannot be read, or has at `start` no line of this number.
pub(super) fn read(
    log: &Path,
    start: LogPosition,
    end: LogPosition,
    limits: BatchLimits,
    prefix: &str,
) -> Result<Batch> {
    let file = File::open(log)?;
    let available = end.offset_bytes.saturating_sub(start.offset_bytes);
    let mut length = available.min(limits.bytes_max);
    let mut bytes = loop {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, start.offset_bytes)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte == b'\n') {
            bytes.truncate(last + 1);
            break bytes;
        }
        if length >= available || length >= LINE_BYTES_MAX {
            return Err(other_log());
        }
        length = length.saturating_mul(2).min(available);
    };
    let records_max = if length > limits.bytes_max { 1 } else { limits.records_max };
    let ends = || bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(position, _)| position + 1);
    let taken = usize::try_from(records_max).unwrap_or(usize::MAX);
    let Some((records, cut)) = ends().take(taken).enumerate().last().map(|(before, cut)| (before as u64 + 1, cut))
    else {
        return Err(other_log());
    };
    bytes.truncate(cut);
    let read_to = LogPosition { number: start.number + records, offset_bytes: start.offset_bytes + bytes.len() as u64 };
    let is_complete = read_to.offset_bytes == end.offset_bytes;
    if number_of(&bytes) != Some(start.number) || (is_complete && read_to.number != end.number) {
        return Err(other_log());
    }
    let lines = String::from_utf8(bytes).map_err(|_| other_log())?;
    Ok(Batch { lines, prefix: prefix.to_owned(), start, end: read_to })
}

/// Finds the place of a record in the log up to `end`: where `wanted` says, or else by reading the log from its start. A
/// log that ends before the record is another one, and all of it is still to be copied.
///
/// # Errors
/// Fails when the log cannot be read.
pub(super) fn locate(log: &Path, wanted: LogPosition, end: LogPosition) -> Result<LogPosition> {
    if wanted == end {
        return Ok(end);
    }
    let file = File::open(log)?;
    if wanted.offset_bytes < end.offset_bytes && is_at(&file, wanted, end)? {
        return Ok(wanted);
    }
    let mut reader = BufReader::with_capacity(1 << 16, file.take(end.offset_bytes));
    let (mut line, mut offset_bytes, mut first) = (Vec::new(), 0, None);
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            let start = LogPosition { number: first.unwrap_or_default(), offset_bytes: 0 };
            return Ok(if wanted.number == end.number { end } else { start });
        }
        let number = number_of(&line).ok_or_else(other_log)?;
        first.get_or_insert(number);
        if number >= wanted.number {
            return Ok(LogPosition { number, offset_bytes });
        }
        offset_bytes += read as u64;
    }
}

fn is_at(file: &File, wanted: LogPosition, end: LogPosition) -> Result<bool> {
    let before = u64::from(wanted.offset_bytes > 0);
    let length = (end.offset_bytes - wanted.offset_bytes + before).min(LINE_START_BYTES_MAX as u64);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, wanted.offset_bytes - before)?;
    let line = if before == 1 { bytes.strip_prefix(b"\n") } else { Some(bytes.as_slice()) };
    Ok(line.and_then(number_of) == Some(wanted.number))
}

/// Reads the number that a line begins with.
fn number_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(LINE_START)?;
    let digits = rest.get(..rest.iter().take(LINE_START_BYTES_MAX).position(|byte| *byte == b',')?)?;
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

fn other_log() -> Error {
    Error::new(ErrorKind::InvalidData, "the audit log is not the one that was read before")
}

/// The file with the place of one device.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct PlaceFile(PathBuf);

impl PlaceFile {
    /// Names the file of a device beside the log. A device that is enabled anew has another one.
    pub(super) fn of(log: &Path, device: &Device) -> Self {
        let digest = Sha256::digest(serde_json::to_vec(device).unwrap_or_default());
        let name = HEXLOWER.encode(digest.get(..NAME_LENGTH_BYTES).unwrap_or_default());
        let mut path = log.as_os_str().to_owned();
        path.push(NAME_START);
        path.push(name);
        Self(path.into())
    }

    /// Reads the place; none if the file is missing or damaged.
    pub(super) fn read(&self) -> Option<LogPosition> {
        let mut text = String::new();
        File::open(&self.0).ok()?.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes the place down. After a crash of the machine the file may be an older one.
    ///
    /// # Errors
    /// Fails when the folder cannot be written.
    pub(super) fn store(&self, place: LogPosition) -> Result<()> {
        let text = serde_json::to_string(&place)?;
        let mut file = tempfile::NamedTempFile::new_in(folder_of(&self.0))?;
        file.write_all(text.as_bytes())?;
        file.persist(&self.0).map(drop).map_err(|failed| failed.error)
    }

    /// Removes the file of a device that is no more.
    pub(super) fn remove(&self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!("{}: {error}", self.0.display());
        }
    }

    /// Removes the files of all devices but these: a crash may have left one behind.
    pub(super) fn remove_others(log: &Path, kept: &[Self]) {
        let mut start = log.file_name().unwrap_or_default().to_owned();
        start.push(NAME_START);
        for found in std::fs::read_dir(folder_of(log)).into_iter().flatten().flatten() {
            let is_place = found.file_name().as_encoded_bytes().starts_with(start.as_encoded_bytes());
            let other = Self(folder_of(log).join(found.file_name()));
            if is_place && !kept.iter().any(|own| own.0.file_name() == other.0.file_name()) {
                other.remove();
            }
        }
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
