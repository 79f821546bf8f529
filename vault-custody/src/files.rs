//! Files of people: written whole or not at all, secret ones readable by their owner alone, read within bounds.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vault_core::secret::SecretBytes;
use zeroize::Zeroizing;

/// Says why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is there already.
    #[error("{path} is there already, and is not overwritten")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// It is too long for what it should be.
    #[error("{path} has more than {length_bytes_max} bytes, which is too long for what it should be")]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The bound.
        length_bytes_max: u64,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Writes a new file with mode 0600; it is there whole and on disk, or not at all.
///
/// # Errors
/// Answers [`FileError::Exists`] if there is a file of that name, and [`FileError::Io`] for what the system refuses.
pub fn write_new(path: &Path, content: &[u8]) -> Result<(), FileError> {
    persist_new(path, written(path, content, SECRET)?)
}

/// Writes a new file for everybody to read, as far as the mask of the process allows; whole or not at all.
///
/// # Errors
/// Answers [`FileError::Exists`] if there is a file of that name, and [`FileError::Io`] for what the system refuses.
pub fn write_new_public(path: &Path, content: &[u8]) -> Result<(), FileError> {
    persist_new(path, written(path, content, PUBLIC)?)
}

fn persist_new(path: &Path, file: tempfile::NamedTempFile) -> Result<(), FileError> {
    match file.persist_noclobber(path) {
        Ok(_) => sync_folder(path),
        Err(failed) if failed.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(FileError::Exists { path: path.to_owned() })
        }
        Err(failed) => Err(io(path)(failed.error)),
    }
}

/// Puts a new file with mode 0600 in the place of an old one, in one step.
///
/// # Errors
/// Answers [`FileError::Io`] for what the system refuses.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    written(path, content, SECRET)?.persist(path).map_err(|failed| io(path)(failed.error))?;
    sync_folder(path)
}

/// Puts a new file in the place of an old one, in one step, with the mode of the old one.
///
/// # Errors
/// Answers [`FileError::Io`] for what the system refuses.
pub fn replace_public(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mode = std::fs::metadata(path).map_err(io(path))?.permissions().mode() & 0o777;
    let file = written(path, content, SECRET)?;
    file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(io(path))?;
    file.persist(path).map_err(|failed| io(path)(failed.error))?;
    sync_folder(path)
}

/// Reads a file of at most `length_bytes_max` bytes.
///
/// # Errors
/// Answers [`FileError::TooLong`] for a longer one, and [`FileError::Io`] for what the system refuses.
pub fn read(path: &Path, length_bytes_max: u64) -> Result<SecretBytes, FileError> {
    let file = std::fs::File::open(path).map_err(io(path))?;
    let mut content = Zeroizing::new(Vec::new());
    file.take(length_bytes_max + 1).read_to_end(&mut content).map_err(io(path))?;
    if content.len() as u64 > length_bytes_max {
        return Err(FileError::TooLong { path: path.to_owned(), length_bytes_max });
    }
    Ok(SecretBytes::new(std::mem::take(&mut *content)))
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o666;

/// Writes a file without a name that counts yet, in the folder of `path`.
fn written(path: &Path, content: &[u8], mode: u32) -> Result<tempfile::NamedTempFile, FileError> {
    let mut builder = tempfile::Builder::new();
    let mut file = builder.permissions(Permissions::from_mode(mode)).tempfile_in(folder(path)).map_err(io(path))?;
    file.write_all(content).map_err(io(path))?;
    file.as_file().sync_all().map_err(io(path))?;
    Ok(file)
}

fn sync_folder(path: &Path) -> Result<(), FileError> {
    std::fs::File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(io(path))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> FileError {
    move |error| FileError::Io { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_new(&path, b"first").unwrap();
        assert!(matches!(write_new(&path, b"second"), Err(FileError::Exists { .. })));
        assert_eq!(read(&path, 5).unwrap().expose(), b"first");
        assert!(matches!(read(&path, 4), Err(FileError::TooLong { .. })));
        replace(&path, b"third").unwrap();
        assert_eq!(read(&path, 5).unwrap().expose(), b"third");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        replace_public(&path, b"fourth").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
        assert!(matches!(write_new(&folder.path().join("no/such"), b""), Err(FileError::Io { .. })));
    }

    #[test]
    fn a_public_file_stays_as_readable_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("public");
        write_new_public(&path, b"first").unwrap();
        assert!(matches!(write_new_public(&path, b"second"), Err(FileError::Exists { .. })));
        std::fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        replace_public(&path, b"third").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o664);
        assert_eq!(read(&path, 5).unwrap().expose(), b"third");
        assert!(matches!(replace_public(&folder.path().join("none"), b""), Err(FileError::Io { .. })));
    }
}
