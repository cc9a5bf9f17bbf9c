//! What an authority issues. No files here.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{
    X509, X509Builder, X509Crl, X509CrlBuilder, X509Name, X509NameBuilder, X509Revoked, X509RevokedBuilder,
};

use crate::expiry::now;

const DAY: i64 = 86_400;
/// Certificates begin a little in the past, for hosts whose clocks are behind.
const BEFORE: i64 = 3600;

/// When something is valid.
pub(super) struct Term {
    from: Asn1Time,
    pub(super) until: Asn1Time,
}

impl Term {
    pub(super) fn days(days: u32) -> Result<Self, ErrorStack> {
        Ok(Self { from: began()?, until: Asn1Time::from_unix(now() + i64::from(days) * DAY)? })
    }
}

fn began() -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(now() - BEFORE)
}

/// A key and its certificate.
pub(super) struct Issued {
    pub(super) key: PKey<Private>,
    pub(super) certificate: X509,
}

impl Issued {
    pub(super) fn new(key: Rsa<Private>, certificate: X509) -> Result<Self, ErrorStack> {
        Ok(Self { key: PKey::from_rsa(key)?, certificate })
    }
}

/// An authority that answers for itself.
pub(super) fn authority(cn: &str, term: &Term) -> Result<Issued, ErrorStack> {
    let key = Rsa::generate(2048)?;
    let mut usage = KeyUsage::new();
    usage.critical().key_cert_sign().crl_sign();
    let mut constraints = BasicConstraints::new();
    constraints.critical().ca();
    issue(cn, key, None, term, &usage, &constraints)
}

/// A key pair that messages are signed with.
pub(super) fn pair(cn: &str, ca: &Issued, term: &Term) -> Result<Issued, ErrorStack> {
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    issue(cn, Rsa::generate(2048)?, Some(ca), term, &usage, &BasicConstraints::new())
}

fn issue(
    cn: &str,
    key: Rsa<Private>,
    issuer: Option<&Issued>,
    term: &Term,
    usage: &KeyUsage,
    constraints: &BasicConstraints,
) -> Result<Issued, ErrorStack> {
    let key = PKey::from_rsa(key)?;
    let subject = name(cn)?;
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name()))?;
    builder.set_not_before(&term.from)?;
    builder.set_not_after(&term.until)?;
    builder.set_pubkey(&key)?;
    builder.append_extension(usage.build()?)?;
    builder.append_extension(constraints.build()?)?;
    let context = builder.x509v3_context(issuer.map(|issuer| &*issuer.certificate), None);
    let mut identifiers = vec![SubjectKeyIdentifier::new().build(&context)?];
    if issuer.is_some() {
        identifiers.push(AuthorityKeyIdentifier::new().keyid(true).build(&context)?);
    }
    for identifier in identifiers {
        builder.append_extension(identifier)?;
    }
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256())?;
    Ok(Issued { key, certificate: builder.build() })
}

/// What a list says of a certificate that counts no longer.
pub(super) fn revocation(certificate: &X509) -> Result<X509Revoked, ErrorStack> {
    let mut entry = X509RevokedBuilder::new()?;
    entry.set_serial_number(certificate.serial_number())?;
    entry.set_revocation_date(&*began()?)?;
    Ok(entry.build())
}

/// The authority's list of what it has revoked.
pub(super) fn revocation_list(
    ca: &Issued,
    revoked: Vec<X509Revoked>,
    until: &Asn1TimeRef,
) -> Result<X509Crl, ErrorStack> {
    let mut builder = X509CrlBuilder::new()?;
    builder.set_issuer_name(ca.certificate.subject_name())?;
    builder.set_last_update(&*began()?)?;
    builder.set_next_update(until)?;
    for entry in revoked {
        builder.add_revoked(entry)?;
    }
    let nobody = X509Builder::new()?;
    let context = nobody.x509v3_context(Some(&ca.certificate), None);
    builder.append_extension(AuthorityKeyIdentifier::new().keyid(true).build(&context)?)?;
    // Has to grow from list to list, as the clock does.
    let number = BigNum::from_dec_str(&now().to_string())?;
    builder.append_extension(CrlNumber::new(number)?.build()?)?;
    builder.sign(&ca.key, MessageDigest::sha256())?;
    builder.build()
}

fn name(cn: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, cn)?;
    Ok(name.build())
}
