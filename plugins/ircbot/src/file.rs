//! What the table names by a file. It is read with the table, so that whoever checks a configuration sees what the bot would.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use tokio_native_tls::native_tls::{self, Certificate};

use crate::config::Secret;

/// What is wrong with a file. What stands in it is not told.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("{path}: {error}")]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{0} is no regular file")]
    Irregular(PathBuf),
    #[error("{0} does not hold a password on its first line")]
    NoPassword(PathBuf),
    #[error("{path} is no PEM certificate: {error}")]
    NoCertificate { path: PathBuf, error: native_tls::Error },
}

/// The password on a file's first line.
#[derive(Debug, Deserialize)]
#[serde(try_from = "PathBuf")]
pub(crate) struct PasswordFile(pub(crate) Secret);

impl TryFrom<PathBuf> for PasswordFile {
    type Error = FileError;

    fn try_from(path: PathBuf) -> Result<Self, FileError> {
        let text = String::from_utf8(read(&path)?).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default().to_owned();
        Secret::try_from(first).map(Self).map_err(|_| FileError::NoPassword(path))
    }
}

/// The certificate of an authority.
#[derive(Deserialize)]
#[serde(try_from = "PathBuf")]
pub(crate) struct Authority(pub(crate) Certificate);

impl TryFrom<PathBuf> for Authority {
    type Error = FileError;

    fn try_from(path: PathBuf) -> Result<Self, FileError> {
        let pem = read(&path)?;
        Certificate::from_pem(&pem).map(Self).map_err(|error| FileError::NoCertificate { path, error })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(…)")
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let unreadable = |error| FileError::Unreadable { path: path.to_owned(), error };
    // Of a pipe or a device, one could read for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(FileError::Irregular(path.to_owned()));
    }
    fs::read(path).map_err(unreadable)
}
