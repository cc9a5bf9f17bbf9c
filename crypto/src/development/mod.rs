//! An authority for trying things out: its certificate, key pairs and a revocation list, made in one go. Here are the
//! files; what stands in them is made in [`issue`].

mod issue;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::x509::{CrlStatus, X509};
use rustix::process::geteuid;
use thiserror::Error;

use self::issue::{Issued, Term};
use crate::load::read_crl;
use crate::signer::{SignerError, key_pair, read_certificate};

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Development<'d> {
    /// The authority's own name.
    pub ca: &'d str,
    /// The key pairs: each name is common name and file name.
    pub names: &'d [&'d str],
    /// Further ones, which the revocation list revokes.
    pub revoked: &'d [&'d str],
    /// For how many days all of it is valid.
    pub days: u32,
    /// Whether files that are there are replaced.
    pub overwrite: bool,
}

impl Default for Development<'_> {
    fn default() -> Self {
        Self { ca: "development CA", names: &[], revoked: &[], days: 365, overwrite: false }
    }
}

/// Where everything lies. The directory is an `ssldir`; its key pairs are `NAME.crt` and `NAME.key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevelopmentFiles {
    /// The authority's certificate. Its key lies beside it, as `ca.key`.
    pub ca: PathBuf,
    /// The revocation list.
    pub crl: PathBuf,
}

impl DevelopmentFiles {
    fn of(directory: &Path) -> Self {
        Self { ca: directory.join("ca.crt"), crl: directory.join("crl.pem") }
    }
}

/// Why there is no such authority.
#[derive(Debug, Error)]
pub enum DevelopmentError {
    /// It can't name a file, or no certificate can have it for its common name.
    #[error(
        "{0:?} cannot name a key pair: it would have to be a plain file name of at most {LONGEST_NAME} characters \
         other than `ca`"
    )]
    Name(String),
    /// It would have to be overwritten.
    #[error("{path} is there already, and nothing is overwritten unless asked for")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The files of an authority, or a certificate of its, can't be read.
    #[error(transparent)]
    Unusable(#[from] SignerError),
    /// The revocation list can't be read.
    #[error("cannot read the revocation list {path}: {source}")]
    List {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Another authority made it.
    #[error("{path} is not a certificate of this authority, which cannot revoke it")]
    Foreign {
        /// The certificate's file.
        path: PathBuf,
    },
    /// OpenSSL failed.
    #[error("cannot make a certificate: {0}")]
    Failed(#[source] io::Error),
}

impl From<ErrorStack> for DevelopmentError {
    fn from(error: ErrorStack) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes an authority and all that belongs to it in `directory`. For development: whoever can read the directory can
/// sign anything.
///
/// # Errors
/// [`DevelopmentError`]. Unless it says otherwise, files made before it are left behind.
pub fn make_development_ca(
    directory: &Path,
    what: &Development<'_>,
) -> Result<DevelopmentFiles, DevelopmentError> {
    let names = || what.names.iter().chain(what.revoked).copied();
    names().try_for_each(check_name)?;
    let files = DevelopmentFiles::of(directory);
    if !what.overwrite {
        let pairs = names()
            .chain(["ca"])
            .flat_map(|name| [pair_file(directory, name, "key"), pair_file(directory, name, "crt")]);
        if let Some(path) = pairs.chain([files.crl.clone()]).find(|path| path.exists()) {
            return Err(DevelopmentError::Exists { path });
        }
    }
    fs::create_dir_all(directory)
        .map_err(|source| DevelopmentError::Write { path: directory.to_owned(), source })?;
    let term = Term::days(what.days)?;
    let ca = issue::authority(what.ca, &term)?;
    write_pair(directory, "ca", &ca)?;
    let mut revoked = Vec::new();
    for name in names() {
        let pair = issue::pair(name, &ca, &term)?;
        write_pair(directory, name, &pair)?;
        if what.revoked.contains(&name) {
            revoked.push(issue::revocation(&pair.certificate)?);
        }
    }
    write(&files.crl, PUBLIC, &issue::revocation_list(&ca, revoked, &term.until)?.to_pem()?)?;
    Ok(files)
}

/// Puts further certificates on the revocation list of the authority in `directory`, and moves the new list into the
/// old one's place, so that nobody ever reads half of it. Returns its path.
///
/// # Errors
/// [`DevelopmentError`]; the list is as it was.
pub fn revoke_development_certificates(
    directory: &Path,
    names: &[&str],
) -> Result<PathBuf, DevelopmentError> {
    names.iter().copied().try_for_each(check_name)?;
    let (key, certificate) = key_pair(geteuid().as_raw(), directory, "ca")?;
    let ca = Issued::new(key, certificate)?;
    let path = DevelopmentFiles::of(directory).crl;
    let old = read_crl(&path).map_err(|source| DevelopmentError::List { path: path.clone(), source })?;
    let mut revoked = Vec::new();
    for entry in old.get_revoked().into_iter().flatten() {
        revoked.push(entry.to_owned()?);
    }
    for name in names {
        let file = pair_file(directory, name, "crt");
        let certificate = read_certificate(&file)?;
        if !is_of(&ca, &certificate) {
            return Err(DevelopmentError::Foreign { path: file });
        }
        if matches!(old.get_by_cert(&certificate), CrlStatus::NotRevoked) {
            revoked.push(issue::revocation(&certificate)?);
        }
    }
    let until = ca.certificate.not_after();
    write(&path, PUBLIC, &issue::revocation_list(&ca, revoked, until)?.to_pem()?)?;
    Ok(path)
}

/// The longest common name that X.509 allows (RFC 5280, `ub-common-name`).
const LONGEST_NAME: usize = 64;
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

fn check_name(name: &str) -> Result<(), DevelopmentError> {
    let is_good = (1..=LONGEST_NAME).contains(&name.chars().count())
        && name != "ca"
        && !name.starts_with('.')
        && !name.contains(|c: char| c == '/' || c.is_control());
    if is_good { Ok(()) } else { Err(DevelopmentError::Name(name.to_owned())) }
}

fn is_of(ca: &Issued, certificate: &X509) -> bool {
    certificate.verify(&ca.key).unwrap_or(false)
}

fn pair_file(directory: &Path, name: &str, kind: &str) -> PathBuf {
    directory.join(format!("{name}.{kind}"))
}

fn write_pair(directory: &Path, name: &str, pair: &Issued) -> Result<(), DevelopmentError> {
    write(&pair_file(directory, name, "key"), SECRET, &pair.key.private_key_to_pem_pkcs8()?)?;
    write(&pair_file(directory, name, "crt"), PUBLIC, &pair.certificate.to_pem()?)
}

/// By way of a new file: the permissions of one that was there don't count, and readers see the old one or the new.
fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), DevelopmentError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let write = || {
        // Left behind by one that was killed.
        drop(fs::remove_file(&new));
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?.write_all(bytes)?;
        fs::rename(&new, path)
    };
    write().map_err(|source| DevelopmentError::Write { path: path.to_owned(), source })
}
