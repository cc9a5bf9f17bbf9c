//! An authority for trying things out: its certificate, key pairs, a revocation list, in one go.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509CrlBuilder, X509Name, X509NameBuilder, X509RevokedBuilder};
use thiserror::Error;

use crate::expiry::now;

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
}

impl Default for Development<'_> {
    fn default() -> Self {
        Self { ca: "development CA", names: &[], revoked: &[], days: 365 }
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

/// Why there is no such authority.
#[derive(Debug, Error)]
pub enum DevelopmentError {
    /// It can't name a file.
    #[error("{0:?} cannot name a key pair: it would have to be a plain file name other than `ca`")]
    Name(String),
    /// A file can't be written; one that is there is not replaced.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
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

/// Makes an authority and all that belongs to it in `directory`, which must exist. For development: whoever can read
/// the directory can sign anything.
///
/// # Errors
/// [`DevelopmentError`]; files made before it are left behind.
pub fn make_development_ca(
    directory: &Path,
    what: &Development<'_>,
) -> Result<DevelopmentFiles, DevelopmentError> {
    let names = || what.names.iter().chain(what.revoked);
    if let Some(name) = names().find(|name| !is_file_name(name)) {
        return Err(DevelopmentError::Name((*name).to_owned()));
    }
    let maker = Maker { directory, until: now() + i64::from(what.days) * DAY };
    let ca = maker.pair("ca", what.ca, None)?;
    for name in what.names {
        maker.pair(name, name, Some(&ca))?;
    }
    let mut revoked = Vec::new();
    for name in what.revoked {
        revoked.push(maker.pair(name, name, Some(&ca))?.certificate);
    }
    let crl = maker.revocation_list(&ca, &revoked)?;
    Ok(DevelopmentFiles { ca: directory.join("ca.crt"), crl })
}

const DAY: i64 = 86_400;
/// Certificates begin a little in the past, for hosts whose clocks are behind.
const BEFORE: i64 = 3600;

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name != "ca" && !name.starts_with('.') && !name.contains(['/', '\0'])
}

struct Maker<'m> {
    directory: &'m Path,
    until: i64,
}

struct Pair {
    certificate: X509,
    key: PKey<Private>,
}

impl Maker<'_> {
    /// A key and its certificate, by `issuer` or else by itself, and the files with both.
    fn pair(&self, file: &str, cn: &str, issuer: Option<&Pair>) -> Result<Pair, DevelopmentError> {
        let key = PKey::from_rsa(Rsa::generate(2048)?)?;
        let certificate = self.certificate(cn, &key, issuer)?;
        self.write(&format!("{file}.key"), 0o600, &key.private_key_to_pem_pkcs8()?)?;
        self.write(&format!("{file}.crt"), 0o644, &certificate.to_pem()?)?;
        Ok(Pair { certificate, key })
    }

    fn certificate(&self, cn: &str, key: &PKey<Private>, issuer: Option<&Pair>) -> Result<X509, ErrorStack> {
        let subject = name(cn)?;
        let mut serial = BigNum::new()?;
        serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
        let mut builder = X509Builder::new()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*serial.to_asn1_integer()?)?;
        builder.set_subject_name(&subject)?;
        builder.set_issuer_name(issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name()))?;
        builder.set_not_before(&*Asn1Time::from_unix(now() - BEFORE)?)?;
        builder.set_not_after(&*Asn1Time::from_unix(self.until)?)?;
        builder.set_pubkey(key)?;
        let mut usage = KeyUsage::new();
        let mut constraints = BasicConstraints::new();
        match issuer {
            None => {
                usage.key_cert_sign().crl_sign();
                constraints.critical().ca();
            }
            Some(_) => {
                usage.digital_signature();
            }
        }
        builder.append_extension(usage.critical().build()?)?;
        builder.append_extension(constraints.build()?)?;
        let context = builder.x509v3_context(issuer.map(|issuer| &*issuer.certificate), None);
        let mut identifiers = vec![SubjectKeyIdentifier::new().build(&context)?];
        if issuer.is_some() {
            identifiers.push(AuthorityKeyIdentifier::new().keyid(true).build(&context)?);
        }
        for identifier in identifiers {
            builder.append_extension(identifier)?;
        }
        builder.sign(issuer.map_or(key, |issuer| &issuer.key), MessageDigest::sha256())?;
        Ok(builder.build())
    }

    fn revocation_list(&self, ca: &Pair, revoked: &[X509]) -> Result<PathBuf, DevelopmentError> {
        let began = Asn1Time::from_unix(now() - BEFORE)?;
        let mut builder = X509CrlBuilder::new()?;
        builder.set_issuer_name(ca.certificate.subject_name())?;
        builder.set_last_update(&began)?;
        builder.set_next_update(&*Asn1Time::from_unix(self.until)?)?;
        for certificate in revoked {
            let mut entry = X509RevokedBuilder::new()?;
            entry.set_serial_number(certificate.serial_number())?;
            entry.set_revocation_date(&began)?;
            builder.add_revoked(entry.build())?;
        }
        let nobody = X509Builder::new()?;
        let context = nobody.x509v3_context(Some(&ca.certificate), None);
        builder.append_extension(AuthorityKeyIdentifier::new().keyid(true).build(&context)?)?;
        builder.append_extension(CrlNumber::new(BigNum::from_u32(1)?)?.build()?)?;
        builder.sign(&ca.key, MessageDigest::sha256())?;
        self.write("crl.pem", 0o644, &builder.build()?.to_pem()?)
    }

    fn write(&self, name: &str, mode: u32, bytes: &[u8]) -> Result<PathBuf, DevelopmentError> {
        let path = self.directory.join(name);
        let write =
            || OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?.write_all(bytes);
        write().map_err(|source| DevelopmentError::Write { path: path.clone(), source })?;
        Ok(path)
    }
}

fn name(cn: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, cn)?;
    Ok(name.build())
}
