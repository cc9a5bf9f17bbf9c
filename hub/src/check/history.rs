//! What the journal tells: consumers that nothing comes to, that are far behind or gone, dead letters, and clocks that
//! differ. Asked of the hub that runs, or of the files; both only look.

use std::collections::BTreeMap;
use std::time::Duration;

use control::{Access, Command, ControlError, ProblemKind, Reply, Span, Stats, Status};
use message::Envelope;
use settings::Configuration;

use super::{Finding, Kind};
use crate::plan::Plan;

/// As many of the newest messages are looked at.
const LOOK: u64 = 10_000;

/// A consumer that has had fewer to choose from is not judged.
const FEW: u64 = 100;

/// A consumer that is so many messages behind is far behind,
const MANY: u64 = 10_000;

/// and so is one of a running hub whose next message came so long ago.
const LONG: Duration = Duration::from_secs(3600);

/// Clocks may differ by so many seconds.
const SKEW: f64 = 60.0;

/// What the newest messages show.
struct Newest {
    /// How many there are.
    looked_at: u64,
    /// Of each planned consumer, whether one of them was for it.
    matched: Vec<bool>,
    /// Of each endpoint, by how many seconds each of its messages came later than it is stamped.
    late: BTreeMap<String, Vec<f64>>,
}

/// The hub that runs on the state directory, and what is known of its journal.
#[derive(Default)]
pub(super) struct History {
    /// How the hub is doing that was asked; none if none runs.
    pub(super) hub: Option<Status>,
    stats: Option<Stats>,
}

impl History {
    /// Looks, and says what is wrong with the hub and its journal, whoever the consumers are.
    pub(super) fn look(configuration: &Configuration) -> (Self, Vec<Finding>) {
        let mut findings = Vec::new();
        let history = Self::ask(configuration).unwrap_or_else(|error| {
            findings.extend(unknown(configuration, &error));
            Self::default()
        });
        findings.extend(history.hub.iter().flat_map(running));
        findings.extend(history.stats.as_ref().and_then(dead_letters));
        (history, findings)
    }

    fn ask(configuration: &Configuration) -> Result<Self, ControlError> {
        let access = Access::find(&configuration.settings().hub.state_dir)?;
        let mut history = Self::default();
        let mut each = |reply: Reply<'_>| {
            match reply {
                Reply::Stats(stats) => history.stats = Some(stats),
                Reply::Status(status) => history.hub = Some(*status),
                _ => {}
            }
            Ok(())
        };
        if matches!(access, Access::Running(_)) {
            access.ask(&Command::Status, &mut each)?;
        }
        access.ask(&Command::Stats, &mut each)?;
        Ok(history)
    }

    /// What it says of the consumers that are planned.
    pub(super) fn findings(&self, configuration: &Configuration, plan: &Plan) -> Vec<Finding> {
        let Some(stats) = &self.stats else { return Vec::new() };
        let mut findings = places(configuration, plan, stats);
        match newest(configuration, plan) {
            Ok(newest) => {
                findings.extend(unmatched(configuration, plan, stats, &newest));
                findings.extend(skew(&newest));
            }
            Err(error) => findings.extend(unknown(configuration, &error)),
        }
        findings
    }
}

/// Why nothing is known; that there is no journal yet is nothing to worry about.
fn unknown(configuration: &Configuration, error: &ControlError) -> Option<Finding> {
    let mend = match error {
        ControlError::NoJournal { .. } => return None,
        ControlError::NotReady { .. } => "check again when it is done",
        ControlError::NotPermitted { .. } => "check as the user who runs the hub",
        _ => "what the journal tells was not looked at: `fedmsg-hub journal verify` may know more",
    };
    let finding = Finding::warning(Kind::History, error, mend);
    Some(finding.at(configuration.origin(&["hub", "state_dir"])))
}

/// What the hub says itself. What is told here in other words is left out.
fn running(status: &Status) -> Vec<Finding> {
    let told = |kind| matches!(kind, ProblemKind::NoConsumer | ProblemKind::DiskLow);
    let problems = status.problems.iter().filter(|problem| !told(problem.kind));
    let mend = "see `fedmsg-hub status` and the hub's log";
    let finding = |message: &str| {
        let what = format_args!("the running hub (process {}): {message}", status.hub.pid);
        Finding::warning(Kind::RunningHub, what, mend)
    };
    problems.map(|problem| finding(&problem.message)).collect()
}

fn dead_letters(stats: &Stats) -> Option<Finding> {
    let by_consumer = stats.consumers.iter().filter(|consumer| consumer.dead_letters > 0);
    let by_consumer: Vec<_> =
        by_consumer.map(|consumer| format!("{} {}", consumer.name, consumer.dead_letters)).collect();
    let of =
        if by_consumer.is_empty() { "of consumers that are gone".to_owned() } else { by_consumer.join(", ") };
    let what = format_args!(
        "{} messages were given up, and wait as dead letters ({of})",
        stats.journal.dead_letters
    );
    let mend = "see `fedmsg-hub dlq list`; then `dlq requeue` or `dlq purge`";
    (stats.journal.dead_letters > 0).then(|| Finding::warning(Kind::DeadLetters, what, mend))
}

/// Consumers that are far behind, and those that have a place in the journal and do not run.
fn places(configuration: &Configuration, plan: &Plan, stats: &Stats) -> Vec<Finding> {
    let mut findings = Vec::new();
    for place in &stats.consumers {
        let name = &place.name;
        let Some(planned) = plan.consumers.iter().find(|planned| *planned.installed.name == **name) else {
            let what = format_args!(
                "consumer {name} is not to run, and {} messages are kept for it, as is what comes",
                place.lag
            );
            let mend =
                format_args!("switch it on, or have it forgotten: `fedmsg-hub consumer forget {name}`");
            findings.push(Finding::warning(Kind::StaleCursor, what, mend));
            continue;
        };
        // While no hub runs, time says nothing.
        let is_late = stats.running && place.lag > 0 && place.lag_seconds > LONG.as_secs_f64();
        if place.lag >= MANY || is_late {
            let what = format_args!(
                "consumer {name} is {} messages behind, for {:.0} s",
                place.lag, place.lag_seconds
            );
            let mend = "see in `fedmsg-hub status` whether it is stuck, and give it `workers` if it is slow";
            let finding = Finding::warning(Kind::Behind, what, mend);
            findings.push(finding.at(configuration.consumer_problem(&planned.installed.key, "", "").origin));
        }
    }
    findings
}

fn newest(configuration: &Configuration, plan: &Plan) -> Result<Newest, ControlError> {
    let access = Access::find(&configuration.settings().hub.state_dir)?;
    let matched = vec![false; plan.consumers.len()];
    let mut newest = Newest { looked_at: 0, matched, late: BTreeMap::new() };
    let command =
        Command::Messages { span: Span::default(), last: Some(LOOK), topics: Vec::new(), follow: false };
    access.ask(&command, &mut |reply| {
        let Reply::Message(message) = reply else { return Ok(()) };
        newest.looked_at += 1;
        for (consumer, matched) in plan.consumers.iter().zip(&mut newest.matched) {
            *matched = *matched || consumer.topics.iter().any(|topic| topic.matches(&message.topic));
        }
        let stamped =
            Envelope::parse(message.body().as_bytes()).ok().and_then(|envelope| envelope.timestamp());
        if let Some(stamped) = stamped {
            let late = message.received.as_millisecond() as f64 / 1000.0 - stamped;
            newest.late.entry(message.endpoint.into_owned()).or_default().push(late);
        }
        Ok(())
    })?;
    Ok(newest)
}

fn unmatched(configuration: &Configuration, plan: &Plan, stats: &Stats, newest: &Newest) -> Vec<Finding> {
    // The hub subscribes for those who run: what another one wants has not come yet.
    let has_run = |name: &str| stats.consumers.iter().any(|place| place.name == name);
    let consumers = plan.consumers.iter().zip(&newest.matched);
    let unmatched = consumers.filter(|(consumer, matched)| {
        !**matched && consumer.inbound.is_empty() && has_run(&consumer.installed.name)
    });
    let finding = unmatched.map(|(consumer, _)| {
        let what = format_args!(
            "consumer {}: none of the newest {} messages in the journal has a topic that it takes ({})",
            consumer.installed.name,
            newest.looked_at,
            crate::report::topics(&consumer.topics)
        );
        let mend = "look at how its topics are spelt, at topic_matching, and whether their publishers are in [endpoints]";
        let origin = configuration.consumer_problem(&consumer.installed.key, "topics", "").origin;
        Finding::warning(Kind::Unmatched, what, mend).at(origin)
    });
    if newest.looked_at < FEW { Vec::new() } else { finding.collect() }
}

/// Endpoints whose messages come, in their majority, long after or before the times on them.
fn skew(newest: &Newest) -> Vec<Finding> {
    let mut by_endpoint: Vec<(&str, f64)> = Vec::new();
    for (endpoint, late) in &newest.late {
        let mut late = late.clone();
        late.sort_by(f64::total_cmp);
        by_endpoint.extend(late.get(late.len() / 2).map(|median| (endpoint.as_str(), *median)));
    }
    let all_the_same = by_endpoint.len() > 1
        && [1.0, -1.0].iter().any(|sign| by_endpoint.iter().all(|(_, median)| median * sign > SKEW));
    let mend = if all_the_same {
        "it is so with every endpoint: set this machine's clock (timedatectl, chrony)"
    } else {
        "have its clock set; it may also send what is old"
    };
    let off = by_endpoint.into_iter().filter(|(_, median)| median.abs() > SKEW);
    off.map(|(endpoint, median)| {
        let (seconds, when) = (median.abs(), if median > 0.0 { "after" } else { "before" });
        let what = format_args!(
            "messages of endpoint {endpoint} come {seconds:.0} s {when} the time that is on them: clocks differ"
        );
        Finding::warning(Kind::ClockSkew, what, mend)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(late: &[(&str, &[f64])]) -> Newest {
        let late = late.iter().map(|(endpoint, late)| ((*endpoint).to_owned(), late.to_vec())).collect();
        Newest { looked_at: 1, matched: Vec::new(), late }
    }

    #[test]
    fn a_clock_is_told_by_most_messages_and_not_by_one_that_was_late() {
        assert_eq!(skew(&newest(&[("a", &[0.1, 500.0, 0.2]), ("b", &[59.0])])), []);
        let found = skew(&newest(&[("a", &[-90.0, 0.1, -80.0]), ("b", &[0.3])]));
        assert_eq!(found.len(), 1);
        assert!(found[0].what.starts_with("messages of endpoint a come 80 s before"), "{}", found[0]);
        assert!(found[0].mend.starts_with("have its clock set"), "{}", found[0]);
    }

    #[test]
    fn where_all_are_late_this_clock_is_to_blame() {
        let found = skew(&newest(&[("a", &[90.0]), ("b", &[100.0])]));
        assert!(found.len() == 2 && found[0].mend.contains("this machine's clock"), "{found:?}");
        let found = skew(&newest(&[("a", &[90.0]), ("b", &[-100.0])]));
        assert!(found.len() == 2 && found[0].mend.starts_with("have its clock"), "{found:?}");
    }
}
