//! What a plugin's author writes: a [`Consumer`].

use std::time::Duration;

use message::Pattern;
use serde::de::DeserializeOwned;

use crate::error::{BatchFailure, Failure, FailureKind, StartError};
use crate::guard::guarded;
use crate::hub::Hub;
use crate::message::Message;

/// A consumer of bus messages.
///
/// It is started, fed and stopped on one thread, one call at a time. Where the operator asks for several workers,
/// several of it run, each on a thread of its own. A panic in any of its functions is an error of that call and
/// ends nothing else.
pub trait Consumer: Sized + Send + 'static {
    /// Its name in logs, statistics and on the command line; no other consumer of the hub may have it.
    const NAME: &'static str;

    /// The dotted key of the configuration that switches the consumer on, `"myconsumer.enabled"`. The rest of
    /// the table that holds it (here `[myconsumer]`) is its [`Config`](Self::Config).
    const CONFIG_KEY: &'static str;

    /// The consumer's configuration; `()` if it has none. A key of the table that it doesn't know is an error
    /// that the operator gets to see, with or without `deny_unknown_fields`.
    type Config: DeserializeOwned;

    /// The topics that it gets messages of. Each is a glob over the whole topic, as Python's `fnmatch` reads
    /// it; a message that several of them match comes once.
    fn topics(config: &Self::Config) -> Vec<Pattern>;

    /// Names of endpoints that the hub shall bind for this consumer alone, as a relay needs: what publishers
    /// send there comes to this consumer whatever its topic, and to no other.
    fn inbound(config: &Self::Config) -> Vec<String> {
        let _ = config;
        Vec::new()
    }

    /// What it binds to publish by, so that `fedmsg-hub check` can say before the start whether that can be had. It is
    /// opened in [`start`](Self::start), and not here.
    fn outbound(config: &Self::Config) -> Vec<Outbound> {
        let _ = config;
        Vec::new()
    }

    /// How long it may be at one message, where that is long: it waits for a program, or for a service that is slow. The
    /// hub takes it for stuck when it does not come back from a call for longer than that, times the messages of the
    /// call, or than `hub.stuck_after`, if that is longer. `None` is `hub.stuck_after`, and so it is in a hub whose
    /// plugin API is older than 1.2.
    fn patience(config: &Self::Config) -> Option<Duration> {
        let _ = config;
        None
    }

    /// Starts it.
    ///
    /// # Errors
    /// Say [retry](StartError::retry) if it can work later as it is, [fatal](StartError::fatal) if the
    /// operator has to mend something; `?` on any error is fatal.
    fn start(config: Self::Config, hub: Hub) -> Result<Self, StartError>;

    /// Takes one message.
    ///
    /// # Errors
    /// [`Failure`] says what shall become of the message; `?` on any error is a retry.
    fn consume(&mut self, message: &Message<'_>) -> Result<(), Failure>;

    /// Takes all messages that are at hand, in order: write it if many together cost less than one by one, as in
    /// one transaction of a database. The hub calls this function alone, and as it stands here it hands each
    /// message to [`consume`](Self::consume), until one fails.
    ///
    /// Who writes it gets `consume` for the price of a line:
    /// `Ok(self.consume_batch(std::slice::from_ref(message))?)`.
    ///
    /// # Errors
    /// [`BatchFailure::at`] is about one message, those before it being consumed. `?` on a failure or any error
    /// says that none of the batch is consumed, and a panic is taken to say the same: then all of them come again
    /// at once, in smaller batches, until one fails alone. That failure is the message's.
    fn consume_batch(&mut self, batch: &[Message<'_>]) -> Result<(), BatchFailure> {
        let mut done = 0;
        guarded(|| {
            batch.iter().try_for_each(|message| {
                self.consume(message)?;
                done += 1;
                Ok(())
            })
        })
        .unwrap_or_else(|panicked| Err(Failure::new(FailureKind::Panic, panicked)))
        .map_err(|failure| BatchFailure::at(done, failure))
    }

    /// Tidies up: nothing is called after it. The hub waits for it only until its deadline.
    fn stop(self) {}
}

/// What a consumer binds to publish by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// The first free address of this endpoint, by [`Hub::publisher`].
    Endpoint(String),
    /// The same by [`Hub::signing_publisher`]: the hub needs a key.
    Signed(String),
    /// This address, `tcp://*:9940`, which it binds itself.
    Address(String),
}
