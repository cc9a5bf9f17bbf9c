//! `fedmsg-check`: whether a hub's consumers and producers are active, by the report that it publishes.
//!
//! It reads what Python's hubs publish, too: the report is moksha's.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bus::Context;
use clap::Parser;
use serde::Deserialize;
use serde_json::Value;

use crate::options::ConfigurationOptions;
use crate::process::{Failure, conclude};

/// The command's name.
pub const NAME: &str = "fedmsg-check";

const HELP: &str = "\
The hub publishes a report every five seconds, where `monitoring.socket` of the configuration says:
`[monitoring] socket = \"ipc:///run/fedmsg-hub/monitoring.sock\"`.

With --nagios, the exit code is 0 for OK, 1 for WARNING, 2 for CRITICAL and 3 for UNKNOWN.

Examples:
  fedmsg-check
  fedmsg-check --consumer irc --consumer relay
  fedmsg-check --nagios --warning 1000 --critical 10000

Exit codes:
  0  all of them are active
  1  some are missing or not initialized, or no report came in time
  2  wrong command line
  3  wrong configuration, or none of a monitoring socket";

/// Checks whether the consumers and producers of a hub are active.
///
/// Without --consumer and --producer, all are shown.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
pub struct Cli {
    /// How many seconds to wait for a report.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// This consumer has to be active; may be repeated.
    #[arg(short, long = "consumer", value_name = "NAME")]
    pub consumers: Vec<String>,
    /// This producer has to be active; may be repeated.
    #[arg(short, long = "producer", value_name = "NAME")]
    pub producers: Vec<String>,
    /// Say it in one line, with figures, and by nagios' exit codes. Without --consumer, all consumers of the report have
    /// to be active.
    #[arg(long)]
    pub nagios: bool,
    /// WARNING if a consumer is so many messages behind.
    #[arg(long, value_name = "MESSAGES", requires = "nagios")]
    pub warning: Option<u64>,
    /// CRITICAL if a consumer is so many messages behind.
    #[arg(long, value_name = "MESSAGES", requires = "nagios")]
    pub critical: Option<u64>,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

/// Checks, and says what it found.
#[must_use]
pub fn run(options: &Cli) -> ExitCode {
    if !options.nagios {
        return conclude(NAME, check(options));
    }
    let (state, line) = match report(options) {
        Ok((report, _)) => report.judge(options),
        Err(failure @ Failure::NoReport { .. }) => (Nagios::Critical, failure.to_string()),
        Err(failure) => (Nagios::Unknown, failure.to_string().replace('\n', "; ")),
    };
    // Nobody is left to tell if standard output is closed.
    drop(writeln!(io::stdout(), "FEDMSG {} - {line}", state.word()));
    ExitCode::from(state as u8)
}

/// What nagios calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Nagios {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl Nagios {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What is looked at of a report.
#[derive(Debug, Deserialize)]
struct Report {
    consumers: Vec<Part>,
    producers: Vec<Part>,
}

/// A consumer or a producer.
#[derive(Debug, Deserialize)]
struct Part {
    name: String,
    initialized: bool,
    #[serde(default)]
    exceptions: u64,
    backlog: Option<u64>,
    #[serde(default)]
    headcount_in: u64,
    #[serde(default)]
    headcount_out: u64,
}

impl Report {
    /// Those of the asked for that are missing, and those that are not initialized.
    fn inactive<'a>(&self, options: &'a Cli) -> (Vec<&'a str>, Vec<&'a str>) {
        let (mut missing, mut uninitialized) = (Vec::new(), Vec::new());
        for (wanted, there) in [(&options.consumers, &self.consumers), (&options.producers, &self.producers)]
        {
            for name in wanted {
                match there.iter().find(|part| part.name == *name) {
                    None => missing.push(name.as_str()),
                    Some(part) if !part.initialized => uninitialized.push(name.as_str()),
                    Some(_) => {}
                }
            }
        }
        (missing, uninitialized)
    }

    /// The state, and the line with its figures.
    fn judge(&self, options: &Cli) -> (Nagios, String) {
        let is_meant = |part: &&Part| options.consumers.is_empty() || options.consumers.contains(&part.name);
        let meant: Vec<&Part> = self.consumers.iter().filter(is_meant).collect();
        let (missing, uninitialized) = self.inactive(options);
        let mut found: Vec<(Nagios, String)> = Vec::new();
        found.extend(missing.iter().map(|name| (Nagios::Critical, format!("{name} is not active"))));
        let down = meant.iter().filter(|part| !part.initialized).map(|part| part.name.as_str());
        let mut down: Vec<&str> = down.chain(uninitialized).collect();
        down.sort_unstable();
        down.dedup();
        found.extend(down.iter().map(|name| (Nagios::Critical, format!("{name} is not initialized"))));
        for part in &meant {
            let behind = part.backlog.unwrap_or(0);
            let reached = |limit: Option<u64>| limit.is_some_and(|limit| behind >= limit);
            let state = match (reached(options.critical), reached(options.warning)) {
                (true, _) => Nagios::Critical,
                (_, true) => Nagios::Warning,
                _ => continue,
            };
            found.push((state, format!("{} is {behind} messages behind", part.name)));
        }
        let state = found.iter().map(|(state, _)| *state).max().unwrap_or(Nagios::Ok);
        let words = match found.is_empty() {
            true => format!("{} consumers are active", meant.len()),
            false => found.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join(", "),
        };
        // It separates the words from the figures.
        let words = words.replace('|', "_");
        let limit = |limit: Option<u64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        let (warning, critical) = (limit(options.warning), limit(options.critical));
        let figures = meant.iter().map(|Part { name, exceptions, backlog, headcount_in, headcount_out, .. }| {
            // What separates figures has no place in their names.
            let name = name.replace(['\'', '=', '|'], "_");
            format!(
                "'{name}_backlog'={};{warning};{critical};0 '{name}_in'={headcount_in}c '{name}_out'={headcount_out}c \
                 '{name}_exceptions'={exceptions}c",
                backlog.unwrap_or(0)
            )
        });
        let figures = figures.collect::<Vec<_>>().join(" ");
        let line = if figures.is_empty() { words } else { format!("{words} | {figures}") };
        (state, line)
    }
}

/// A report, and its JSON.
fn report(options: &Cli) -> Result<(Report, Value), Failure> {
    let settings = options.configuration.load()?;
    let address = settings.monitoring.address().ok().flatten().ok_or(Failure::NoMonitoring)?;
    let timeout = Duration::from_secs(options.timeout);
    let context = Context::new(&settings.zmq)?;
    let json = context.connect_reports(&address)?.next(timeout)?;
    let json = json.ok_or_else(|| Failure::NoReport { address: address.clone(), timeout })?;
    let read =
        serde_json::from_slice(&json).and_then(|value: Value| Ok((Report::deserialize(&value)?, value)));
    read.map_err(|source| Failure::BadReport { address, source })
}

/// As Python's does.
fn check(options: &Cli) -> Result<(), Failure> {
    let (report, json) = report(options)?;
    let mut stdout = io::stdout().lock();
    let mut say =
        |text: &str| writeln!(stdout, "{text}").map_err(Failure::stream("write to standard output"));
    let (missing, uninitialized) = report.inactive(options);
    if !missing.is_empty() || !uninitialized.is_empty() {
        let own = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        return Err(Failure::Inactive { missing: own(missing), uninitialized: own(uninitialized) });
    }
    if options.consumers.is_empty() && options.producers.is_empty() {
        say("No consumers or producers specified so all will be shown.")?;
    } else {
        say("All consumers and producers are active!")?;
    }
    say(&format!("{json:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"consumers": [
        {"name": "irc", "initialized": true, "backlog": 7, "exceptions": 1, "headcount_in": 10, "headcount_out": 3},
        {"name": "it's=odd|", "initialized": false, "backlog": null, "headcount_in": 0}
    ], "producers": [{"name": "p", "initialized": true, "frequency": 5}]}"#;

    fn judged(arguments: &[&str]) -> (Nagios, String) {
        let options = Cli::parse_from([&[NAME, "--nagios"], arguments].concat());
        serde_json::from_str::<Report>(REPORT).unwrap().judge(&options)
    }

    #[test]
    fn nagios_is_told_the_worst_in_one_line_with_figures() {
        let figures = "'irc_backlog'=7;;;0 'irc_in'=10c 'irc_out'=3c 'irc_exceptions'=1c";
        assert_eq!(
            judged(&["-c", "irc", "-p", "p"]),
            (Nagios::Ok, format!("1 consumers are active | {figures}"))
        );
        let (state, line) = judged(&[]);
        assert_eq!(state, Nagios::Critical);
        assert!(line.starts_with("it's=odd_ is not initialized | ") && line.contains(figures), "{line}");
        assert!(line.contains("'it_s_odd__backlog'=0;;;0"), "{line}");
        let (state, line) = judged(&["-c", "irc", "--warning", "7", "--critical", "8"]);
        assert_eq!(state, Nagios::Warning);
        assert!(line.starts_with("irc is 7 messages behind | 'irc_backlog'=7;7;8;0 "), "{line}");
        assert_eq!(judged(&["-c", "irc", "--critical", "7"]).0, Nagios::Critical);
        assert_eq!(judged(&["-c", "nobody"]), (Nagios::Critical, "nobody is not active".to_owned()));
        assert_eq!(judged(&["-c", "irc", "-p", "irc"]).0, Nagios::Critical);
    }
}
