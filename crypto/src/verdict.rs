//! What is found out about a message, and the rule that it broke.

use std::sync::Arc;

use thiserror::Error;

/// Whose word a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its signature verifies, and who made it may send this topic.
    Valid {
        /// The common name in the signer's certificate.
        cn: Arc<str>,
    },
    /// It claims to be signed and broke a rule. To be treated as forged.
    Invalid {
        /// The rule.
        reason: Reason,
        /// The name in the certificate that came with it, as far as it could be read. For the log alone: unless the
        /// reason is the policy, anybody may have written it.
        cn: Option<Arc<str>>,
    },
    /// It has none of the fields that a signed message has.
    Unsigned,
}

impl Verdict {
    /// Whether the message can be trusted.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        matches!(self, Self::Valid { .. })
    }

    /// Whether it says less of the message than of the files that trust rests on: mended, they may say another thing.
    #[must_use]
    pub fn is_about_anchors(&self) -> bool {
        matches!(self, Self::Invalid { reason, .. } if reason.is_about_anchors())
    }
}

/// A [`Verdict::Invalid`] under way.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) reason: Reason,
    pub(crate) cn: Option<Arc<str>>,
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self { reason, cn: None }
    }
}

/// The rule that a message broke, in the order in which rules are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Reason {
    /// What was signed is the topic in the body, what it was routed by is the frame: they must be the same, as
    /// `fedmsg/consumers/__init__.py` demands.
    #[error("the topic in the body is not that of the topic frame")]
    TopicMismatch,
    /// `crypto` names something unheard of.
    #[error("`crypto` is neither x509 nor gpg")]
    UnknownBackend,
    /// Python's gpg backend signs only `msg`: anybody can put another topic, time and id around it.
    #[error(
        "signed by gpg, which leaves topic and id open to forgery and is not supported: let the sender use x509"
    )]
    Gpg,
    /// A field of a signed message isn't there.
    #[error("there is no `{0}`")]
    Missing(Field),
    /// A field is no JSON string, or one that no text can hold.
    #[error("`{0}` is not text")]
    NotText(Field),
    /// A field is no base64, even as leniently as Python reads it.
    #[error("`{0}` is not base64")]
    NotBase64(Field),
    /// The certificate can't be read, or different readers would read different ones.
    #[error("`certificate` holds no X.509 certificate in PEM")]
    NotACertificate,
    /// The authority's certificate can't be loaded: nothing can be trusted.
    #[error("the certificate of the authority cannot be loaded")]
    CaUnavailable,
    /// The revocation list can't be loaded: nothing can be trusted.
    #[error("the revocation list cannot be loaded")]
    CrlUnavailable,
    /// The certificate is out of date.
    #[error("the signer's certificate has expired")]
    Expired,
    /// The certificate's time is still to come.
    #[error("the signer's certificate is not yet valid")]
    NotYetValid,
    /// The authority has revoked the certificate.
    #[error("the signer's certificate is revoked")]
    Revoked,
    /// The authority's own certificate is out of date.
    #[error("the certificate of the authority has expired or is not yet valid")]
    CaExpired,
    /// The revocation list is out of date.
    #[error("the revocation list has expired or is not yet valid")]
    CrlExpired,
    /// The revocation list isn't the authority's, or it doesn't say what it must.
    #[error("the revocation list is not one of the authority's: {0}")]
    CrlForeign(&'static str),
    /// The certificate doesn't chain to the authority, for the reason that OpenSSL gives.
    #[error("the signer's certificate is not one of the authority's: {0}")]
    Untrusted(&'static str),
    /// The key in the certificate is of another kind than fedmsg signs with.
    #[error("the signer's key is not RSA")]
    NotRsa,
    /// The certificate names nobody, or by a name that is no text or longer than 1,024 bytes.
    #[error("the signer's certificate has no usable common name")]
    NoCommonName,
    /// The message isn't what was signed, or another key signed it.
    #[error("the signature is not that of the message")]
    BadSignature,
    /// The routing policy lists who may send the topic, and not the signer.
    #[error("the routing policy does not let the signer send this topic")]
    NotPermitted,
    /// The routing policy says nothing of the topic and is nitpicky.
    #[error("the routing policy is nitpicky and does not list this topic")]
    NotListed,
}

/// A field that makes a message a signed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Field {
    Crypto,
    Signature,
    Certificate,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Crypto => "crypto",
            Self::Signature => "signature",
            Self::Certificate => "certificate",
        })
    }
}

impl Reason {
    /// Whether the authority's certificate or the revocation list is at fault, whoever signed.
    #[must_use]
    pub fn is_about_anchors(&self) -> bool {
        matches!(
            self,
            Self::CaUnavailable
                | Self::CrlUnavailable
                | Self::CaExpired
                | Self::CrlExpired
                | Self::CrlForeign(_)
        )
    }

    /// The rule in a word, to count by. It stays the same from version to version.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TopicMismatch => "topic_mismatch",
            Self::UnknownBackend => "unknown_backend",
            Self::Gpg => "gpg",
            Self::Missing(_) => "missing_field",
            Self::NotText(_) => "not_text",
            Self::NotBase64(_) => "not_base64",
            Self::NotACertificate => "not_a_certificate",
            Self::CaUnavailable => "ca_unavailable",
            Self::CrlUnavailable => "crl_unavailable",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::CaExpired => "ca_expired",
            Self::CrlExpired => "crl_expired",
            Self::CrlForeign(_) => "crl_foreign",
            Self::Untrusted(_) => "untrusted",
            Self::NotRsa => "not_rsa",
            Self::NoCommonName => "no_common_name",
            Self::BadSignature => "bad_signature",
            Self::NotPermitted => "not_permitted",
            Self::NotListed => "not_listed",
        }
    }
}
