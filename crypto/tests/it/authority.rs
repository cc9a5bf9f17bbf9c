//! An authority whose certificates and lists last as long as a test wants, with any digest.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crypto::TrustFiles;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, CrlNumber, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Builder, X509CrlBuilder, X509Name, X509NameBuilder, X509RevokedBuilder};

pub(crate) const HOUR: i64 = 3600;

pub(crate) struct Authority {
    folder: PathBuf,
    digest: MessageDigest,
    key: PKey<Private>,
    pub(crate) certificate: X509,
}

impl Authority {
    /// Its files are `ca.crt` and `crl.pem`; the list is empty at first.
    pub(crate) fn new(folder: &Path, digest: MessageDigest, lasts: i64) -> Self {
        Self::constrained(folder, digest, lasts, BasicConstraints::new().critical().ca())
    }

    /// The same, of which its certificate says this.
    pub(crate) fn constrained(
        folder: &Path,
        digest: MessageDigest,
        lasts: i64,
        constraints: &BasicConstraints,
    ) -> Self {
        let key = new_key();
        let mut builder = unsigned("authority", "authority", &key, lasts);
        builder.append_extension(constraints.build().unwrap()).unwrap();
        let context = builder.x509v3_context(None, None);
        let identifier = SubjectKeyIdentifier::new().build(&context).unwrap();
        builder.append_extension(identifier).unwrap();
        builder.sign(&key, digest).unwrap();
        let authority = Self { folder: folder.to_owned(), digest, key, certificate: builder.build() };
        replace(&folder.join("ca.crt"), &authority.certificate.to_pem().unwrap());
        authority.revoke(&[], HOUR);
        authority
    }

    pub(crate) fn files(&self) -> TrustFiles {
        TrustFiles { ca: self.folder.join("ca.crt"), crl: Some(self.folder.join("crl.pem")) }
    }

    /// Makes `name.crt` and `name.key`.
    pub(crate) fn pair(&self, name: &str, lasts: i64) -> X509 {
        let key = new_key();
        let mut builder = unsigned(name, "authority", &key, lasts);
        builder.sign(&self.key, self.digest).unwrap();
        let certificate = builder.build();
        replace(&self.folder.join(format!("{name}.crt")), &certificate.to_pem().unwrap());
        let path = self.folder.join(format!("{name}.key"));
        replace(&path, &key.private_key_to_pem_pkcs8().unwrap());
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
        certificate
    }

    /// Puts another revocation list in the place of the present one.
    pub(crate) fn revoke(&self, revoked: &[&X509], lasts: i64) {
        self.revoke_from(-HOUR, revoked, lasts);
    }

    /// The same with a list that counts so many seconds from now.
    pub(crate) fn revoke_from(&self, from: i64, revoked: &[&X509], lasts: i64) {
        let mut builder = X509CrlBuilder::new().unwrap();
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        builder.set_last_update(&at(from)).unwrap();
        builder.set_next_update(&at(lasts)).unwrap();
        for certificate in revoked {
            let mut entry = X509RevokedBuilder::new().unwrap();
            entry.set_serial_number(certificate.serial_number()).unwrap();
            entry.set_revocation_date(&at(-HOUR)).unwrap();
            builder.add_revoked(entry.build()).unwrap();
        }
        let nobody = X509::builder().unwrap();
        let context = nobody.x509v3_context(Some(&self.certificate), None);
        builder.append_extension(AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap()).unwrap();
        let number = CrlNumber::new(BigNum::from_u32(1).unwrap()).unwrap();
        builder.append_extension(number.build().unwrap()).unwrap();
        builder.sign(&self.key, self.digest).unwrap();
        replace(&self.folder.join("crl.pem"), &builder.build().unwrap().to_pem().unwrap());
    }
}

/// An authority's certificate of X.509 version 1, which can say nothing of itself.
pub(crate) fn of_version_1() -> X509 {
    let key = new_key();
    let mut builder = unsigned("authority", "authority", &key, HOUR);
    builder.set_version(0).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// As careful operators do it: at no time is there half a file.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn unsigned(cn: &str, issuer: &str, key: &PKey<Private>, lasts: i64) -> X509Builder {
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(fastrand::u32(1..)).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name(cn)).unwrap();
    builder.set_issuer_name(&name(issuer)).unwrap();
    builder.set_not_before(&at(-HOUR)).unwrap();
    builder.set_not_after(&at(lasts)).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
}

fn new_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap()
}

fn name(cn: &str) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, cn).unwrap();
    name.build()
}

/// So many seconds from now.
fn at(seconds: i64) -> Asn1Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Asn1Time::from_unix(i64::try_from(now).unwrap() + seconds).unwrap()
}
