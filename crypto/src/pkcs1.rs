//! RSA signatures over SHA-1, PKCS#1 version 1.5 (RFC 8017, section 8.2): the one kind that fedmsg has.
//!
//! Made of OpenSSL's bare RSA operation and SHA-1 instead of its signing interface, which distributions that have
//! given SHA-1 up lock (Red Hat's and Fedora's `rh-allow-sha1-signatures`). It is also quicker.

use openssl::error::ErrorStack;
use openssl::pkey::{Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sha::Sha1;

/// The DER of a `DigestInfo` with SHA-1, up to the digest.
const SHA1_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14];

fn digest_info(text: &[u8]) -> [u8; 35] {
    // The one-shot function looks the digest up anew each time.
    let mut sha1 = Sha1::new();
    sha1.update(text);
    let mut info = [0; 35];
    let (head, digest) = info.split_at_mut(SHA1_INFO.len());
    head.copy_from_slice(&SHA1_INFO);
    digest.copy_from_slice(&sha1.finish());
    info
}

/// Whether `signature` is the key's over `text`.
pub(crate) fn verifies(key: &Rsa<Public>, text: &[u8], signature: &[u8]) -> bool {
    let size = key.size() as usize;
    let mut info = vec![0; size];
    // OpenSSL would take a shorter one; RFC 8017 and OpenSSL's own verification don't.
    signature.len() == size
        && key
            .public_decrypt(signature, &mut info, Padding::PKCS1)
            .is_ok_and(|len| info[..len] == digest_info(text))
}

/// The key's signature over `text`.
pub(crate) fn sign(key: &Rsa<Private>, text: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut signature = vec![0; key.size() as usize];
    let len = key.private_encrypt(&digest_info(text), &mut signature, Padding::PKCS1)?;
    signature.truncate(len);
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::sign::{Signer, Verifier};

    use super::*;

    #[test]
    fn signatures_are_those_of_openssl_and_any_other_byte_is_noticed() {
        let private = Rsa::generate(1024).unwrap();
        let public =
            Rsa::from_public_components(private.n().to_owned().unwrap(), private.e().to_owned().unwrap())
                .unwrap();
        let pair = PKey::from_rsa(private.clone()).unwrap();
        let signature = sign(&private, b"text").unwrap();
        let theirs = Signer::new(MessageDigest::sha1(), &pair).unwrap().sign_oneshot_to_vec(b"text").unwrap();
        assert_eq!(signature, theirs);
        assert!(
            Verifier::new(MessageDigest::sha1(), &pair).unwrap().verify_oneshot(&signature, b"text").unwrap()
        );

        assert!(verifies(&public, b"text", &signature));
        assert!(!verifies(&public, b"texT", &signature));
        for at in 0..signature.len() {
            let mut forged = signature.clone();
            forged[at] ^= 1;
            assert!(!verifies(&public, b"text", &forged), "byte {at}");
        }
        assert!(!verifies(&public, b"text", &signature[1..]));
        assert!(!verifies(&public, b"text", &[&[0], &*signature].concat()));
        assert!(!verifies(&public, b"text", b""));
    }

    #[test]
    fn a_signature_over_another_digest_is_none() {
        let private = Rsa::generate(1024).unwrap();
        let pair = PKey::from_rsa(private.clone()).unwrap();
        let public = Rsa::public_key_from_der(&private.public_key_to_der().unwrap()).unwrap();
        let sha256 =
            Signer::new(MessageDigest::sha256(), &pair).unwrap().sign_oneshot_to_vec(b"text").unwrap();
        assert!(!verifies(&public, b"text", &sha256));
        let mut bare = vec![0; 128];
        let len = private.private_encrypt(&openssl::sha::sha1(b"text"), &mut bare, Padding::PKCS1).unwrap();
        assert!(!verifies(&public, b"text", &bare[..len]));
    }
}
