//! `fedmsg-hub status` and `fedmsg-hub log-level`: how the hub is doing, and what it logs.

use std::io;
use std::time::Duration;

use clap::Args;
use control::{
    Access, AddressState, Command, ConsumerStatus, ControlError, EndpointStatus, HubState, Reply, Severity,
    Status,
};
use indicatif::{HumanBytes, HumanCount};

use super::output::Output;
use super::{Failure, Form, table, time};

/// See how the running hub is doing; the exit code says it, too.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit codes:
  0   the hub runs, and does all that it is there for; there may be warnings
  8   no hub runs
  9   the hub is there, and does not answer
  10  the hub runs and is not ready: PROBLEMS says why

Examples:
  fedmsg-hub status
  fedmsg-hub status --json | jq '.consumers[] | select(.lag > 1000) | .name'")]
pub struct Show {
    #[command(flatten)]
    form: Form,
}

/// See or set what the running hub logs, until it ends.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  fedmsg-hub log-level
  fedmsg-hub log-level info,plugin=debug")]
pub struct LogLevel {
    /// Log this from now on: error, warn, info, debug, trace, or a filter.
    level: Option<String>,
    #[command(flatten)]
    form: Form,
}

impl LogLevel {
    pub(super) fn run(&self, hub: &Access) -> Result<(), Failure> {
        let mut output = Output::new(self.form);
        hub.ask(&Command::LogLevel { set: self.level.clone() }, &mut |reply| match reply {
            Reply::LogLevel(level) if output.json => output.object(&level),
            Reply::LogLevel(level) => output.line(&level.level),
            _ => Ok(()),
        })?;
        output.finish()
    }
}

impl Show {
    pub(super) fn run(&self, hub: &Access) -> Result<(), Failure> {
        let status = ask(hub)?;
        let mut output = Output::new(self.form);
        let written = if output.json { output.object(&status) } else { show(&mut output, &status) };
        written.map_err(Failure::output)?;
        output.finish()?;
        if status.is_ready() { Ok(()) } else { Err(Failure::Unready) }
    }
}

/// How the hub is doing, asked for.
pub(super) fn ask(hub: &Access) -> Result<Status, Failure> {
    let mut asked = None;
    hub.ask(&Command::Status, &mut |reply| {
        if let Reply::Status(status) = reply {
            asked = Some(*status);
        }
        Ok(())
    })?;
    asked.ok_or(Failure::Control(ControlError::Gone))
}

fn show(output: &mut Output, status: &Status) -> io::Result<()> {
    let Status { hub, intake, journal, process, .. } = status;
    let state = match (hub.state, status.is_ready()) {
        (HubState::Stopping, _) => "stopping",
        (HubState::Running, true) => "running",
        (HubState::Running, false) => "running, NOT READY",
    };
    let free =
        journal.disk_free_bytes.map(|bytes| format!(", {} free", HumanBytes(bytes))).unwrap_or_default();
    let rejected: u64 = intake.rejected.values().sum();
    let mut rows = vec![
        (
            "hub",
            format!(
                "{state} for {} (version {}, process {})",
                seconds(hub.uptime_seconds),
                hub.version,
                hub.pid
            ),
        ),
        ("received", format!("{} messages, {}", HumanCount(intake.messages), HumanBytes(intake.bytes))),
        ("not handed on", if rejected == 0 { "none".to_owned() } else { words(&intake.rejected) }),
        (
            "journal",
            format!("{} messages, {}{free}", HumanCount(journal.messages), HumanBytes(journal.disk_bytes)),
        ),
        (
            "process",
            format!(
                "{}, {} threads, {} files open, {} of processor time",
                HumanBytes(process.resident_bytes),
                process.threads,
                process.open_files,
                seconds(process.cpu_seconds)
            ),
        ),
    ];
    if !intake.untrusted.is_empty() {
        rows.insert(3, ("not trusted", words(&intake.untrusted)));
    }
    output.line(&table::list(&rows))?;
    let width = output.width;
    if !status.consumers.is_empty() {
        let rows: Vec<_> = status.consumers.iter().map(consumer).collect();
        output.line(&"")?;
        output.line(&table::table(CONSUMER, &rows, width))?;
    }
    let counts = status.consumers.iter().map(|it| [it.place.name.clone(), words(&it.counted)]);
    let counts: Vec<_> = counts.filter(|[_, counts]| !counts.is_empty()).collect();
    if !counts.is_empty() {
        output.line(&"")?;
        output.line(&table::table(["CONSUMER", "COUNTED"], &counts, width))?;
    }
    if !status.endpoints.is_empty() {
        let rows: Vec<_> = status.endpoints.iter().map(endpoint).collect();
        output.line(&"")?;
        output.line(&table::table(ENDPOINT, &rows, width))?;
    }
    if !status.problems.is_empty() {
        let rows = status.problems.iter().map(|problem| {
            let severity = match problem.severity {
                Severity::Unready => "NOT READY",
                Severity::Warning => "warning",
            };
            [severity.to_owned(), problem.message.clone()]
        });
        output.line(&"")?;
        output.line(&table::table(["PROBLEM", ""], &rows.collect::<Vec<_>>(), width))?;
    }
    Ok(())
}

/// The columns of [`consumer`].
pub(super) const CONSUMER: [&str; 8] =
    ["CONSUMER", "STATE", "HANDLED", "FAILED", "LAG", "FOR", "IN HAND", "DEAD"];

/// A consumer's row.
pub(super) fn consumer(consumer: &ConsumerStatus) -> [String; 8] {
    let place = &consumer.place;
    [
        place.name.clone(),
        consumer.state.word().to_owned(),
        HumanCount(consumer.handled).to_string(),
        HumanCount(consumer.failures).to_string(),
        HumanCount(place.lag).to_string(),
        if place.lag == 0 { "-".to_owned() } else { seconds(place.lag_seconds) },
        consumer.in_hand_seconds.map_or_else(|| "-".to_owned(), seconds),
        HumanCount(place.dead_letters).to_string(),
    ]
}

/// The columns of [`endpoint`].
pub(super) const ENDPOINT: [&str; 7] =
    ["ENDPOINT", "STATE", "FOR", "MESSAGES", "LAST", "REJECTED", "UNTRUSTED"];

/// An endpoint's row.
pub(super) fn endpoint(endpoint: &EndpointStatus) -> [String; 7] {
    let up = |state: AddressState| matches!(state, AddressState::Connected | AddressState::Bound);
    let places = endpoint.addresses.iter().filter(|address| address.state != AddressState::Found);
    let places: Vec<_> = places.collect();
    let connected = places.iter().filter(|address| up(address.state)).count();
    let state = match (connected, places.as_slice()) {
        (0, [only]) => match only.state {
            AddressState::Resolving => "resolving".to_owned(),
            AddressState::Connecting => "connecting".to_owned(),
            AddressState::Unresponsive => "UNRESPONSIVE".to_owned(),
            _ => format!("DOWN, {} attempts", only.attempts),
        },
        (1, [only]) if only.state == AddressState::Bound => "bound".to_owned(),
        (1, [_]) => "connected".to_owned(),
        (0, all) => format!("DOWN, all {}", all.len()),
        (some, all) => format!("{some} of {} connected", all.len()),
    };
    let lengths = endpoint.addresses.iter().filter_map(|address| address.state_seconds);
    let newest = lengths.min_by(f64::total_cmp);
    [
        endpoint.name.clone(),
        state,
        newest.map_or_else(|| "-".to_owned(), seconds),
        HumanCount(endpoint.messages).to_string(),
        endpoint
            .last_message
            .map_or_else(|| "never".to_owned(), |_| format!("{} ago", seconds(endpoint.silent_seconds))),
        HumanCount(endpoint.rejected.values().sum()).to_string(),
        HumanCount(endpoint.untrusted.values().sum()).to_string(),
    ]
}

fn words(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let occurred = counts.iter().filter(|(_, count)| **count > 0);
    occurred.map(|(word, count)| format!("{word} {}", HumanCount(*count))).collect::<Vec<_>>().join(", ")
}

/// A length of time.
pub(super) fn seconds(seconds: f64) -> String {
    time::length(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
