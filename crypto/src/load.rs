//! The files that trust rests on, made into what OpenSSL checks certificates against.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey};
use openssl::rsa::Rsa;
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder, X509StoreBuilderRef};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{CrlStatus, X509, X509Builder, X509Crl, X509StoreContext};
use rustix::fs::MemfdFlags;
use thiserror::Error;

use crate::certificate::validity;
use crate::expiry::seconds;
use crate::files::{self, TrustFiles};
use crate::verdict::Reason;

/// Why nothing can be trusted.
#[derive(Debug, Error)]
#[error("{path}: {problem}; until that is mended, no signature is accepted")]
pub struct AnchorError {
    /// The file.
    pub path: PathBuf,
    /// The rule by which every signed message is rejected.
    pub reason: Reason,
    /// What is wrong with the file.
    #[source]
    pub problem: io::Error,
}

/// When the authority's certificate is valid, and when the revocation list: seconds since 1970.
pub(crate) type Validity = [Range<i64>; 2];

pub(crate) fn load(files: &TrustFiles) -> Result<(X509Store, Validity), AnchorError> {
    let error = |path: &Path, reason, problem| AnchorError { path: path.to_owned(), reason, problem };
    let of_ca = |problem| error(&files.ca, Reason::CaUnavailable, problem);
    let ca = read_ca(&files.ca).map_err(of_ca)?;
    let (mut store, ca_valid) = store_with(&ca).map_err(of_ca)?;
    let mut crl_valid = i64::MIN..i64::MAX;
    if let Some(path) = &files.crl {
        let of_crl = |problem| error(path, Reason::CrlUnavailable, problem);
        let crl = read_crl(path).map_err(of_crl)?;
        check_issuer(&crl, &ca).map_err(|words| error(path, Reason::CrlForeign(words), invalid(words)))?;
        crl_valid = add(&mut store, &crl).map_err(of_crl)?;
    }
    Ok((store.build(), [ca_valid, crl_valid]))
}

fn read_ca(path: &Path) -> io::Result<X509> {
    let ca = X509::from_pem(&files::read(path)?).map_err(|_| invalid("it holds no certificate in PEM"))?;
    // OpenSSL trusts nothing by it, and finds that out with the first message only.
    if ca.subject_name().try_cmp(ca.issuer_name())?.is_ne() {
        return Err(invalid("the certificate is not an authority's own: another authority has issued it"));
    }
    if let Some(words) = barred(&ca)? {
        return Err(invalid(&format!("nothing that is issued by this certificate counts: {words}")));
    }
    Ok(ca)
}

/// What OpenSSL has against certificates of this authority, whatever they are. It is asked, for its rules are many: one is
/// made that the authority has not signed, so that only that should be wrong with it. Times are looked at elsewhere.
fn barred(ca: &X509) -> io::Result<Option<&'static str>> {
    const SMALLEST: u32 = 512;
    const SIGNATURE: i32 = 7;
    const TIMES: [i32; 4] = [9, 10, 13, 14];
    // The kinds of key have to agree. There is no authority with another than RSA.
    if ca.public_key()?.id() != Id::RSA {
        return Ok(None);
    }
    let key = PKey::from_rsa(Rsa::generate(SMALLEST)?)?;
    let mut trial = X509Builder::new()?;
    trial.set_issuer_name(ca.subject_name())?;
    trial.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    trial.set_not_after(&*Asn1Time::days_from_now(1)?)?;
    trial.set_pubkey(&key)?;
    trial.sign(&key, MessageDigest::sha256())?;
    let store = store_with(ca)?.0.build();
    let error = X509StoreContext::new()?.init(&store, &trial.build(), &*Stack::new()?, |context| {
        context.verify_cert()?;
        Ok(context.error())
    })?;
    let is_barred = error.as_raw() != SIGNATURE && !TIMES.contains(&error.as_raw());
    Ok(is_barred.then(|| error.error_string()))
}

pub(crate) fn read_crl(path: &Path) -> io::Result<X509Crl> {
    X509Crl::from_pem(&files::read(path)?).map_err(|_| invalid("it holds no revocation list in PEM"))
}

fn invalid(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

fn store_with(ca: &X509) -> io::Result<(X509StoreBuilder, Range<i64>)> {
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(ca.clone())?;
    Ok((store, validity(ca)?))
}

/// OpenSSL would find that out, too, but with the first message; and only its versions before 3.6 mind when a list
/// revokes its own authority.
fn check_issuer(crl: &X509Crl, ca: &X509) -> Result<(), &'static str> {
    let same_name = crl.issuer_name().try_cmp(ca.subject_name()).is_ok_and(Ordering::is_eq);
    if !same_name || !ca.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false) {
        return Err("it is the revocation list of another authority");
    }
    match crl.get_by_cert(ca) {
        CrlStatus::Revoked(_) => Err("it revokes the authority itself"),
        _ => Ok(()),
    }
}

/// Crate openssl puts a revocation list into a store only from a file. This one is made of the one list, for Python
/// reads no more than the first of a file.
fn add(store: &mut X509StoreBuilderRef, crl: &X509Crl) -> io::Result<Range<i64>> {
    let mut file = File::from(rustix::fs::memfd_create("crl", MemfdFlags::CLOEXEC)?);
    file.write_all(&crl.to_pem()?)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    store.add_lookup(X509Lookup::file())?.load_crl_file(path, SslFiletype::PEM)?;
    store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    Ok(seconds(crl.last_update())?..crl.next_update().map_or(Ok(i64::MAX), seconds)?)
}
