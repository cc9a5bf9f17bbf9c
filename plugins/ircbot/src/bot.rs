//! A channel's share of the bus: which messages it wants, as which lines, and the queue of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use jiff::tz::TimeZone;
use meta::{Description, Registry};
use plugin_api::{Hub, Message, Pattern, Verdict};
use tokio::sync::Notify;

use crate::config::{Channel, Filters, Search, WhenFull};
use crate::line::Line;
use crate::queue::{Limits, Queue, Total, Waiting};
use crate::raw::Raw;

/// What a channel wants to hear, and what waits for it.
#[derive(Debug)]
pub(crate) struct Bot {
    /// The channel and its network, for the log.
    pub(crate) name: String,
    topics: Vec<Pattern>,
    filters: Filters,
    terse: bool,
    pretty: bool,
    /// For times in words.
    zone: TimeZone,
    queue: Mutex<Queue>,
    filled: Notify,
    /// Where it counts what is not said.
    hub: Hub,
}

/// What bots count for the operator, all of them together.
pub(crate) const COUNTS: [&str; 4] = [LEFT_OUT, TOO_OLD, UNHEARD, UNSAID];
const LEFT_OUT: &str = "lines_left_out";
const TOO_OLD: &str = "lines_too_old";
const UNHEARD: &str = "lines_unheard";
const UNSAID: &str = "lines_unsaid";

impl Bot {
    pub(crate) fn new(channel: &mut Channel, hub: Hub) -> Self {
        Self {
            name: format!("{} on {}", channel.channel.0, channel.network),
            topics: channel.patterns().collect(),
            filters: std::mem::take(&mut channel.filters),
            terse: channel.make_terse,
            pretty: channel.make_pretty,
            zone: TimeZone::system(),
            queue: Mutex::new(Queue::new(Limits {
                messages: channel.queue_messages.get(),
                bytes: channel.queue_bytes.get(),
                keep_oldest: channel.when_full == WhenFull::DropNewest,
                condense: channel.condense,
                max_age: channel.max_age.map(|age| age.0),
            })),
            filled: Notify::new(),
            hub,
        }
    }

    /// Queues the message if it is wanted. Never waits.
    pub(crate) fn offer(&self, message: &Message<'_>, registry: &Registry) {
        if !self.wants(message) {
            return;
        }
        let line = if self.terse { terse(message, registry) } else { self.raw(message) };
        let age = SystemTime::now().duration_since(message.received()).unwrap_or_default();
        self.with_queue(|queue| queue.push(line, age, Instant::now()));
        self.filled.notify_one();
    }

    fn raw(&self, message: &Message<'_>) -> Line {
        let category = message.topic().split('.').nth(3).unwrap_or_default();
        Line::raw(message.topic(), category, &Raw::new(message.body(), self.pretty, &self.zone))
    }

    fn wants(&self, message: &Message<'_>) -> bool {
        let body = String::from_utf8_lossy(message.body());
        self.topics.iter().any(|pattern| pattern.matches(message.topic()))
            && !found(&self.filters.topic, message.topic())
            && !found(&self.filters.body, &body)
    }

    /// The next line, as soon as there is one.
    pub(crate) async fn next(&self) -> Waiting {
        loop {
            if let Some(waiting) = self.with_queue(|queue| queue.pop(Instant::now())) {
                return waiting;
            }
            self.filled.notified().await;
        }
    }

    /// The line that came last could not be said; it is the next again.
    pub(crate) fn put_back(&self, waiting: Waiting) {
        self.queue().put_back(waiting);
    }

    /// The server did not pass on what was said.
    pub(crate) fn count_unheard(&self) {
        self.with_queue(Queue::count_unheard);
    }

    /// Whether a line waits.
    pub(crate) fn is_behind(&self) -> bool {
        self.queue().len() > 0
    }

    /// Nothing more is said: what became of the messages, and how many still wait.
    pub(crate) fn conclude(&self) -> (Total, usize) {
        let queue = self.queue();
        self.count(UNSAID, queue.len() as u64);
        (queue.total(), queue.len())
    }

    /// Works on the queue, and counts for the operator what that has counted.
    fn with_queue<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queue();
        let before = queue.total();
        let result = work(&mut queue);
        let after = queue.total();
        drop(queue);
        self.count(LEFT_OUT, after.left_out - before.left_out);
        self.count(TOO_OLD, after.too_old - before.too_old);
        self.count(UNHEARD, after.unheard - before.unheard);
        result
    }

    fn count(&self, name: &str, n: u64) {
        if n > 0 {
            self.hub.count(name, n);
        }
    }

    /// Nothing under the lock is left half-done by a panic.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An expression that gives up on a text has not found anything in it.
fn found(searches: &[Search], text: &str) -> bool {
    searches.iter().any(|Search(regex)| regex.is_match(text).unwrap_or(false))
}

/// What cannot be trusted is not put into words, as in the Python fedmsg.
fn terse(message: &Message<'_>, registry: &Registry) -> Line {
    match message.verdict() {
        Verdict::Unsigned => return Line::terse(message.topic(), "(unsigned)", None),
        Verdict::Invalid => return Line::terse(message.topic(), "(invalid signature!)", None),
        _ => {}
    }
    match message.envelope() {
        Ok(envelope) => {
            let Description { title, subtitle, link, .. } =
                registry.describe(&meta::Message::new(message.topic(), envelope));
            Line::terse(&title, &subtitle, link.as_deref())
        }
        // The hub delivers none of that kind.
        Err(_) => Line::terse(message.topic(), "", None),
    }
}
