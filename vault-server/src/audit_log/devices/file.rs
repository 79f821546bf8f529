//! Copies the log to a file in the folder that the settings name.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;

use super::outbox::Batch;
use super::{DeviceRules, Doing, Sink, blocking};

/// How often what was written is synced.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

struct FileSink(Arc<File>);

/// Opens the file `path`: a name, or the full path of a file directly in the folder.
pub(super) fn open(path: &str, rules: &DeviceRules) -> Result<Box<dyn Sink>, String> {
    let folder = rules.directory.as_ref().ok_or("no file may be written: set devices_directory under [audit]")?;
    let asked = Path::new(path);
    let name = if asked.is_absolute() { asked.strip_prefix(folder).unwrap_or(asked) } else { asked };
    let mut components = name.components();
    let (Some(Component::Normal(name)), None) = (components.next(), components.next()) else {
        return Err("the file must lie directly in the folder that devices_directory names".to_owned());
    };
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(no_link);
    let mut file = options.open(folder.join(name)).map_err(|error| error.to_string())?;
    let found = file.metadata().map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no regular file".to_owned());
    }
    end_last_line(&mut file, found.len()).map_err(|error| error.to_string())?;
    Ok(Box::new(FileSink(Arc::new(file))))
}

/// Ends a line that a crash or a full disk cut short: it comes again as a whole, on a line of its own.
fn end_last_line(file: &mut File, length: u64) -> std::io::Result<()> {
    let mut last = [b'\n'];
    if let Some(before) = length.checked_sub(1) {
        file.read_exact_at(&mut last, before)?;
    }
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

impl Sink for FileSink {
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Doing<'a> {
        let (file, text) = (Arc::clone(&self.0), batch.text().into_owned());
        Box::pin(blocking(move || file.as_ref().write_all(text.as_bytes())))
    }

    fn settles_after(&self) -> Duration {
        SYNC_INTERVAL
    }

    fn settle(&mut self) -> Doing<'_> {
        let file = Arc::clone(&self.0);
        Box::pin(blocking(move || file.sync_data()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn only_files_directly_in_the_folder_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a.log");
        let rules = DeviceRules { directory: Some(folder.path().to_owned()), ..DeviceRules::default() };
        let line = Batch::of("line\n", "");
        open("a.log", &rules).unwrap().write(&line).await.unwrap();
        open(inside.to_str().unwrap(), &rules).unwrap().write(&line).await.unwrap();
        assert_eq!(std::fs::read_to_string(&inside).unwrap(), "line\nline\n");
        assert_eq!(std::fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        for bad in ["", "../a", "/etc/passwd", "below/a", "below", "link", ".", "..", "/", "./../a"] {
            assert!(open(bad, &rules).is_err(), "{bad}");
        }
        assert!(open("a.log", &DeviceRules::default()).is_err());
    }

    #[tokio::test]
    async fn a_line_that_was_cut_short_is_not_run_into_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let rules = DeviceRules { directory: Some(folder.path().to_owned()), ..DeviceRules::default() };
        std::fs::write(folder.path().join("a.log"), "one\ntw").unwrap();
        open("a.log", &rules).unwrap().write(&Batch::of("two\n", "> ")).await.unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a.log")).unwrap(), "one\ntw\n> two\n");
    }
}
