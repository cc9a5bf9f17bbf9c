//! A channel's share of the bus: which messages it wants, as which lines, and the queue of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use meta::{Description, Registry};
use plugin_api::{Message, Pattern, Verdict};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::config::{Channel, Filters, Search, WhenFull};
use crate::line::Line;
use crate::queue::{Limits, Queue};

/// What a channel wants to hear, and what waits for it.
#[derive(Debug)]
pub(crate) struct Bot {
    /// The channel and its network, for the log.
    pub(crate) name: String,
    topics: Vec<Pattern>,
    filters: Filters,
    terse: bool,
    queue: Mutex<Queue>,
    filled: Notify,
}

impl Bot {
    pub(crate) fn new(channel: &mut Channel) -> Self {
        Self {
            name: format!("{} on {}", channel.channel.0, channel.network),
            topics: channel.patterns().collect(),
            filters: std::mem::take(&mut channel.filters),
            terse: channel.make_terse,
            queue: Mutex::new(Queue::new(Limits {
                messages: channel.queue_messages,
                bytes: channel.queue_bytes,
                keep_oldest: channel.when_full == WhenFull::DropNewest,
                condense: channel.condense,
            })),
            filled: Notify::new(),
        }
    }

    /// Queues the message if it is wanted. Never waits.
    pub(crate) fn offer(&self, message: &Message<'_>, registry: &Registry) {
        if !self.wants(message) {
            return;
        }
        let line = if self.terse { terse(message, registry) } else { raw(message) };
        self.queue().push(line, Instant::now());
        self.filled.notify_one();
    }

    fn wants(&self, message: &Message<'_>) -> bool {
        let body = String::from_utf8_lossy(message.body());
        self.topics.iter().any(|pattern| pattern.matches(message.topic()))
            && !found(&self.filters.topic, message.topic())
            && !found(&self.filters.body, &body)
    }

    /// The next line, as soon as there is one.
    pub(crate) async fn next(&self) -> Line {
        loop {
            if let Some(line) = self.queue().pop(Instant::now()) {
                return line;
            }
            self.filled.notified().await;
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
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

/// Topic and body, without what the line has already or nobody reads.
fn raw(message: &Message<'_>) -> Line {
    let category = message.topic().split('.').nth(3).unwrap_or_default();
    let fields: Result<BTreeMap<Cow<'_, str>, &RawValue>, _> = serde_json::from_slice(message.body());
    let json = fields.and_then(|mut fields| {
        fields.retain(|name, _| !matches!(&**name, "topic" | "certificate" | "signature" | "crypto"));
        serde_json::to_string(&fields)
    });
    // Bodies that only Python reads are shown as they are.
    let json = json.unwrap_or_else(|_| String::from_utf8_lossy(message.body()).into_owned());
    Line::raw(message.topic(), category, &json)
}
