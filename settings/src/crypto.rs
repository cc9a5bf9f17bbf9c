//! `[crypto]`: whose word counts, and with what to sign. The keys are named as in Python's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crypto::{CertNames, RoutingPolicy, Signer, SignerError, TrustFiles, UnknownCertName, Validator};
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
            routing_policy: BTreeMap::new(),
            routing_nitpicky: false,
            sign_messages: false,
            ssldir: "/etc/pki/fedmsg".into(),
            certnames: BTreeMap::new(),
            cert_prefix: "fedmsg-hub".to_owned(),
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
    /// Who may send what.
    #[must_use]
    pub fn policy(&self) -> RoutingPolicy {
        RoutingPolicy::new(self.routing_policy.clone(), self.routing_nitpicky)
    }

    /// Tells whose word a message is. Its files are read when the first message comes.
    #[must_use]
    pub fn validator(&self) -> Validator {
        let crl = Some(self.crl_location.clone()).filter(|path| !path.as_os_str().is_empty());
        Validator::new(TrustFiles { ca: self.ca_cert_location.clone(), crl }, self.policy())
    }

    /// Signs for a service on this host, as `certnames` says; for the key `signing_relay`, as that.
    ///
    /// # Errors
    /// It is not in `certnames`, or the key pair cannot be used.
    pub fn signer(&self, service: &str) -> Result<Signer, SigningError> {
        let names = CertNames::new(self.certnames.clone());
        let name = if service == SIGNING_RELAY { names.of(service) } else { names.of_service(service) }?;
        Ok(Signer::load(&self.ssldir, name)?)
    }
}

/// The key in `certnames` that a relay signs as, whatever the host.
pub const SIGNING_RELAY: &str = "signing_relay";
