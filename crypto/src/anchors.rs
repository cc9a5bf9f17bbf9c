//! What trust rests on: an authority's certificate, its revocation list, and the certificates found good by them.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use message::json;
use openssl::sha::Sha256;
use openssl::stack::Stack;
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509StoreContext};

use crate::base64;
use crate::certificate::{Identity, common_name, from_pem, validity};
use crate::expiry::now;
use crate::files::TrustFiles;
use crate::load::{AnchorError, load};
use crate::verdict::{Field, Reason, Rejection};

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
    pub(crate) fn load(files: &TrustFiles) -> Result<Self, AnchorError> {
        let (store, valid) = load(files)?;
        Ok(Self { store, valid, trusted: Mutex::new(LruCache::new(REMEMBERED)) })
    }

    /// Which of the files is out of its time, so that nothing is trusted by it.
    pub(crate) fn out_of_date(&self, files: &TrustFiles) -> Option<AnchorError> {
        let [ca, crl] = &self.valid;
        let crl = files.crl.as_ref().map(|path| (path, crl, Reason::CrlExpired));
        let all = [Some((&files.ca, ca, Reason::CaExpired)), crl].into_iter().flatten();
        all.filter(|(_, valid, _)| !valid.contains(&now()))
            .map(|(path, valid, reason)| {
                let early = now() < valid.start;
                let problem = io::Error::other(if early { "it is not valid yet" } else { "it has expired" });
                AnchorError { path: path.clone(), reason, problem }
            })
            .next()
    }

    /// Whose certificate it is that stands in a message as this JSON text.
    pub(crate) fn identity(&self, certificate: &str) -> Result<Arc<Identity>, Rejection> {
        let mut digest = Sha256::new();
        digest.update(certificate.as_bytes());
        let digest = digest.finish();
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
        if !valid.contains(&now()) {
            // The authority's own certificate: OpenSSL looks for no list before it trusts that.
            return Err(reject(Reason::CrlExpired));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Development, make_development_ca};

    #[test]
    fn however_many_certificates_come_no_more_are_remembered_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let what = Development { names: &["shell"], ..Development::default() };
        let files = make_development_ca(folder.path(), &what).unwrap();
        let anchors = Anchors::load(&TrustFiles { ca: files.ca, crl: Some(files.crl) }).unwrap();
        let pem = std::fs::read_to_string(folder.path().join("shell.crt")).unwrap();
        let known = || anchors.trusted.lock().unwrap().len();
        for n in 0..10_000 {
            let text = format!("\"{}\"", openssl::base64::encode_block(format!("{n}\n{pem}").as_bytes()));
            assert_eq!(&*anchors.identity(&text).unwrap().cn, "shell");
            assert_eq!(known(), REMEMBERED.get().min(n + 1));
        }
        // What is not trusted takes nobody's place, nor any room.
        anchors.identity("\"AAAA\"").unwrap_err();
        assert_eq!(known(), REMEMBERED.get());
    }
}
