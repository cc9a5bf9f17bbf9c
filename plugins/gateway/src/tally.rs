//! What became of messages and subscribers, and how the operator hears of it: in the log, every ten seconds at most while
//! something goes wrong, and in sum at the end.

use std::collections::BTreeMap;
use std::io;
use std::mem::take;
use std::net::SocketAddr;

use plugin_api::tracing;

/// So many subscribers are named in one line.
const NAMED: usize = 5;

/// Counted since the start, and since the last report.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) published: u64,
    most_subscribers: usize,
    left_out: u64,
    stalled: u64,
    refused: u64,
    recent: Recent,
}

#[derive(Debug, Default)]
struct Recent {
    left_out: BTreeMap<SocketAddr, u64>,
    stalled: Named,
    refused: Named,
    too_many: Named,
    not_accepted: Option<String>,
}

/// How many, and the first of them by name.
#[derive(Debug, Default)]
struct Named {
    count: u64,
    first: Vec<SocketAddr>,
}

impl Named {
    fn add(&mut self, address: SocketAddr) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(address);
        }
    }

    fn names(&self) -> String {
        self.first.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

impl Tally {
    /// There are so many subscribers now.
    pub(crate) fn connected(&mut self, now: usize) {
        self.most_subscribers = self.most_subscribers.max(now);
    }

    /// So many messages found no room in this subscriber's queue.
    pub(crate) fn left_out(&mut self, address: SocketAddr, messages: u64) {
        if messages > 0 {
            self.left_out += messages;
            *self.recent.left_out.entry(address).or_default() += messages;
        }
    }

    /// It was disconnected because it took nothing.
    pub(crate) fn stalled(&mut self, address: SocketAddr) {
        self.stalled += 1;
        self.recent.stalled.add(address);
    }

    /// It was disconnected because it is no subscriber as it should be.
    pub(crate) fn refused(&mut self, address: SocketAddr) {
        self.refused += 1;
        self.recent.refused.add(address);
    }

    /// It was not served because there are too many.
    pub(crate) fn too_many(&mut self, address: SocketAddr) {
        self.refused += 1;
        self.recent.too_many.add(address);
    }

    /// A connection could not be accepted.
    pub(crate) fn not_accepted(&mut self, error: &io::Error) {
        self.recent.not_accepted = Some(error.to_string());
    }

    /// Says what went wrong since the last report.
    pub(crate) fn report(&mut self) {
        let Recent { left_out, stalled, refused, too_many, not_accepted } = take(&mut self.recent);
        if !left_out.is_empty() {
            let messages: u64 = left_out.values().sum();
            let subscribers = left_out.len();
            let worst = worst(left_out);
            tracing::warn!(
                messages,
                subscribers,
                worst,
                "messages left out for subscribers that are too slow"
            );
        }
        for (named, what) in [
            (stalled, "disconnected subscribers that took nothing for `stalled_after`"),
            (refused, "refused connections that are no subscribers"),
            (too_many, "refused subscribers beyond `max_subscribers`"),
        ] {
            if named.count > 0 {
                tracing::warn!(subscribers = named.count, who = named.names(), "{what}");
            }
        }
        if let Some(error) = not_accepted {
            tracing::error!(error, "cannot accept subscribers; trying again");
        }
    }

    /// Says what is not said yet, and the sums.
    pub(crate) fn conclude(&mut self) {
        self.report();
        let Self { published, most_subscribers, left_out, stalled, refused, .. } = *self;
        tracing::info!(published, most_subscribers, left_out, stalled, refused, "gateway closed");
    }
}

/// Who missed most, with how many.
fn worst(left_out: BTreeMap<SocketAddr, u64>) -> String {
    let mut by_number: Vec<_> = left_out.into_iter().collect();
    by_number.sort_by_key(|(_, messages)| std::cmp::Reverse(*messages));
    let named = by_number.iter().take(NAMED);
    named.map(|(address, messages)| format!("{address}={messages}")).collect::<Vec<_>>().join(" ")
}
