//! Copies the log to a file in the folder that the settings name, or to the standard output.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use rustix::fs::OFlags;

use super::{DeviceRules, Sink};

struct FileSink(File);

struct Standard;

/// Opens the file `path`: a name, or the full path of a file directly in the folder.
pub(super) fn open(path: &str, rules: &DeviceRules) -> Result<Box<dyn Sink>, String> {
    if path == "stdout" {
        return Ok(Box::new(Standard));
    }
    let folder = rules.directory.as_ref().ok_or("no file may be written: set devices_directory under [audit]")?;
    let asked = Path::new(path);
    let name = if asked.is_absolute() { asked.strip_prefix(folder).unwrap_or(asked) } else { asked };
    let mut components = name.components();
    let (Some(Component::Normal(name)), None) = (components.next(), components.next()) else {
        return Err("the file must lie directly in the folder that devices_directory names".to_owned());
    };
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(no_link).open(folder.join(name));
    let file = opened.map_err(|error| error.to_string())?;
    match file.metadata() {
        Ok(found) if found.is_file() => Ok(Box::new(FileSink(file))),
        Ok(_) => Err("it is no regular file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Sink for FileSink {
    fn write(&mut self, lines: &str) -> std::io::Result<()> {
        self.0.write_all(lines.as_bytes())
    }
}

impl Sink for Standard {
    fn write(&mut self, lines: &str) -> std::io::Result<()> {
        std::io::stdout().lock().write_all(lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_files_directly_in_the_folder_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a.log");
        let rules = DeviceRules { directory: Some(folder.path().to_owned()), addresses: Vec::new() };
        open("a.log", &rules).unwrap().write("line\n").unwrap();
        open(inside.to_str().unwrap(), &rules).unwrap().write("line\n").unwrap();
        assert_eq!(std::fs::read_to_string(&inside).unwrap(), "line\nline\n");
        assert_eq!(std::fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        for bad in ["", "../a", "/etc/passwd", "below/a", "below", "link", ".", "..", "/", "./../a"] {
            assert!(open(bad, &rules).is_err(), "{bad}");
        }
        assert!(open("a.log", &DeviceRules::default()).is_err());
    }
}
