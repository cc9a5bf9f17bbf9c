//! What plugins send: their own messages, in the hub's envelope, and others' messages that they forward.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bus::{Address, Context, Endpoint, EndpointName, Prefixes, Publish, Publisher};
use crypto::{Expiry, SignError, Signer};
use message::Envelope;
use plugin_api::tracing::level_filters::LevelFilter;
use plugin_api::{Failure, Host, LogRecord, PublishError, PublisherId, StartError};
use publish::{OpenError, SendError, Sender};
use settings::{SIGNING_RELAY, Settings, SigningError};
use tracing::Level;

use crate::consumer::{ConsumerName, Tally};
use crate::throttle::{Throttle, cut};

/// The hub's publishers.
pub struct Outbound {
    context: Context,
    /// Those in force; a reload replaces them.
    settings: RwLock<Arc<Settings>>,
    /// For messages of plugins' own; opened when the first one publishes.
    sender: Mutex<Option<Sender>>,
    /// For forwarding, by [`PublisherId`].
    forwarding: Mutex<BTreeMap<u64, Forwarding>>,
    /// What plugins' own messages are signed with. Read at the start and by a reload that says something else of it, so that
    /// what happens to the files meanwhile is nothing to who publishes.
    own: Mutex<Option<Arc<Signer>>>,
    /// For forwarding what is to be signed, as long as anybody does.
    relay: Mutex<Option<SigningRelay>>,
    /// Nothing is sent any more.
    closed: AtomicBool,
    /// Something had not left the process in time.
    unsent: AtomicBool,
    /// Consumers whose endpoint could not be bound when they last tried.
    without_address: Mutex<BTreeSet<ConsumerName>>,
}

/// A publisher for forwarding.
struct Forwarding {
    endpoint: Endpoint,
    publisher: Publisher,
    users: BTreeSet<ConsumerName>,
}

/// What is forwarded in the name of the signing relay.
struct SigningRelay {
    signer: Arc<Signer>,
    users: BTreeSet<ConsumerName>,
}

const CLOSED: &str = "the hub is stopping and its publishers are closed";

impl Outbound {
    /// Opens no socket yet. Reads what to sign with.
    #[must_use]
    pub fn new(context: Context, settings: Settings) -> Self {
        // A hub whose plugins publish nothing runs without: the reminder says what is wrong, and so does whoever publishes.
        let own = publish::signer(&settings, &settings.crypto.cert_prefix).ok().flatten();
        let (settings, own) = (RwLock::new(Arc::new(settings)), Mutex::new(own));
        let (sender, forwarding, relay) = Default::default();
        let (closed, unsent, without_address) = Default::default();
        Self { context, settings, sender, forwarding, own, relay, closed, unsent, without_address }
    }

    /// Whether this consumer could not start because an address is taken.
    pub fn address_taken(&self, consumer: &str) -> bool {
        lock(&self.without_address).contains(consumer)
    }

    /// When the certificates are valid that were read to sign with.
    pub fn expiries(&self) -> Vec<Expiry> {
        let own = lock(&self.own).clone();
        let relay = lock(&self.relay).as_ref().map(|relay| Arc::clone(&relay.signer));
        own.into_iter().chain(relay).map(|signer| signer.expiry().clone()).collect()
    }

    /// Waits until the hub's own subscriptions have reached its own publishers, so that a message forwarded right
    /// after the start comes round. Endpoints of others are not waited for.
    pub fn settle(&self, subscribed: &[Endpoint], prefixes: &Prefixes, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        for Forwarding { endpoint: Endpoint { name, .. }, publisher, .. } in
            lock(&self.forwarding).values_mut()
        {
            if subscribed.iter().any(|endpoint| endpoint.name == *name) {
                for prefix in prefixes.iter() {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if !publisher.wait_for_subscriber(prefix, left) {
                        tracing::warn!(endpoint = %name, "the hub's own subscription is not through yet");
                    }
                }
            }
        }
    }

    /// Returns when what plugins have published has left the process, or the time is over. They may go on.
    pub fn flush(&self, timeout: Duration) {
        // A publisher says that it is empty only by closing. The next message opens another.
        let sender = lock(&self.sender).take();
        if let Some(sender) = sender {
            self.note(&self.settings().publish.endpoint, sender.close(timeout));
        }
    }

    /// The endpoints that consumers forward to, each with its users.
    pub fn forwarded(&self) -> BTreeMap<EndpointName, BTreeSet<ConsumerName>> {
        let forwarding = lock(&self.forwarding);
        let mut users = BTreeMap::<_, BTreeSet<_>>::new();
        for it in forwarding.values() {
            users.entry(it.endpoint.name.clone()).or_default().extend(it.users.iter().cloned());
        }
        users
    }

    /// This consumer has ended. What nobody uses any more stays bound for whoever comes next, until
    /// [`Self::close_unused`].
    pub fn release(&self, consumer: &ConsumerName) {
        lock(&self.forwarding).values_mut().for_each(|it| it.users.retain(|user| user != consumer));
        if let Some(relay) = &mut *lock(&self.relay) {
            relay.users.remove(consumer);
        }
    }

    /// Goes by other settings from now on. What was published by the old ones leaves before, if that takes no longer than
    /// `timeout`. What nobody uses stays bound, in case all goes back, unless its address is needed.
    ///
    /// # Errors
    /// There is nothing to sign with any more what plugins publish, or what is forwarded; then all is as before.
    pub fn adopt(&self, settings: &Settings, timeout: Duration) -> Result<(), SigningError> {
        let old = self.settings();
        let mut keys = None;
        if old.crypto.signing() != settings.crypto.signing() {
            let is_used = lock(&self.relay).as_ref().is_some_and(|relay| !relay.users.is_empty());
            let relay = is_used.then(|| settings.crypto.signer(SIGNING_RELAY)).transpose()?;
            // It goes on without, as it has done.
            let had_none = old.crypto.sign_messages && lock(&self.own).is_none();
            let own = match publish::signer(settings, &settings.crypto.cert_prefix) {
                Err(_) if had_none => None,
                own => own?,
            };
            keys = Some((own, relay));
        }
        let sending = |of: &Settings| {
            let address = of.endpoints.endpoint(&of.publish.endpoint);
            (of.naming(), of.publish.clone(), address, of.crypto.signing(), of.hub.max_body_bytes)
        };
        let is_another_sender = sending(&old) != sending(settings);
        {
            // Nobody opens a sender by the one and the other.
            let _sender = is_another_sender.then(|| lock(&self.sender));
            *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
            if let Some((own, relay)) = keys {
                *lock(&self.own) = own;
                let mut present = lock(&self.relay);
                *present = present.take().zip(relay).map(|(present, signer)| {
                    tracing::info!(cn = signer.cn(), "signing what is forwarded");
                    SigningRelay { signer: Arc::new(signer), ..present }
                });
            }
        }
        if is_another_sender {
            self.flush(timeout);
        }
        let next: Vec<_> = settings.endpoints.enabled().collect();
        let is_in_the_way = |it: &Endpoint| !next.contains(it) && next.iter().any(|next| clash(it, next));
        self.close_those(timeout, |it| it.users.is_empty() && is_in_the_way(&it.endpoint));
        Ok(())
    }

    /// Leaves the endpoints that no consumer forwards to, and the key that none signs with.
    pub fn close_unused(&self, timeout: Duration) {
        lock(&self.relay).take_if(|relay| relay.users.is_empty());
        self.close_those(timeout, |it| it.users.is_empty());
    }

    fn close_those(&self, timeout: Duration, which: impl Fn(&Forwarding) -> bool) {
        let closed: BTreeMap<_, _> = {
            let mut all = lock(&self.forwarding);
            let (closed, stay) = std::mem::take(&mut *all).into_iter().partition(|(_, it)| which(it));
            *all = stay;
            closed
        };
        for Forwarding { endpoint, publisher, .. } in closed.into_values() {
            self.note(endpoint.name.as_str(), Box::new(publisher).close(timeout));
            tracing::info!(endpoint = %endpoint.name, "publishes there no more");
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes every publisher when what it was given has left the process, or the time is over; whether all ever given
    /// has left.
    pub fn close(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        self.closed.store(true, Relaxed);
        for Forwarding { endpoint, publisher, .. } in
            std::mem::take(&mut *lock(&self.forwarding)).into_values()
        {
            self.note(endpoint.name.as_str(), Box::new(publisher).close(left()));
        }
        self.flush(left());
        !self.unsent.load(Relaxed)
    }

    fn note(&self, endpoint: &str, closed: Result<(), bus::Unsent>) {
        if let Err(error) = closed {
            tracing::error!(endpoint, %error, "closed a publisher");
            self.unsent.store(true, Relaxed);
        }
    }

    fn publish(&self, consumer: &str, topic: &str, msg: &str) -> Result<(), PublishError> {
        let mut sender = lock(&self.sender);
        if self.closed.load(Relaxed) {
            return Err(PublishError::new(CLOSED));
        }
        let sender = match &mut *sender {
            Some(sender) => sender,
            none => {
                let settings = self.settings();
                let signer = self.own(&settings).map_err(OpenError::Signing);
                let opened = signer.and_then(|signer| Sender::open(&self.context, &settings, signer));
                none.insert(opened.map_err(PublishError::new)?)
            }
        };
        // As in Python, the first word is the modname; a topic of one word gets the consumer's name for it.
        let (modname, topic) = topic.split_once('.').unwrap_or((consumer, topic));
        let topic = sender.topic(modname, topic);
        sender.send(&topic, msg).map_err(PublishError::new)
    }

    /// What plugins' own messages are signed with. What could not be had at the start is tried again.
    fn own(&self, settings: &Settings) -> Result<Option<Arc<Signer>>, SigningError> {
        let mut own = lock(&self.own);
        if own.is_none() {
            *own = publish::signer(settings, &settings.crypto.cert_prefix)?;
        }
        Ok(own.clone())
    }

    fn open(&self, consumer: &ConsumerName, name: &str) -> Result<PublisherId, StartError> {
        lock(&self.without_address).remove(consumer);
        let mut publishers = lock(&self.forwarding);
        let endpoint = self.settings().endpoints.endpoint(name).ok_or_else(|| {
            StartError::fatal(format!(
                "[endpoints] has no `{name}` to publish on; add `{name} = \"tcp://…\"`"
            ))
        })?;
        let there = publishers.iter_mut().find(|(_, it)| it.endpoint == endpoint);
        if let Some((id, there)) = there {
            there.users.insert(consumer.clone());
            return Ok(PublisherId(*id));
        }
        let (publisher, address) = self.context.bind_publisher(&endpoint).map_err(|error| {
            lock(&self.without_address).insert(consumer.clone());
            StartError::retry(error)
        })?;
        tracing::info!(endpoint = name, %address, "publishing");
        let id = publishers.last_key_value().map_or(0, |(last, _)| last + 1);
        publishers.insert(id, Forwarding { endpoint, publisher, users: BTreeSet::from([consumer.clone()]) });
        Ok(PublisherId(id))
    }

    fn forward(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), PublishError> {
        match lock(&self.forwarding).get_mut(&publisher.0) {
            Some(Forwarding { publisher, .. }) => {
                publisher.publish(topic.as_bytes(), body).map_err(PublishError::new)
            }
            None => Err(PublishError::new(CLOSED)),
        }
    }

    fn open_signing(&self, consumer: &ConsumerName, name: &str) -> Result<PublisherId, StartError> {
        let mut relay = lock(&self.relay);
        let relay = match &mut *relay {
            Some(relay) => relay,
            none => {
                let signer = self.settings().crypto.signer(SIGNING_RELAY).map_err(|error| {
                    StartError::fatal(format_args!("there is nothing to sign with: {error}"))
                })?;
                tracing::info!(cn = signer.cn(), "signing what is forwarded");
                none.insert(SigningRelay { signer: Arc::new(signer), users: BTreeSet::new() })
            }
        };
        relay.users.insert(consumer.clone());
        self.open(consumer, name)
    }

    /// Like Python's `SigningRelayConsumer`, which puts a bare message into an envelope, and does not look at who sent it.
    /// That one also signs a message whose own topic is not that of its frame, for everybody who validates to reject.
    fn forward_signed(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), Failure> {
        let signer = lock(&self.relay).as_ref().map(|relay| Arc::clone(&relay.signer));
        let signer = signer.ok_or_else(|| PublishError::new("it was not opened for signing"))?;
        let full = Envelope::parse(body).map(|envelope| envelope.in_full(topic));
        let is_another = |full: &[u8]| {
            Envelope::parse(full).is_ok_and(|envelope| envelope.topic().as_deref() != Some(topic))
        };
        if full.as_deref().is_ok_and(is_another) {
            return Err(Failure::drop(
                "it is not signed: the topic in its body is not that of its frame, and whoever validates would reject it",
            ));
        }
        let sign = || signer.sign(&full?);
        let signed = sign().map_err(|error| match error {
            SignError::NotAMessage(_) => Failure::drop(format_args!("it cannot be signed: {error}")),
            SignError::Failed(_) => Failure::retry(error),
        })?;
        let most = self.settings().hub.max_body_bytes;
        if signed.len() > most {
            return Err(Failure::drop(SendError::TooLarge { bytes: signed.len(), most }));
        }
        Ok(self.forward(publisher, topic, &signed)?)
    }
}

/// Whether one may have to be left before the other can be bound.
fn clash(one: &Endpoint, other: &Endpoint) -> bool {
    one.addresses.iter().any(|one| {
        other.addresses.iter().any(|other| match (one, other) {
            (Address::Tcp { host: a, port: Some(p) }, Address::Tcp { host: b, port: Some(q) }) => {
                p == q && (a == b || [a, b].contains(&&bus::Host::Any))
            }
            _ => one == other,
        })
    })
}

/// Nothing under these locks is left half-done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The hub as one consumer sees it.
pub struct ConsumerHost {
    /// The consumer.
    pub consumer: ConsumerName,
    /// The hub's publishers.
    pub outbound: Arc<Outbound>,
    /// Where it counts.
    pub tally: Arc<Tally>,
    /// Complaints about names that it counts under.
    pub misnamed: Mutex<Throttle>,
}

/// The target of every record that comes from a plugin; its own target is in the field `module`.
macro_rules! relay_record {
    ($level:expr, $record:expr) => {
        tracing::event!(
            target: "plugin",
            $level,
            consumer = $record.consumer,
            module = $record.target,
            fields = fields($record),
            "{}",
            $record.message
        )
    };
}

impl Host for ConsumerHost {
    fn max_level(&self) -> LevelFilter {
        LevelFilter::current()
    }

    fn enabled(&self, level: Level, _target: &str) -> bool {
        match level {
            Level::ERROR => tracing::enabled!(target: "plugin", Level::ERROR),
            Level::WARN => tracing::enabled!(target: "plugin", Level::WARN),
            Level::INFO => tracing::enabled!(target: "plugin", Level::INFO),
            Level::DEBUG => tracing::enabled!(target: "plugin", Level::DEBUG),
            Level::TRACE => tracing::enabled!(target: "plugin", Level::TRACE),
        }
    }

    fn log(&self, record: &LogRecord<'_>) {
        match record.level {
            Level::ERROR => relay_record!(Level::ERROR, record),
            Level::WARN => relay_record!(Level::WARN, record),
            Level::INFO => relay_record!(Level::INFO, record),
            Level::DEBUG => relay_record!(Level::DEBUG, record),
            Level::TRACE => relay_record!(Level::TRACE, record),
        }
    }

    fn publish(&self, topic: &str, msg: &str) -> Result<(), PublishError> {
        self.outbound.publish(&self.consumer, topic, msg)
    }

    fn open_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError> {
        self.outbound.open(&self.consumer, endpoint)
    }

    fn forward(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), PublishError> {
        self.outbound.forward(publisher, topic, body)
    }

    fn open_signing_publisher(&self, endpoint: &str) -> Result<PublisherId, StartError> {
        self.outbound.open_signing(&self.consumer, endpoint)
    }

    fn forward_signed(&self, publisher: PublisherId, topic: &str, body: &[u8]) -> Result<(), Failure> {
        self.outbound.forward_signed(publisher, topic, body)
    }

    fn count(&self, name: &str, n: u64) {
        if !self.tally.counts.add(name, n)
            && let Some(suppressed) = lock(&self.misnamed).pass()
        {
            tracing::warn!(
                consumer = %self.consumer, name = ?cut(name), suppressed,
                "the plugin counts under a name that is none, or one too many: it is counted as `other`"
            );
        }
    }
}

/// A plugin's fields have names that are not known when the hub is compiled, so they go into one.
fn fields(record: &LogRecord<'_>) -> Option<String> {
    let fields: Vec<_> = record.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!fields.is_empty()).then(|| fields.join(" "))
}

#[cfg(test)]
mod tests {
    use settings::{Configuration, Sources};

    use super::*;

    #[test]
    fn a_plugin_is_told_that_what_it_publishes_is_too_large() {
        let assignments = ["endpoints.relay_inbound=tcp://127.0.0.1:2003", "hub.max_body_bytes=1000"];
        let sources = Sources { assignments: assignments.map(str::to_owned).to_vec(), ..Sources::default() };
        let settings = Configuration::load(&sources).unwrap().settings().clone();
        let outbound = Outbound::new(Context::new(&settings.zmq).unwrap(), settings);
        let error = outbound.publish("a", "t", &format!("\"{}\"", "x".repeat(1000))).unwrap_err().to_string();
        assert!(error.contains("too large") && error.contains("allows 1000"), "{error}");
    }
}
