//! Signing what is sent.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use message::json::{self, Numbers};
use message::{Envelope, EnvelopeError};
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use rustix::process::geteuid;
use thiserror::Error;

use crate::anchors::Anchors;
use crate::certificate::{common_name, validity};
use crate::expiry::Expiry;
use crate::files::TrustFiles;
use crate::load::AnchorError;
use crate::verdict::Reason;
use crate::{base64, files, pkcs1};

/// A key pair that messages are signed with.
pub struct Signer {
    key: Rsa<Private>,
    /// As it stands in a message.
    certificate: String,
    cn: String,
    expiry: Expiry,
}

/// Why a key pair can't be used.
#[derive(Debug, Error)]
pub enum SignerError {
    /// A file can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner can get at the key.
    #[error(
        "{path} is a private key that others than its owner have access to (mode {mode:04o}): chmod 600 {path}"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another user has the key, and can sign with it, too.
    #[error(
        "{path} is a private key that belongs to user {owner}, and not to user {user}, who is to sign with it: chown \
         {user} {path}"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who is to sign with it.
        user: u32,
    },
    /// The file has no usable key.
    #[error("{path} holds no RSA private key in PEM without a passphrase")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The file has no usable certificate.
    #[error("{path} holds no X.509 certificate in PEM with a common name")]
    NotACertificate {
        /// The file.
        path: PathBuf,
    },
    /// They don't belong together.
    #[error("{key} is not the key of the certificate {certificate}: no signature made with it would verify")]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
}

/// Why a message can't be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// It is no message.
    #[error(transparent)]
    NotAMessage(#[from] EnvelopeError),
    /// OpenSSL failed.
    #[error("cannot sign: {0}")]
    Failed(#[source] io::Error),
}

impl Signer {
    /// Reads `ssldir/certname.crt` and `ssldir/certname.key`.
    ///
    /// # Errors
    /// [`SignerError`]; also when the key is another user's, or anybody but its owner may read or write it.
    pub fn load(ssldir: &Path, certname: &str) -> Result<Self, SignerError> {
        Self::load_for(geteuid().as_raw(), ssldir, certname)
    }

    /// The same for who looks after the pair of another user, who is to sign with it.
    ///
    /// # Errors
    /// As of [`load`](Self::load); that user has to have the key.
    pub fn load_for(user: u32, ssldir: &Path, certname: &str) -> Result<Self, SignerError> {
        let path = ssldir.join(format!("{certname}.crt"));
        let (key, certificate) = key_pair(user, ssldir, certname)?;
        let unusable = || SignerError::NotACertificate { path: path.clone() };
        let cn = common_name(&certificate).ok_or_else(unusable)?;
        let valid = validity(&certificate).map_err(|_| unusable())?;
        // What stands around it in the file is left out, as by Python.
        let certificate = token(&certificate.to_pem().map_err(|_| unusable())?);
        Ok(Self { key, certificate, cn: cn.as_ref().into(), expiry: Expiry::new(path, &valid) })
    }

    /// Signs a message body, byte for byte as Python's `fedmsg.crypto.sign` and `fedmsg.encoding.dumps` do. A
    /// signature that it already has is replaced.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn sign(&self, body: &[u8]) -> Result<Vec<u8>, SignError> {
        let body = with(Envelope::parse(body)?.body(), r#""crypto":"x509""#);
        let text = Envelope::parse(&body)?.signed_form(Numbers::Anew);
        let signature = pkcs1::sign(&self.key, &text).map_err(|error| SignError::Failed(error.into()))?;
        let fields = format!(r#""certificate":{},"signature":{}"#, self.certificate, token(&signature));
        let signed = with(&text, &fields);
        json::canonical(&String::from_utf8_lossy(&signed))
            .map_err(|error| EnvelopeError::NotJson(error).into())
    }

    /// The common name in the certificate.
    #[must_use]
    pub fn cn(&self) -> &str {
        &self.cn
    }

    /// Why those who go by these files don't believe what it signs, if they don't. What their routing policy says
    /// does not count here.
    ///
    /// # Errors
    /// The files can't be loaded.
    pub fn rejected_by(&self, files: &TrustFiles) -> Result<Option<Reason>, AnchorError> {
        let identity = Anchors::load(files)?.identity(&self.certificate);
        Ok(identity.err().map(|rejection| rejection.reason))
    }

    /// When the certificate expires. It goes on signing then, but nobody believes it.
    #[must_use]
    pub fn expiry(&self) -> &Expiry {
        &self.expiry
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("cn", &self.cn).finish_non_exhaustive()
    }
}

/// `ssldir/certname.key` and `ssldir/certname.crt`, which belong together.
pub(crate) fn key_pair(
    user: u32,
    ssldir: &Path,
    certname: &str,
) -> Result<(Rsa<Private>, X509), SignerError> {
    let key_path = ssldir.join(format!("{certname}.key"));
    let path = ssldir.join(format!("{certname}.crt"));
    let key = private_key(user, &key_path)?;
    let certificate = read_certificate(&path)?;
    let fits =
        certificate.public_key().and_then(|public| Ok(public.public_eq(&*PKey::from_rsa(key.clone())?)));
    match fits {
        Ok(true) => Ok((key, certificate)),
        _ => Err(SignerError::Mismatch { key: key_path, certificate: path }),
    }
}

pub(crate) fn read_certificate(path: &Path) -> Result<X509, SignerError> {
    let pem = files::read(path).map_err(|source| SignerError::Read { path: path.to_owned(), source })?;
    X509::from_pem(&pem).map_err(|_| SignerError::NotACertificate { path: path.to_owned() })
}

fn private_key(user: u32, path: &Path) -> Result<Rsa<Private>, SignerError> {
    let unreadable = |source| SignerError::Read { path: path.to_owned(), source };
    let (file, metadata) = files::open(path).map_err(unreadable)?;
    let owner = metadata.uid();
    if owner != user {
        return Err(SignerError::Foreign { path: path.to_owned(), owner, user });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SignerError::Exposed { path: path.to_owned(), mode });
    }
    let pem = files::contents(file).map_err(unreadable)?;
    // Without the callback OpenSSL would ask for a passphrase on the terminal.
    PKey::private_key_from_pem_callback(&pem, |_| Ok(0))
        .and_then(|key| key.rsa())
        .map_err(|_| SignerError::NotAKey { path: path.to_owned() })
}

/// Base64 as it stands in a message, in its quotes.
fn token(bytes: &[u8]) -> String {
    format!("\"{}\"", base64::encode(bytes).replace('\n', "\\n"))
}

/// A JSON object with more members behind its own.
fn with(object: &[u8], members: &str) -> Vec<u8> {
    let mut with = object.trim_ascii_end().to_vec();
    with.pop();
    if with.trim_ascii_end().last() != Some(&b'{') {
        with.push(b',');
    }
    with.extend_from_slice(members.as_bytes());
    with.push(b'}');
    with
}
