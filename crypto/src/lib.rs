#![forbid(unsafe_code)]
//! Whose word a message is: X.509 signatures as the Python fedmsg makes and checks them, the certificates behind
//! them, and who may say what.
//!
//! - [`Validator`]: tells of each message whether it is signed, by whom, and whether they may send it.
//! - [`Signer`]: signs what is sent.
//! - [`RoutingPolicy`]: which certificates may send which topics.
//! - [`make_development_ca`]: an authority to try all that out.
//!
//! The rules are those of `fedmsg/crypto/x509_ng.py`: what Python accepts is accepted, what it rejects, or fails on
//! with an exception, is rejected. Tests hold this crate against the real one. No other crate names OpenSSL, and no
//! type of it shows here.
//!
//! ```
//! use crypto::{Development, RoutingPolicy, Signer, TrustFiles, Validator, Verdict, make_development_ca};
//! use message::Envelope;
//!
//! # let scratch = tempfile::tempdir()?;
//! # let directory = scratch.path();
//! let files = make_development_ca(directory, &Development { names: &["shell-host"], ..Development::default() })?;
//! let signer = Signer::load(directory, "shell-host")?;
//! let body = signer.sign(br#"{"topic":"org.example.dev.logger.log","msg":{"log":"hello"}}"#)?;
//!
//! let trust = TrustFiles { ca: files.ca, crl: Some(files.crl) };
//! let validator = Validator::new(trust, RoutingPolicy::default());
//! let verdict = validator.validate("org.example.dev.logger.log", &Envelope::parse(&body)?);
//! assert_eq!(verdict, Verdict::Valid { cn: "shell-host".into() });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod anchors;
mod base64;
mod certificate;
mod certname;
mod development;
mod expiry;
mod files;
mod load;
mod pkcs1;
mod policy;
mod signer;
mod trust;
mod validator;
mod verdict;

pub use certname::{CertNames, UnknownCertName, hostname};
pub use development::{
    Development, DevelopmentError, DevelopmentFiles, make_development_ca, revoke_development_certificates,
};
pub use expiry::{Expiry, Stage};
pub use files::TrustFiles;
pub use load::AnchorError;
pub use policy::{PolicyProblem, RoutingPolicy};
pub use signer::{SignError, Signer, SignerError};
pub use validator::{Basis, Validator};
pub use verdict::{Field, Reason, Verdict};
