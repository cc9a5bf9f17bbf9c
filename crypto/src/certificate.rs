//! The certificate in a message: read as Python reads it, before anybody trusts it.

use std::ops::Range;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Public;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameEntryRef};

use crate::expiry::seconds;

/// The first certificate in a PEM text, text around it and further ones notwithstanding.
///
/// Python reads the text twice, with OpenSSL to check the chain, and with crate `pem` (in the package cryptography)
/// for key and name. Whoever finds a text of which the two read different certificates can there sign with one and
/// be trusted for the other. Here only what both read alike is a certificate.
pub(crate) fn from_pem(text: &[u8]) -> Option<X509> {
    // OpenSSL would ask for the passphrase of an encrypted block, on the terminal.
    if text.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) {
        return None;
    }
    let blocks = pem::parse_many(text).ok()?;
    let block = blocks.iter().find(|block| matches!(block.tag(), "CERTIFICATE" | "X509 CERTIFICATE"))?;
    let certificate = X509::from_pem(text).ok()?;
    // Also unequal if anything follows the certificate in its block, which OpenSSL lets pass.
    (certificate.to_der().ok()? == block.contents()).then_some(certificate)
}

const ENCRYPTED: &[u8] = b"Proc-Type";

/// What a trusted certificate says.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Whose signature it is.
    pub(crate) cn: Arc<str>,
    /// What its signatures are verified with.
    pub(crate) key: Rsa<Public>,
    /// When it, and all that makes it trusted, is valid: seconds since 1970.
    pub(crate) valid: Range<i64>,
}

/// The first of the common names, as Python's cryptography decodes it. One that is longer than [`LONGEST_NAME`] is none.
pub(crate) fn common_name(certificate: &X509) -> Option<Arc<str>> {
    let entry = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next()?;
    text(entry).filter(|name| name.len() <= LONGEST_NAME).map(Arc::from)
}

/// Names are kept with messages, and logged. X.509 allows 64 characters; Python, any number.
const LONGEST_NAME: usize = 1024;

fn text(entry: &X509NameEntryRef) -> Option<String> {
    let raw = entry.data().as_slice();
    // Not exact where OpenSSL's text is no UTF-8.
    let decoded = entry.data().to_string().ok()?;
    let exact = raw == decoded.as_bytes()
        || raw.iter().copied().eq(decoded.encode_utf16().flat_map(u16::to_be_bytes))
        || raw.iter().copied().eq(decoded.chars().flat_map(|c| u32::from(c).to_be_bytes()));
    if exact {
        return Some(decoded);
    }
    // OpenSSL takes a string of bytes for Latin-1, and cryptography for UTF-8.
    let bytewise = decoded.chars().count() == raw.len();
    if bytewise { String::from_utf8(raw.to_vec()).ok() } else { None }
}

/// When the certificate is valid, seconds since 1970.
pub(crate) fn validity(certificate: &X509) -> Result<Range<i64>, ErrorStack> {
    Ok(seconds(certificate.not_before())?..seconds(certificate.not_after())?)
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;

    use super::*;

    fn pem() -> String {
        let key = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        String::from_utf8(builder.build().to_pem().unwrap()).unwrap()
    }

    #[test]
    fn the_first_certificate_is_read_whatever_stands_around_it() {
        let (one, other) = (pem(), pem());
        let read = |text: &str| from_pem(text.as_bytes()).map(|found| found.to_pem().unwrap());
        assert_eq!(read(&one).unwrap(), one.as_bytes());
        assert_eq!(read(&format!("text\n{one}text\n{other}")).unwrap(), one.as_bytes());
        assert_eq!(
            read(&format!(" {one}{other}")),
            None,
            "OpenSSL reads the second one, crate pem the first"
        );
        assert_eq!(read("text"), None);
    }

    #[test]
    fn nothing_that_could_ask_for_a_passphrase_is_read() {
        let pem = pem();
        assert!(from_pem(format!("Proc-Typ\n{pem}").as_bytes()).is_some());
        assert!(from_pem(format!("Proc-Type\n{pem}").as_bytes()).is_none());
    }
}
