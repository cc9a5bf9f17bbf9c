//! `[crypto]`: whose word counts, and with what to sign. The keys are named as in Python's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crypto::{
    CertNames, RoutingPolicy, Signer, SignerError, TrustFiles, UnknownCertName, Validator, hostname,
};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

/// `[crypto]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CryptoSettings {
    /// Whether consumers get only messages whose signatures verify, unless their own tables say otherwise.
    pub validate_signatures: bool,
    /// The certificate of the authority that all others must come from, in PEM.
    pub ca_cert_location: PathBuf,
    /// Its revocation list, in PEM; none if empty, and then nothing counts as revoked.
    pub crl_location: PathBuf,
    /// The kinds of signatures that count.
    pub validate_backends: Vec<Backend>,
    /// So long before a certificate or the revocation list ends, it is told; never if zero.
    #[serde(with = "duration")]
    pub expiry_warning: Duration,
    /// Which certificates may send what: for a topic, or a glob, the common names of theirs.
    pub routing_policy: BTreeMap<String, BTreeSet<String>>,
    /// Whether topics that `routing_policy` doesn't list are closed to all, and not open to every certificate.
    pub routing_nitpicky: bool,
    /// Whether what is published here is signed.
    pub sign_messages: bool,
    /// The folder of the key pairs to sign with: `NAME.crt` and `NAME.key`.
    pub ssldir: PathBuf,
    /// For `service.host`, or `signing_relay`, the name of the key pair in `ssldir`.
    pub certnames: BTreeMap<String, String>,
    /// The service, in `certnames`, that plugins publish as.
    pub cert_prefix: String,
}

impl Default for CryptoSettings {
    fn default() -> Self {
        Self {
            validate_signatures: false,
            ca_cert_location: "/etc/pki/fedmsg/ca.crt".into(),
            crl_location: PathBuf::new(),
            validate_backends: vec![Backend::X509],
            expiry_warning: Duration::from_secs(30 * 24 * 3600),
            routing_policy: BTreeMap::new(),
            routing_nitpicky: false,
            sign_messages: false,
            ssldir: "/etc/pki/fedmsg".into(),
            certnames: BTreeMap::new(),
            cert_prefix: "fedmsg-hub".to_owned(),
        }
    }
}

/// A kind of signature, as Python's `crypto_validate_backends` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum Backend {
    /// By a certificate.
    X509,
}

/// A kind of signature that doesn't count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// Python's other one.
    #[error(
        "gpg is not supported: its signatures are over `msg` alone, so that anybody can put another topic, time and \
         id around a signed message; let its senders sign with x509, and leave gpg out"
    )]
    Gpg,
    /// Nobody knows it.
    #[error("unknown backend {0:?}; the one there is, is x509")]
    Unknown(String),
}

impl TryFrom<String> for Backend {
    type Error = BackendError;

    fn try_from(name: String) -> Result<Self, BackendError> {
        match &*name {
            "x509" => Ok(Self::X509),
            "gpg" => Err(BackendError::Gpg),
            _ => Err(BackendError::Unknown(name)),
        }
    }
}

/// There is nothing to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// Nobody said with what.
    #[error("crypto.{0}")]
    Unknown(#[from] UnknownCertName),
    /// It cannot be used.
    #[error("crypto.ssldir: {0}")]
    Signer(#[from] SignerError),
}

impl CryptoSettings {
    /// Only what says how to sign.
    #[must_use]
    pub fn signing(&self) -> Self {
        let Self { sign_messages, ssldir, certnames, cert_prefix, .. } = self.clone();
        Self { sign_messages, ssldir, certnames, cert_prefix, ..Self::default() }
    }

    /// Only what says whose word counts.
    #[must_use]
    pub fn trust(&self) -> Self {
        let default = Self::default().signing();
        let Self { sign_messages, ssldir, certnames, cert_prefix, .. } = default;
        Self { sign_messages, ssldir, certnames, cert_prefix, ..self.clone() }
    }

    /// Who may send what.
    #[must_use]
    pub fn policy(&self) -> RoutingPolicy {
        RoutingPolicy::new(self.routing_policy.clone(), self.routing_nitpicky)
    }

    /// The keys whose values cannot be, and what is wrong with them.
    pub(crate) fn out_of_range(&self) -> impl Iterator<Item = (&'static str, String)> {
        let none = "names nothing, so that no signature would count; name \"x509\", or set \
                    crypto.validate_signatures = false";
        let none = self.validate_backends.is_empty().then(|| ("validate_backends", none.to_owned()));
        let files = [("ca_cert_location", &self.ca_cert_location), ("crl_location", &self.crl_location)];
        let urls = files.into_iter().filter(|(_, path)| path.to_string_lossy().contains("://"));
        let url = "is a URL, where the Python fedmsg would fetch it; have it fetched into a file, day by day, and name \
                   that here";
        none.into_iter().chain(urls.map(move |(key, _)| (key, url.to_owned())))
    }

    /// What trust rests on.
    #[must_use]
    pub fn trust_files(&self) -> TrustFiles {
        let crl = Some(self.crl_location.clone()).filter(|path| !path.as_os_str().is_empty());
        TrustFiles { ca: self.ca_cert_location.clone(), crl }
    }

    /// Tells whose word a message is. Reads its files at once, and again when they have changed.
    #[must_use]
    pub fn validator(&self) -> Validator {
        Validator::new(self.trust_files(), self.policy())
    }

    /// The services that `certnames` has a key pair for on this host.
    pub fn services_here(&self) -> impl Iterator<Item = &str> {
        let host = hostname();
        self.certnames.keys().filter_map(move |key| {
            let service = key.rsplit_once('.').map_or(key.as_str(), |(service, _)| service);
            let is_here = match service {
                SIGNING_RELAY => key == service,
                _ => *key == CertNames::key(service, &host),
            };
            is_here.then_some(service)
        })
    }

    /// Signs for a service on this host, as `certnames` says; for the key `signing_relay`, as that.
    ///
    /// # Errors
    /// It is not in `certnames`, or the key pair cannot be used.
    pub fn signer(&self, service: &str) -> Result<Signer, SigningError> {
        Ok(Signer::load(&self.ssldir, &self.certname(service)?)?)
    }

    /// The same with the eyes of another user, who is to sign.
    ///
    /// # Errors
    /// As of [`signer`](Self::signer).
    pub fn signer_for(&self, user: u32, service: &str) -> Result<Signer, SigningError> {
        Ok(Signer::load_for(user, &self.ssldir, &self.certname(service)?)?)
    }

    fn certname(&self, service: &str) -> Result<String, UnknownCertName> {
        let names = CertNames::new(self.certnames.clone());
        let name = if service == SIGNING_RELAY { names.of(service) } else { names.of_service(service) }?;
        Ok(name.to_owned())
    }
}

/// The key in `certnames` that a relay signs as, whatever the host.
pub const SIGNING_RELAY: &str = "signing_relay";
