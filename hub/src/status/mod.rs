//! How the hub is doing: [`Status`] put together from what its parts count, and what is wrong with it.
//!
//! Nothing here is on a message's way: the parts count, and who wants to know looks.

mod health;
mod process;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bus::{EndpointStatus, State, StatusBoard};
use control::{
    AddressState, AddressStatus, Consumer, ConsumerStatus, HubState, HubStatus, IntakeStatus, Reloads, Stats,
    Status,
};
use crypto::AnchorError;
use jiff::Timestamp;

pub use self::health::{Limits, is_alive};
use crate::clock::Clock;
use crate::consumer::Handle;
use crate::intake::IntakeTally;
use crate::outcome::{Dropped, Rejected};

/// What is looked at.
pub struct Parts<'a> {
    /// What time it is, and was when the hub was started.
    pub clock: &'a Clock,
    /// What it is about.
    pub state: HubState,
    /// What became of changes of its configuration.
    pub reloads: Reloads,
    /// The journal's numbers.
    pub stats: Stats,
    /// What came in.
    pub intake: &'a IntakeTally,
    /// Where from.
    pub endpoints: &'a StatusBoard,
    /// For whom.
    pub consumers: Vec<(String, Handle)>,
    /// Why nothing is trusted, where a consumer validates.
    pub distrust: Option<Arc<AnchorError>>,
    /// What is too long, and who is needed.
    pub limits: &'a Limits,
}

impl Parts<'_> {
    /// How the hub is doing now.
    #[must_use]
    pub fn status(&self) -> Status {
        let Stats { journal, consumers: places, .. } = &self.stats;
        let consumers = self.consumers.iter().map(|(name, handle)| {
            let place = places.iter().find(|place| place.name == *name).cloned();
            consumer(place.unwrap_or_else(|| Consumer { name: name.clone(), ..Consumer::default() }), handle)
        });
        let mut consumers: Vec<_> = consumers.collect();
        consumers.sort_by(|a, b| a.place.name.cmp(&b.place.name));
        let mut status = Status {
            at: Timestamp::now(),
            hub: HubStatus {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                state: self.state,
                started: stamp(self.clock.started),
                uptime_seconds: self.clock.uptime().as_secs_f64(),
                clock_jumps: self.clock.jumps(),
                reloads: self.reloads.clone(),
            },
            problems: Vec::new(),
            intake: intake(self.intake),
            endpoints: endpoints(self.endpoints, self.intake),
            consumers,
            journal: journal.clone(),
            process: process::status(),
        };
        status.problems = health::problems(&status, self);
        status
    }
}

fn intake(tally: &IntakeTally) -> IntakeStatus {
    let mut untrusted = BTreeMap::<String, u64>::new();
    for ((_, rule), count) in tally.untrusted.snapshot() {
        *untrusted.entry(rule.to_owned()).or_default() += count;
    }
    let rejected = Rejected::ALL.iter().map(|reason| (reason.word().to_owned(), tally.rejected.get(*reason)));
    IntakeStatus {
        messages: tally.messages(),
        bytes: tally.bytes(),
        rejected: rejected.collect(),
        untrusted,
        trouble: tally.trouble(),
    }
}

fn endpoints(board: &StatusBoard, tally: &IntakeTally) -> Vec<control::EndpointStatus> {
    let (rejected, untrusted) = (tally.rejected_by_endpoint(), tally.untrusted.snapshot());
    let endpoint = |endpoint: EndpointStatus| {
        let counters = rejected.get(&endpoint.name);
        let occurred = Rejected::ALL.iter().filter_map(|reason| {
            let count = counters.map_or(0, |counters| counters.get(*reason));
            (count > 0).then(|| (reason.word().to_owned(), count))
        });
        control::EndpointStatus {
            connected: endpoint
                .addresses
                .iter()
                .any(|it| matches!(it.state, State::Connected | State::Bound)),
            messages: endpoint.messages,
            bytes: endpoint.bytes,
            last_message: endpoint.last_message.map(stamp),
            silent_seconds: endpoint.silence.as_secs_f64(),
            rejected: occurred.collect(),
            untrusted: untrusted
                .iter()
                .filter(|((name, _), _)| *name == endpoint.name)
                .map(|((_, rule), count)| ((*rule).to_owned(), *count))
                .collect(),
            addresses: endpoint.addresses.iter().map(address).collect(),
            name: endpoint.name.to_string(),
        }
    };
    board.snapshot().into_iter().map(endpoint).collect()
}

fn address(address: &bus::AddressStatus) -> AddressStatus {
    let (state, since, reason, attempts) = match &address.state {
        State::Resolving => (AddressState::Resolving, None, None, 0),
        State::Found => (AddressState::Found, None, None, 0),
        State::Connecting => (AddressState::Connecting, None, None, 0),
        State::Connected => (AddressState::Connected, address.connected_since, None, 0),
        State::Unresponsive { since } => (AddressState::Unresponsive, Some(*since), None, 0),
        State::Bound => (AddressState::Bound, None, None, 0),
        State::Down { reason, since, attempts } => {
            (AddressState::Down, Some(*since), Some(reason.to_string()), *attempts)
        }
    };
    AddressStatus {
        address: address.address.to_string(),
        state,
        since: since.map(|since| stamp(since.at)),
        state_seconds: since.map(|since| since.clock.elapsed().as_secs_f64()),
        reason,
        attempts,
        connects: address.connects,
        disconnects: address.disconnects,
    }
}

fn consumer(place: Consumer, Handle { tally, profile, .. }: &Handle) -> ConsumerStatus {
    let dropped = Dropped::ALL.iter().map(|reason| (reason.word().to_owned(), tally.dropped.get(*reason)));
    ConsumerStatus {
        place,
        state: tally.state(),
        state_seconds: tally.in_state().as_secs_f64(),
        topics: profile.topics.clone(),
        plugin: profile.plugin.clone(),
        received: tally.received(),
        handled: tally.finished(),
        failures: tally.failures(),
        retries: tally.retries(),
        replayed: tally.replayed(),
        aside: tally.aside(),
        dropped: dropped.collect(),
        counted: tally.counts.all(),
        in_hand_seconds: tally.calls.in_hand().as_ref().map(Duration::as_secs_f64),
        handling: tally.calls.histogram(),
    }
}

/// What no calendar has is the beginning of time.
fn stamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or_default()
}
