//! A folder for one test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A new folder, deleted when the test passes and kept, with its path said, when it fails.
pub struct Scratch(Option<TempDir>);

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// A new one.
    pub fn new() -> Self {
        Self(Some(tempfile::Builder::new().prefix("fedmsg-hub-").tempdir().expect("a temporary folder")))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("there until dropped").path()
    }

    /// The path of something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A ZeroMQ address in it.
    pub fn ipc(&self, name: &str) -> String {
        format!("ipc://{}", self.join(name).display())
    }

    /// Writes a file in it, with the folders that lead to it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.0.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}
