//! Messages that originate here: composed as Python's fedmsg composes them, and sent where the
//! configuration says.
//!
//! Used by the hub, on behalf of its plugins, and by the commands that publish. Forwarding someone else's
//! message is not its business: that goes unchanged through `bus`.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bus::{BusError, Context, Publish, PublishError, Publisher, Unsent};
use crypto::{SignError, Signer};
use message::{Draft, Naming, Topic};
use settings::{PublishMode, Settings, SigningError};

/// A publishing process: its name for itself, its socket.
pub struct Sender {
    naming: Naming,
    username: String,
    /// None if messages are not signed.
    signer: Option<Arc<Signer>>,
    publisher: Publisher,
    mode: PublishMode,
    wait: Duration,
    max_body_bytes: usize,
    /// When a relay was last waited for in vain.
    absent: Option<Instant>,
}

/// The messages that this process has sent: `i` in the envelope counts on, whichever socket they leave by.
static SENT: AtomicU64 = AtomicU64::new(0);

/// For so long after a relay was waited for in vain, it is not waited for again: whoever publishes is told at once.
const ABSENT: Duration = Duration::from_secs(10);

/// The socket for publishing could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `publish.endpoint` is not among `[endpoints]`.
    #[error("publish.endpoint = \"{0}\" is not among [endpoints]; add `{0} = \"tcp://…\"` there")]
    NoEndpoint(String),
    /// There is nothing to sign with.
    #[error("crypto.sign_messages is set, and {0}")]
    Signing(#[from] SigningError),
    /// The socket.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// A message that was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// What was to be the message is no JSON.
    #[error("the message is not JSON: {0}")]
    NotJson(#[from] message::json::Error),
    /// It is larger than what a hub of this configuration takes.
    #[error("the message is too large: {bytes} bytes in its envelope, and hub.max_body_bytes allows {most}")]
    TooLarge {
        /// Of the whole body.
        bytes: usize,
        /// `hub.max_body_bytes`.
        most: usize,
    },
    /// It cannot be signed.
    #[error("the message cannot be signed: {0}")]
    Sign(#[from] SignError),
    /// Nobody takes it.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// What `[crypto]` has the messages of `service` signed with; `None` if they are not signed.
///
/// # Errors
/// The key pair is not configured, or cannot be used.
pub fn signer(settings: &Settings, service: &str) -> Result<Option<Arc<Signer>>, SigningError> {
    let crypto = &settings.crypto;
    crypto.sign_messages.then(|| crypto.signer(service).map(Arc::new)).transpose()
}

impl Sender {
    /// Opens the socket that `[publish]` describes. Messages are signed with what [`signer`] gave.
    ///
    /// # Errors
    /// The endpoint isn't configured or can't be bound. That nobody is there yet is no error.
    pub fn open(
        context: &Context,
        settings: &Settings,
        signer: Option<Arc<Signer>>,
    ) -> Result<Self, OpenError> {
        let name = &settings.publish.endpoint;
        let endpoint =
            settings.endpoints.endpoint(name).ok_or_else(|| OpenError::NoEndpoint(name.clone()))?;
        let publisher = match settings.publish.mode {
            PublishMode::Connect => context.connect_publisher(&endpoint)?,
            PublishMode::Bind => {
                let (publisher, address) = context.bind_publisher(&endpoint)?;
                tracing::info!(endpoint = %endpoint.name, %address, "publishing");
                publisher
            }
        };
        Ok(Self {
            naming: settings.naming(),
            username: username(),
            signer,
            publisher,
            mode: settings.publish.mode,
            wait: settings.publish.wait,
            max_body_bytes: settings.hub.max_body_bytes,
            absent: None,
        })
    }

    /// The topic of what `modname` publishes as `topic`.
    #[must_use]
    pub fn topic(&self, modname: &str, topic: &str) -> Topic {
        self.naming.topic(modname, topic)
    }

    /// Waits until a relay is there that takes `topic`; false if none came in time.
    #[must_use]
    pub fn wait_for_relay(&mut self, topic: &Topic, timeout: Duration) -> bool {
        self.publisher.wait_for_subscriber(topic.as_bytes(), timeout)
    }

    /// Composes a message from `msg`, a JSON text, and sends it. Where messages go to a relay, waits for it
    /// as long as `publish.wait` says.
    ///
    /// # Errors
    /// `msg` is not JSON or too large, or nobody was there to take the message.
    pub fn send(&mut self, topic: &Topic, msg: &str) -> Result<(), SendError> {
        let now = jiff::Zoned::now();
        let body = Draft {
            topic,
            msg,
            msg_id: &message::msg_id(now.year(), uuid::Uuid::new_v4()),
            timestamp: now.timestamp().as_second(),
            i: SENT.fetch_add(1, Relaxed) + 1,
            username: &self.username,
        }
        .body()?;
        let body = match &self.signer {
            Some(signer) => signer.sign(&body)?,
            None => body,
        };
        // Whoever receives it would drop it, and could not say so here.
        if body.len() > self.max_body_bytes {
            return Err(SendError::TooLarge { bytes: body.len(), most: self.max_body_bytes });
        }
        if self.mode == PublishMode::Connect {
            let waited = self.absent.is_some_and(|since| since.elapsed() < ABSENT);
            let wait = if waited { Duration::ZERO } else { self.wait };
            match self.publisher.wait_for_subscriber(topic.as_bytes(), wait) {
                true => self.absent = None,
                false if waited => {}
                false => self.absent = Some(Instant::now()),
            }
        }
        Ok(self.publisher.publish(topic.as_bytes(), &body)?)
    }

    /// Returns when all that was sent has left the process.
    ///
    /// # Errors
    /// Something had not in time; it is given up.
    pub fn close(self, timeout: Duration) -> Result<(), Unsent> {
        Box::new(self.publisher).close(timeout)
    }
}

/// Who publishes, found as Python's `getpass.getuser` finds it.
fn username() -> String {
    ["LOGNAME", "USER", "LNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .or_else(|| whoami::username().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}
