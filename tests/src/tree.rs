//! Reads the files of the project.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Directories that hold nothing of the project's own.
const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "__pycache__", "proptest-regressions"];

/// A text file of the project.
pub struct TextFile {
    /// Where it lies, relative to the root, with slashes.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl TextFile {
    /// Tells whether the file is Rust source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Tells whether the file lies under one of `places`: a directory with a slash at its end, or a file.
    pub fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| if place.ends_with('/') { self.path.starts_with(place) } else { self.path == *place })
    }
}

/// Gives the root of the workspace.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Reads every text file of the project, in the order of their paths; what is not UTF-8 is left out.
///
/// # Errors
/// Fails when a file or directory cannot be read.
pub fn text_files() -> Result<Vec<TextFile>> {
    let root = root();
    let mut files = Vec::new();
    collect(&root, &root, &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<TextFile>) -> Result<()> {
    let entries = directory.read_dir().with_context(|| format!("{} cannot be listed", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        if kind.is_dir() {
            collect(root, &path, files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            let relative = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            files.extend(String::from_utf8(bytes).ok().map(|text| TextFile { path: relative, text }));
        }
    }
    Ok(())
}
