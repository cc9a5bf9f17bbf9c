//! What trust rests on: an authority's certificate, its revocation list, and the certificates found good by them.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use message::json;
use openssl::sha::sha256;
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder, X509StoreBuilderRef};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Crl, X509StoreContext};
use rustix::fs::MemfdFlags;
use thiserror::Error;

use crate::base64;
use crate::certificate::{Identity, common_name, from_pem, validity};
use crate::expiry::{Expiry, now, seconds};
use crate::files::{self, TrustFiles};
use crate::verdict::{Field, Reason, Rejection};

/// Why nothing can be trusted.
#[derive(Debug, Error)]
#[error("{path} cannot be used as {role}: {problem}; until that is mended, no signature is accepted")]
pub struct AnchorError {
    /// The file.
    pub path: PathBuf,
    /// What it should have been.
    pub role: Role,
    /// What is wrong with it.
    #[source]
    pub problem: io::Error,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The authority's certificate.
    Ca,
    /// Its revocation list.
    Crl,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ca => "the certificate authority",
            Self::Crl => "the revocation list",
        })
    }
}

impl AnchorError {
    pub(crate) fn reason(&self) -> Reason {
        match self.role {
            Role::Ca => Reason::CaUnavailable,
            Role::Crl => Reason::CrlUnavailable,
        }
    }
}

/// The certificates that are remembered. A bus has some hundreds.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// One state of the files. When they change, another takes its place, and what it remembers goes with it.
pub(crate) struct Anchors {
    store: X509Store,
    /// Of the authority's certificate, of the revocation list, each in seconds since 1970.
    valid: [Range<i64>; 2],
    /// Those found good, by the digest of their JSON text.
    trusted: Mutex<LruCache<[u8; 32], Arc<Identity>>>,
}

impl Anchors {
    /// Reads the files.
    pub(crate) fn load(files: &TrustFiles) -> Result<Self, AnchorError> {
        let mut store = X509StoreBuilder::new().map_err(|error| failed(Role::Ca, &files.ca, error.into()))?;
        let ca = add_ca(&mut store, &files.ca).map_err(|problem| failed(Role::Ca, &files.ca, problem))?;
        let crl = match &files.crl {
            Some(path) => add_crl(&mut store, path).map_err(|problem| failed(Role::Crl, path, problem))?,
            None => i64::MIN..i64::MAX,
        };
        Ok(Self { store: store.build(), valid: [ca, crl], trusted: Mutex::new(LruCache::new(REMEMBERED)) })
    }

    /// Whose certificate it is that stands in a message as this JSON text.
    pub(crate) fn identity(&self, certificate: &str) -> Result<Arc<Identity>, Rejection> {
        let digest = sha256(certificate.as_bytes());
        let known = self.trusted.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(identity) = known.filter(|identity| identity.valid.contains(&now())) {
            return Ok(identity);
        }
        let identity = Arc::new(self.examine(certificate)?);
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        trusted.put(digest, Arc::clone(&identity));
        Ok(identity)
    }

    fn examine(&self, certificate: &str) -> Result<Identity, Rejection> {
        let text = json::decode(certificate).ok_or(Reason::NotText(Field::Certificate))?;
        let text = base64::decode(&text).ok_or(Reason::NotBase64(Field::Certificate))?;
        let certificate = from_pem(&text).ok_or(Reason::NotACertificate)?;
        let cn = common_name(&certificate);
        let reject = |reason| Rejection { reason, cn: cn.clone() };
        self.check_chain(&certificate).map_err(reject)?;
        let key = certificate.public_key().and_then(|key| key.rsa()).map_err(|_| reject(Reason::NotRsa))?;
        let mut valid = validity(&certificate).map_err(|_| reject(Reason::NotACertificate))?;
        for other in &self.valid {
            valid = valid.start.max(other.start)..valid.end.min(other.end);
        }
        let cn = cn.ok_or(Reason::NoCommonName)?;
        Ok(Identity { cn, key, valid })
    }

    /// What pyOpenSSL's `X509StoreContext.verify_certificate` checks, by the same function of OpenSSL.
    fn check_chain(&self, certificate: &X509) -> Result<(), Reason> {
        let check = || {
            X509StoreContext::new()?.init(&self.store, certificate, &*Stack::new()?, |context| {
                let good = context.verify_cert()?;
                Ok((good, context.error(), context.error_depth()))
            })
        };
        match check() {
            Ok((true, ..)) => Ok(()),
            Ok((false, error, depth)) => Err(broken(error.as_raw(), depth, error.error_string())),
            Err(_) => Err(Reason::Untrusted("it cannot be checked")),
        }
    }

    /// When the files' time ends.
    pub(crate) fn expiries(&self, files: &TrustFiles) -> Vec<Expiry> {
        let paths = [Some(&files.ca), files.crl.as_ref()].into_iter().flatten();
        paths.zip(&self.valid).map(|(path, valid)| Expiry::new(path.clone(), valid.end)).collect()
    }
}

fn failed(role: Role, path: &Path, problem: io::Error) -> AnchorError {
    AnchorError { path: path.to_owned(), role, problem }
}

fn add_ca(store: &mut X509StoreBuilderRef, path: &Path) -> io::Result<Range<i64>> {
    let ca = X509::from_pem(&files::read(path)?).map_err(|_| not_pem("certificate"))?;
    let valid = validity(&ca)?;
    store.add_cert(ca)?;
    Ok(valid)
}

fn add_crl(store: &mut X509StoreBuilderRef, path: &Path) -> io::Result<Range<i64>> {
    let crl = X509Crl::from_pem(&files::read(path)?).map_err(|_| not_pem("revocation list"))?;
    let end = crl.next_update().map_or(Ok(i64::MAX), seconds)?;
    let valid = seconds(crl.last_update())?..end;
    // Crate openssl puts a list into a store only from a file. This one holds just the first list, which is all that
    // Python reads of it.
    let mut file = File::from(rustix::fs::memfd_create("crl", MemfdFlags::CLOEXEC)?);
    file.write_all(&crl.to_pem()?)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    store.add_lookup(X509Lookup::file())?.load_crl_file(path, SslFiletype::PEM)?;
    store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    Ok(valid)
}

fn not_pem(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it holds no {what} in PEM"))
}

/// The rule behind an error of OpenSSL's, named in `openssl/x509_vfy.h`. At depth 0 is the signer's certificate.
fn broken(error: i32, depth: u32, words: &'static str) -> Reason {
    match (error, depth) {
        (9, 0) => Reason::NotYetValid,
        (10, 0) => Reason::Expired,
        (9 | 10, _) => Reason::CaExpired,
        (11 | 12, _) => Reason::CrlExpired,
        (23, _) => Reason::Revoked,
        // No list of that issuer; its signature; who issued it; its key may not; what it says and covers.
        (3 | 8 | 33 | 35 | 36 | 44, _) => Reason::CrlForeign(words),
        _ => Reason::Untrusted(words),
    }
}
