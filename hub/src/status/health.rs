//! What is wrong with a hub, told from its status. One judgement for `/ready`, the tables, the log and the watchdog.

use std::time::Duration;

use control::{
    AddressState, ConsumerState, ConsumerStatus, EndpointStatus, HubState, Problem, ProblemKind, Severity,
    Status,
};
use settings::Settings;

use super::{Parts, stamp};
use crate::consumer::Tally;
use crate::intake::IntakeTally;

/// What is too long, and who is needed.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `hub.stuck_after`.
    pub stuck_after: Duration,
    /// `hub.silent_after`.
    pub silent_after: Duration,
    /// `hub.drain_deadline`.
    pub drain: Duration,
    /// `hub.required_endpoints`.
    pub required: Vec<String>,
    /// `journal.segment_bytes`: with less than that free, the disk is nearly full.
    pub low_disk: u64,
}

impl Limits {
    /// As configured.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let hub = &settings.hub;
        Self {
            stuck_after: hub.stuck_after,
            silent_after: hub.silent_after,
            drain: hub.drain_deadline,
            required: hub.required_endpoints.clone(),
            low_disk: settings.journal.segment_bytes,
        }
    }

    fn is_stuck(&self, in_hand: Duration) -> bool {
        !self.stuck_after.is_zero() && in_hand > self.stuck_after
    }
}

/// Whether the data path makes progress: the intake comes by, and no consumer is stuck in a call. It looks at a few
/// atomic numbers only, so that it may be asked anywhere.
pub fn is_alive<'a>(
    intake: &IntakeTally,
    mut consumers: impl Iterator<Item = &'a Tally>,
    limits: &Limits,
) -> bool {
    let stuck = |tally: &Tally| tally.calls.in_hand().is_some_and(|in_hand| limits.is_stuck(in_hand));
    intake.stuck().is_none() && !consumers.any(stuck)
}

/// What is wrong, the worst first.
pub(super) fn problems(status: &Status, parts: &Parts<'_>) -> Vec<Problem> {
    let limits = parts.limits;
    let mut found = Found(Vec::new());
    if status.hub.state == HubState::Stopping {
        found.unready(ProblemKind::Stopping, None, "the hub is stopping".to_owned());
    }
    if let Some(since) = parts.intake.stuck() {
        let message = format!(
            "nothing has been taken in for {since:.0?}: the intake hangs, which is a fault of the hub or of the disk"
        );
        found.unready(ProblemKind::IntakeStuck, None, message);
    }
    if let Some(trouble) = &status.journal.trouble {
        found.unready(ProblemKind::Journal, None, trouble.clone());
    } else if status.journal.disk_free_bytes.is_some_and(|free| free < limits.low_disk) {
        let message =
            format!("the disk of hub.state_dir is nearly full: less than {} bytes are free", limits.low_disk);
        found.warning(ProblemKind::DiskLow, None, message);
    }
    if let Some(error) = &parts.distrust {
        let message = format!("consumers that validate get nothing: {error}");
        found.unready(ProblemKind::NothingTrusted, None, message);
    }
    consumers(status, limits, &mut found);
    // Whoever says which endpoints matter has said enough; else one at least does.
    let all_down = limits.required.is_empty() && !status.endpoints.iter().any(|endpoint| endpoint.connected);
    for endpoint in &status.endpoints {
        let is_needed = all_down || limits.required.contains(&endpoint.name);
        self::endpoint(endpoint, is_needed, limits, &mut found);
    }
    if let Some(error) = &status.hub.reloads.last_error {
        let message = format!("the last reload was refused, and the hub goes on as before: {error}");
        found.warning(ProblemKind::ReloadFailed, None, message);
    }
    if let Some(jump) = parts.clock.recent_jump() {
        let message = format!(
            "this machine's clock has jumped {jump}, to {:.0}: see that it is right; for an hour nothing is removed from \
             the journal for its age",
            stamp(jump.to)
        );
        found.warning(ProblemKind::ClockJumped, None, message);
    }
    found.0.sort_by_key(|problem| problem.severity);
    found.0
}

fn consumers(status: &Status, limits: &Limits, found: &mut Found) {
    let has_ended = |consumer: &ConsumerStatus| consumer.state == ConsumerState::Ended;
    // That they end is what a stop is.
    if status.hub.state == HubState::Running {
        if status.consumers.is_empty() {
            found.warning(
                ProblemKind::NoConsumer,
                None,
                "no consumer is switched on: the hub does no work".to_owned(),
            );
        }
        for consumer in status.consumers.iter().filter(|consumer| has_ended(consumer)) {
            let name = &consumer.place.name;
            let message = format!(
                "consumer {name} has ended: see the log for why, and reload the hub, which starts it again"
            );
            found.unready(ProblemKind::ConsumerEnded, Some(name), message);
        }
    }
    for consumer in &status.consumers {
        let name = &consumer.place.name;
        if consumer.state == ConsumerState::Leaving && consumer.state_seconds > limits.drain.as_secs_f64() {
            let message = format!(
                "consumer {name} was told to end {:.0} s ago and has not: it gets no messages until it has, and is then \
                 started again; if it hangs, restart the hub",
                consumer.state_seconds
            );
            found.unready(ProblemKind::ConsumerStuck, Some(name), message);
            continue;
        }
        let in_hand = consumer.in_hand_seconds.and_then(|time| Duration::try_from_secs_f64(time).ok());
        if let Some(in_hand) = in_hand.filter(|in_hand| limits.is_stuck(*in_hand)) {
            let message = format!("consumer {name} has not come back from a message for {in_hand:.0?}");
            found.unready(ProblemKind::ConsumerStuck, Some(name), message);
        }
        let without = match consumer.state {
            ConsumerState::Ignored => "the hub runs without it",
            ConsumerState::Retrying => "it is tried again",
            _ => continue,
        };
        let message = format!("consumer {name} did not start: {without}");
        found.warning(ProblemKind::ConsumerNotStarted, Some(name), message);
    }
}

fn endpoint(endpoint: &EndpointStatus, is_needed: bool, limits: &Limits, found: &mut Found) {
    let name = &endpoint.name;
    if !endpoint.connected {
        let places = endpoint.addresses.iter().filter(|address| address.state != AddressState::Found);
        let addresses = places.map(|address| {
            let why = match (&address.reason, address.state) {
                (Some(reason), _) => reason,
                (None, AddressState::Resolving) => "its name is being looked up",
                (None, AddressState::Unresponsive) => "connected, but who is there does not answer",
                (None, _) => "connecting",
            };
            format!("{}: {why}", address.address)
        });
        let addresses = addresses.collect::<Vec<_>>().join("; ");
        let message = format!("endpoint {name} is not connected ({addresses})");
        if is_needed {
            found.unready(ProblemKind::EndpointDown, Some(name), message);
        } else {
            found.warning(ProblemKind::EndpointDown, Some(name), message);
        }
        return;
    }
    let silent_after = limits.silent_after.as_secs_f64();
    if silent_after > 0.0 && endpoint.silent_seconds > silent_after {
        let message = format!(
            "endpoint {name} is connected, and nothing has come from it for {:.0} s: does its publisher live?",
            endpoint.silent_seconds
        );
        found.warning(ProblemKind::EndpointSilent, Some(name), message);
    }
}

/// What was found.
struct Found(Vec<Problem>);

impl Found {
    fn unready(&mut self, kind: ProblemKind, about: Option<&String>, message: String) {
        self.0.push(Problem { severity: Severity::Unready, kind, about: about.cloned(), message });
    }

    fn warning(&mut self, kind: ProblemKind, about: Option<&String>, message: String) {
        self.0.push(Problem { severity: Severity::Warning, kind, about: about.cloned(), message });
    }
}
