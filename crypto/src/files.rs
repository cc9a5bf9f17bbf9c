//! The files that trust rests on, and whether they are still those that were read.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::expiry::Expiry;
use crate::load::{AnchorError, load};

/// Where the authority's certificate and its revocation list lie: `ca_cert_location` and `crl_location` of Python's
/// configuration, as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFiles {
    /// The authority's certificate in PEM; the first one in the file counts.
    pub ca: PathBuf,
    /// Its revocation list in PEM, the first one likewise. Without it nothing counts as revoked.
    pub crl: Option<PathBuf>,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    device: u64,
    inode: u64,
    len: u64,
    /// Seconds and nanoseconds. The time of the inode's change can't be set back by whoever writes the file.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The present state of the files; `None` for one that can't be looked at or isn't configured.
pub(crate) type Fingerprints = [Option<Fingerprint>; 2];

impl TrustFiles {
    /// When the authority's certificate and the revocation list are valid.
    ///
    /// # Errors
    /// One of them can't be loaded.
    pub fn expiries(&self) -> Result<Vec<Expiry>, AnchorError> {
        let (_, valid) = load(self)?;
        let paths = [Some(&self.ca), self.crl.as_ref()].into_iter().flatten();
        Ok(paths.zip(&valid).map(|(path, valid)| Expiry::new(path.clone(), valid)).collect())
    }

    pub(crate) fn fingerprints(&self) -> Fingerprints {
        let look = |path: &Path| fs::metadata(path).ok().map(|metadata| Fingerprint::new(&metadata));
        [look(&self.ca), self.crl.as_deref().and_then(look)]
    }
}

/// More than any authority's list has. Whatever is larger is the wrong file.
const LARGEST: u64 = 64 << 20;

pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    contents(open(path)?.0)
}

/// Opens a file, and nothing else: a pipe without a writer would hold up every message for ever, a device would never end.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok((file, metadata))
}

pub(crate) fn contents(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
