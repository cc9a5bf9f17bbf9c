//! What became of messages and subscribers, and how the operator hears of it: at once as counts, in the log with names,
//! every ten seconds at most while something goes wrong, and in sum at the end.

use std::collections::BTreeMap;
use std::io;
use std::mem::take;
use std::net::SocketAddr;

use plugin_api::tracing;

use crate::queue::LeftOut;

/// So many subscribers are named in one line.
const NAMED: usize = 5;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Count {
    /// Messages, for each subscriber whose queue has `high_water_mark` messages.
    OverHighWaterMark,
    /// Messages, for each subscriber whose queue has `max_bytes` bytes.
    OverMaxBytes,
    /// Messages, for each subscriber that is behind when all have `max_total_bytes` bytes.
    OverMaxTotalBytes,
    /// Messages that waited for a subscriber when its connection ended.
    Unsent,
    /// Subscribers disconnected after `stalled_after`.
    Stalled,
    /// Connections that were none of subscribers.
    NoSubscriber,
    /// Connections without a subscription for `stalled_after`.
    Idle,
    /// Connections that did not greet or subscribe before others came at a limit.
    Displaced,
    /// Subscribers beyond `max_subscribers`.
    OverMaxSubscribers,
    /// Subscribers beyond `max_per_address`.
    OverMaxPerAddress,
}

impl Count {
    /// Each of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::OverHighWaterMark,
        Self::OverMaxBytes,
        Self::OverMaxTotalBytes,
        Self::Unsent,
        Self::Stalled,
        Self::NoSubscriber,
        Self::Idle,
        Self::Displaced,
        Self::OverMaxSubscribers,
        Self::OverMaxPerAddress,
    ];

    /// What the operator sees it as.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OverHighWaterMark => "messages_over_high_water_mark",
            Self::OverMaxBytes => "messages_over_max_bytes",
            Self::OverMaxTotalBytes => "messages_over_max_total_bytes",
            Self::Unsent => "messages_unsent",
            Self::Stalled => "subscribers_stalled",
            Self::NoSubscriber => "connections_not_of_subscribers",
            Self::Idle => "connections_without_subscription",
            Self::Displaced => "connections_displaced",
            Self::OverMaxSubscribers => "subscribers_over_max_subscribers",
            Self::OverMaxPerAddress => "subscribers_over_max_per_address",
        }
    }
}

/// What becomes of connections here, as the log tells it.
const ENDINGS: [(Count, &str); 6] = [
    (Count::Stalled, "disconnected subscribers that took nothing for `stalled_after`"),
    (Count::NoSubscriber, "refused connections that are no subscribers"),
    (Count::Idle, "ended connections that subscribed to nothing for `stalled_after`"),
    (Count::Displaced, "ended connections that had not subscribed, to have places for others"),
    (Count::OverMaxSubscribers, "refused subscribers beyond `max_subscribers`"),
    (Count::OverMaxPerAddress, "refused subscribers of one address beyond `max_per_address`"),
];

/// Where counts go.
pub(crate) type Counter = Box<dyn Fn(Count, u64) + Send>;

/// Counted since the start, and since the last report.
pub(crate) struct Tally {
    counter: Counter,
    pub(crate) published: u64,
    most_subscribers: usize,
    counts: [u64; Count::ALL.len()],
    recent: Recent,
}

#[derive(Debug, Default)]
struct Recent {
    left_out: BTreeMap<SocketAddr, u64>,
    ended: BTreeMap<Count, Named>,
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
    pub(crate) fn new(counter: Counter) -> Self {
        Self {
            counter,
            published: 0,
            most_subscribers: 0,
            counts: Default::default(),
            recent: Recent::default(),
        }
    }

    fn count(&mut self, what: Count, n: u64) {
        if n > 0 {
            self.counts[what as usize] += n;
            (self.counter)(what, n);
        }
    }

    /// How many of this kind there were since the start.
    pub(crate) fn count_of(&self, what: Count) -> u64 {
        self.counts[what as usize]
    }

    /// There are so many subscribers now.
    pub(crate) fn connected(&mut self, now: usize) {
        self.most_subscribers = self.most_subscribers.max(now);
    }

    /// These messages found no room in this subscriber's queue.
    pub(crate) fn left_out(&mut self, address: SocketAddr, left_out: LeftOut) {
        let LeftOut { by_messages, by_bytes, by_memory } = left_out;
        self.count(Count::OverHighWaterMark, by_messages);
        self.count(Count::OverMaxBytes, by_bytes);
        self.count(Count::OverMaxTotalBytes, by_memory);
        *self.recent.left_out.entry(address).or_default() += by_messages + by_bytes + by_memory;
    }

    /// So many messages waited for a subscriber when its connection ended.
    pub(crate) fn unsent(&mut self, messages: u64) {
        self.count(Count::Unsent, messages);
    }

    /// A connection was refused or ended here.
    pub(crate) fn ended(&mut self, what: Count, address: SocketAddr) {
        self.count(what, 1);
        self.recent.ended.entry(what).or_default().add(address);
    }

    /// A connection could not be accepted.
    pub(crate) fn not_accepted(&mut self, error: &io::Error) {
        self.recent.not_accepted = Some(error.to_string());
    }

    /// Says what went wrong since the last report.
    pub(crate) fn report(&mut self) {
        let Recent { left_out, ended, not_accepted } = take(&mut self.recent);
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
        for (what, told) in ENDINGS {
            if let Some(named) = ended.get(&what) {
                tracing::warn!(connections = named.count, who = named.names(), "{told}");
            }
        }
        if let Some(error) = not_accepted {
            tracing::error!(error, "cannot accept subscribers; trying again");
        }
    }

    /// Says what is not said yet, and the sums.
    pub(crate) fn conclude(&mut self) {
        self.report();
        let Self { published, most_subscribers, .. } = *self;
        let sum = |what: &[Count]| -> u64 { what.iter().map(|what| self.count_of(*what)).sum() };
        let left_out = sum(&[Count::OverHighWaterMark, Count::OverMaxBytes, Count::OverMaxTotalBytes]);
        let (unsent, stalled) = (sum(&[Count::Unsent]), sum(&[Count::Stalled]));
        let refused = sum(&ENDINGS.map(|(what, _)| what)) - stalled;
        tracing::info!(published, most_subscribers, left_out, unsent, stalled, refused, "gateway closed");
    }
}

/// Who missed most, with how many.
fn worst(left_out: BTreeMap<SocketAddr, u64>) -> String {
    let mut by_number: Vec<_> = left_out.into_iter().collect();
    by_number.sort_by_key(|(_, messages)| std::cmp::Reverse(*messages));
    let named = by_number.iter().take(NAMED);
    named.map(|(address, messages)| format!("{address}={messages}")).collect::<Vec<_>>().join(" ")
}
