//! What is wrong with a hub, told from its status. One judgement for `/ready`, the tables, the log and the watchdog.

use std::time::Duration;

use control::{
    AddressState, ConsumerState, ConsumerStatus, EndpointStatus, HubState, Problem, ProblemKind, Severity,
    Status,
};
use settings::Settings;

use super::{Parts, stamp};
use crate::consumer::{Call, Handle};
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

    /// For how long one of these calls has been under way, if that is too long for a consumer of such patience.
    fn stuck(&self, calls: &[Call], patience: Option<Duration>) -> Option<Duration> {
        if self.stuck_after.is_zero() {
            return None;
        }
        let allowed =
            |call: &Call| patience.unwrap_or_default().saturating_mul(call.messages).max(self.stuck_after);
        calls.iter().filter(|call| call.time > allowed(call)).map(|call| call.time).max()
    }

    fn stuck_in(&self, Handle { tally, profile, .. }: &Handle) -> Option<Duration> {
        self.stuck(&tally.calls.under_way(), profile.patience)
    }
}

/// Whether the data path makes progress: the intake comes by, and no consumer is stuck in a call. It looks at a few
/// atomic numbers only, so that it may be asked anywhere.
pub fn is_alive<'a>(
    intake: &IntakeTally,
    mut consumers: impl Iterator<Item = &'a Handle>,
    limits: &Limits,
) -> bool {
    intake.stuck().is_none() && !consumers.any(|consumer| limits.stuck_in(consumer).is_some())
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
    consumers(status, parts, &mut found);
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

fn consumers(status: &Status, parts: &Parts<'_>, found: &mut Found) {
    let limits = parts.limits;
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
        let handle = parts.consumers.iter().find(|(of, _)| of == name);
        if let Some(stuck) = handle.and_then(|(_, handle)| limits.stuck_in(handle)) {
            let message = format!("consumer {name} has not come back from a message for {stuck:.0?}");
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
                (None, AddressState::Unresponsive) => {
                    "connected, but who is there takes no connection or is frozen"
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_stuck_when_it_takes_longer_than_the_operator_allows_and_the_plugin_says() {
        let seconds = Duration::from_secs;
        let mut limits = Limits::new(&Settings::default());
        limits.stuck_after = seconds(60);
        let stuck = |limits: &Limits, patience: Option<u64>, calls: &[(u64, u32)]| {
            let calls: Vec<_> = calls
                .iter()
                .map(|(time, messages)| Call { time: seconds(*time), messages: *messages })
                .collect();
            limits.stuck(&calls, patience.map(seconds)).map(|stuck| stuck.as_secs())
        };
        assert_eq!(stuck(&limits, None, &[(60, 9), (61, 9), (62, 9)]), Some(62));
        assert_eq!(stuck(&limits, Some(10), &[(60, 1), (61, 1)]), Some(61));
        assert_eq!(stuck(&limits, Some(100), &[(100, 1), (700, 7)]), None);
        // The one that has been under way for longest need not be the one that is stuck.
        assert_eq!(stuck(&limits, Some(100), &[(101, 1), (700, 7)]), Some(101));
        limits.stuck_after = Duration::ZERO;
        assert_eq!(stuck(&limits, Some(10), &[(1000, 1)]), None);
    }
}
