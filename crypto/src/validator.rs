//! Messages in, verdicts out.

use std::sync::Arc;
use std::time::Duration;

use message::Envelope;
use message::json::{self, Numbers};

use crate::files::TrustFiles;
use crate::load::AnchorError;
use crate::policy::RoutingPolicy;
use crate::trust::{State, Trust};
use crate::verdict::{Field, Reason, Rejection, Verdict};
use crate::{base64, pkcs1};

/// Tells whose word a message is. One serves all threads.
///
/// The files are looked at once in [`Validator::RECHECK`] and read again when they have changed. While one of them
/// can't be loaded, no signature is accepted; that is logged once and isn't the end: it works again when they do.
///
/// Certificates found good are remembered until their time, or the authority's or the revocation list's, ends, or the
/// files change.
pub struct Validator {
    trust: Trust,
    policy: RoutingPolicy,
}

/// What verdicts rest on: what was once read from the files, by one validator. No other reading is equal to it, even of the
/// same files, so that verdicts given between two looks at the same basis rest on that alone.
#[derive(Clone)]
pub struct Basis(Arc<State>);

impl PartialEq for Basis {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Validator {
    /// For so long a change of the files may go unnoticed.
    pub const RECHECK: Duration = Duration::from_secs(1);

    /// Trusts what the files say, and allows what the policy does.
    #[must_use]
    pub fn new(files: TrustFiles, policy: RoutingPolicy) -> Self {
        Self::with_recheck(files, policy, Self::RECHECK)
    }

    /// Like [`Self::new`], but looks at the files as often as this says; with zero, for each message.
    #[must_use]
    pub fn with_recheck(files: TrustFiles, policy: RoutingPolicy, recheck: Duration) -> Self {
        Self { trust: Trust::new(files, recheck), policy }
    }

    /// What `fedmsg/consumers/__init__.py` and `fedmsg/crypto` find out about a message that came with `topic` in its
    /// topic frame.
    #[must_use]
    pub fn validate(&self, topic: &str, envelope: &Envelope<'_>) -> Verdict {
        let verdict = claim(topic, envelope).map_err(Rejection::from).and_then(|claim| match claim {
            Some(claim) => self.verify(topic, envelope, &claim).map(|cn| Verdict::Valid { cn }),
            None => Ok(Verdict::Unsigned),
        });
        verdict.unwrap_or_else(|Rejection { reason, cn }| Verdict::Invalid { reason, cn })
    }

    /// Why no signature at all is accepted now, if that is so: a file can't be loaded, or is out of its time. Needs no
    /// message to find out.
    #[must_use]
    pub fn trouble(&self) -> Option<Arc<AnchorError>> {
        self.trust.trouble()
    }

    /// What it goes by now.
    #[must_use]
    pub fn basis(&self) -> Basis {
        Basis(self.trust.current())
    }

    /// Who signed it.
    fn verify(&self, topic: &str, envelope: &Envelope<'_>, claim: &Claim<'_>) -> Result<Arc<str>, Rejection> {
        let state = self.trust.current();
        let anchors = state.anchors.as_ref().map_err(|error| error.reason)?;
        let identity = anchors.identity(claim.certificate)?;
        let rejected = |reason| Rejection { reason, cn: Some(Arc::clone(&identity.cn)) };
        let verifies = |text: &[u8]| pkcs1::verifies(&identity.key, text, &claim.signature);
        let verbatim = envelope.signed_form(Numbers::Verbatim);
        if !verifies(&verbatim) {
            let anew = envelope.signed_form(Numbers::Anew);
            if anew == verbatim || !verifies(&anew) {
                return Err(rejected(Reason::BadSignature));
            }
        }
        self.policy.check(topic, &identity.cn).map_err(rejected)?;
        Ok(Arc::clone(&identity.cn))
    }
}

/// What a message says of its signature, before any of it is believed.
struct Claim<'e> {
    signature: Vec<u8>,
    /// As JSON text.
    certificate: &'e str,
}

/// `None` for a message that claims nothing.
fn claim<'e>(topic: &str, envelope: &Envelope<'e>) -> Result<Option<Claim<'e>>, Reason> {
    let (crypto, signature, certificate) =
        (envelope.crypto_raw(), envelope.signature_raw(), envelope.certificate_raw());
    match envelope.topic() {
        Some(body) if body == topic => {}
        // A bare message: Python puts it into an envelope with the topic of the frame.
        None if [crypto, signature, certificate] == [None; 3] => return Ok(None),
        _ => return Err(Reason::TopicMismatch),
    }
    let text = |token, field| json::decode(token).ok_or(Reason::NotText(field));
    let backend = crypto.map(|token| text(token, Field::Crypto)).transpose()?;
    match backend.as_deref() {
        Some("x509") => {}
        Some("gpg") => return Err(Reason::Gpg),
        Some(_) => return Err(Reason::UnknownBackend),
        // Up to version 0.7.2 fedmsg did not say.
        None if certificate.is_some() => {}
        None if signature.is_some() => return Err(Reason::Gpg),
        None => return Ok(None),
    }
    let signature = text(signature.ok_or(Reason::Missing(Field::Signature))?, Field::Signature)?;
    let signature = base64::decode(&signature).ok_or(Reason::NotBase64(Field::Signature))?;
    let certificate = certificate.ok_or(Reason::Missing(Field::Certificate))?;
    Ok(Some(Claim { signature, certificate }))
}
