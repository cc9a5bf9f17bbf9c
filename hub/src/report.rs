//! What the hub says of itself at start and at stop.

use std::path::Path;

use journal::{ConsumerCursor, Journal};
use message::Pattern;

use crate::consumer::{ConsumerName, Tally};
use crate::intake::IntakeTally;
use crate::plan::Plan;

/// Says in the log what runs, on which topics.
pub fn starting(plan: &Plan) {
    for consumer in &plan.consumers {
        let inbound: Vec<_> = consumer.inbound.iter().map(bus::EndpointName::as_str).collect();
        tracing::info!(
            consumer = %consumer.installed.name,
            topics = (!consumer.topics.is_empty()).then(|| topics(&consumer.topics)),
            inbound = (!inbound.is_empty()).then(|| inbound.join(" ")),
            plugin = %consumer.installed.library.display(),
            version = consumer.installed.version,
            "consumer"
        );
    }
    for endpoint in &plan.subscribed {
        let addresses: Vec<_> = endpoint.addresses.iter().map(ToString::to_string).collect();
        tracing::info!(endpoint = %endpoint.name, addresses = addresses.join(" "), "endpoint");
    }
    for (address, names) in plan.subscribed_twice() {
        tracing::warn!(%address, endpoints = names, "endpoints share an address: each of its messages is received twice");
    }
    if plan.consumers.is_empty() {
        tracing::warn!("NO CONSUMER IS ENABLED: this hub does no work; {ENABLE}");
    }
    if plan.subscribed.is_empty() && plan.inbound.is_empty() {
        tracing::warn!("NO ENDPOINT IS CONFIGURED: no message can arrive; add one to [endpoints]");
    }
}

/// How to switch a consumer on.
pub const ENABLE: &str = "switch one on by its key, for example `[fedmsg.consumers.dummy] enabled = true`, \
     or see `fedmsg-hub check` for what is installed";

/// Says which consumers have a cursor, hold messages by it, and do not run.
pub fn unread(plan: &Plan, journal: &Journal) {
    for cursor in journal.consumers() {
        let runs = plan.consumers.iter().any(|planned| *planned.installed.name == *cursor.consumer);
        if !runs && cursor.lag > 0 {
            tracing::warn!(
                consumer = cursor.consumer,
                messages = cursor.lag,
                "messages are kept for a consumer that is not switched on; \
                 `fedmsg-hub consumer forget` ends that for good"
            );
        }
    }
}

/// Says in the log what became of the messages.
pub fn stopped<'a>(
    intake: Option<&IntakeTally>,
    consumers: impl Iterator<Item = (&'a ConsumerName, &'a Tally)>,
    cursors: &[ConsumerCursor],
) {
    if let Some(intake) = intake {
        tracing::info!(
            received = intake.messages(),
            not_delivered = intake.rejected.summary(),
            not_trusted = intake.untrusted.summary(),
            "intake stopped"
        );
    }
    for (name, tally) in consumers {
        let left = cursors.iter().find(|cursor| *cursor.consumer == **name).map_or(0, |cursor| cursor.lag);
        tracing::info!(
            consumer = %name,
            received = tally.received(),
            finished = tally.finished(),
            retries = tally.retries(),
            replayed = (tally.replayed() > 0).then(|| tally.replayed()),
            failed = tally.dropped.summary(),
            aside = tally.aside(),
            left,
            "consumer stopped"
        );
    }
}

/// How many messages there are that consumers of the plan have not dealt with.
#[must_use]
pub fn left(plan: &Plan, cursors: &[ConsumerCursor]) -> u64 {
    let runs = |name: &str| plan.consumers.iter().any(|planned| *planned.installed.name == *name);
    cursors.iter().filter(|cursor| runs(&cursor.consumer)).map(|cursor| cursor.lag).sum()
}

/// Patterns as a person reads them.
#[must_use]
pub fn topics(patterns: &[Pattern]) -> String {
    patterns.iter().map(topic).collect::<Vec<_>>().join(" ")
}

/// A pattern as a person reads it.
#[must_use]
pub fn topic(pattern: &Pattern) -> &str {
    match pattern.as_str() {
        "" => "*",
        glob => glob,
    }
}

/// A path as shown to a person: relative where that is shorter, but not in `/`, where services run.
#[must_use]
pub fn short(path: &Path) -> String {
    let here = std::env::current_dir().ok().filter(|here| here.parent().is_some());
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned))
        .unwrap_or_else(|| path.to_owned())
        .display()
        .to_string()
}
