//! One rule: which messages, which command, and how the command is run.

use std::collections::BTreeMap;
use std::time::Duration;

use exec::{Command, Message, Output, RunError};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use plugin_api::{Hub, Pattern, tracing};
use serde::Deserialize;

/// As many lines and bytes of one run are logged.
const MOST_LINES: usize = 1000;
const MOST_BYTES: usize = 256 * 1024;

/// What the lines are counted as that are not.
pub(crate) const UNLOGGED: &str = "unlogged_lines";

/// A rule's table, as it is written.
#[derive(Debug, Clone, Deserialize)]
struct Table {
    /// Globs of the topics.
    topics: Vec<String>,
    /// The program and its arguments.
    #[serde(default)]
    command: Option<Vec<String>>,
    /// A line for `/bin/sh`, instead.
    #[serde(default)]
    shell: Option<String>,
    /// How long a run may take.
    #[serde(default = "ten_minutes", with = "duration")]
    timeout: Duration,
    /// How long to wait for more messages after the first.
    #[serde(default, with = "duration")]
    wait_for: Duration,
}

fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

/// What is wrong with a rule, beyond a wrong type.
#[derive(Debug, thiserror::Error)]
#[error("rule `{name}`: {fault}")]
pub(crate) struct RuleError {
    name: String,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("`topics` is empty: this rule would never run; `[\"*\"]` is every message")]
    NoTopics,
    #[error(
        "either `command`, a list of a program and its arguments, or `shell`, a line for /bin/sh, must be there"
    )]
    NotOneCommand,
    #[error("`command` is empty: it begins with the program")]
    NoProgram,
}

/// All rules, by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "BTreeMap<String, Table>")]
pub(crate) struct Rules(pub(crate) BTreeMap<String, Rule>);

impl TryFrom<BTreeMap<String, Table>> for Rules {
    type Error = RuleError;

    fn try_from(tables: BTreeMap<String, Table>) -> Result<Self, RuleError> {
        let rules = tables.into_iter().map(|(name, table)| match Rule::try_from(table) {
            Ok(rule) => Ok((name, rule)),
            Err(fault) => Err(RuleError { name, fault }),
        });
        rules.collect::<Result<_, _>>().map(Self)
    }
}

/// A rule that can be run.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) topics: Vec<Pattern>,
    pub(crate) wait_for: Duration,
    command: Command,
    timeout: Duration,
}

impl TryFrom<Table> for Rule {
    type Error = Fault;

    fn try_from(table: Table) -> Result<Self, Fault> {
        let Table { topics, command, shell, timeout, wait_for } = table;
        if topics.is_empty() {
            return Err(Fault::NoTopics);
        }
        let command = match (command, shell) {
            (Some(words), None) => {
                let mut words = words.into_iter();
                let program = words.next().filter(|program| !program.is_empty());
                Command::new(program.ok_or(Fault::NoProgram)?, words)
            }
            (None, Some(line)) => Command::shell(line),
            _ => return Err(Fault::NotOneCommand),
        };
        let topics = topics.iter().map(|topic| Pattern::new(topic)).collect();
        Ok(Self { topics, command, timeout, wait_for })
    }
}

impl Rule {
    /// Whether it is for messages of this topic.
    pub(crate) fn is_for(&self, topic: &str) -> bool {
        self.topics.iter().any(|pattern| pattern.matches(topic))
    }

    /// How long a run may take, with all that it takes to end it.
    pub(crate) fn longest(&self) -> Duration {
        self.timeout.saturating_add(exec::GRACE)
    }

    /// Runs the command for these, and logs what it prints, up to a limit.
    pub(crate) fn run(&self, name: &str, messages: &[Message], hub: &Hub) -> Result<(), RunError> {
        let (mut lines, mut bytes, mut unlogged) = (0, 0, 0);
        let mut log = |line: &str| {
            if lines == MOST_LINES || bytes >= MOST_BYTES {
                unlogged += 1;
                return;
            }
            (lines, bytes) = (lines + 1, bytes + line.len());
            tracing::info!(rule = name, "{line}");
        };
        tracing::debug!(rule = name, messages = messages.len(), command = %self.command, "running");
        let result = self.command.run(messages, Some(self.timeout), None, Output::Lines(&mut log));
        if unlogged > 0 {
            hub.count(UNLOGGED, unlogged);
            tracing::warn!(rule = name, unlogged, "it printed more lines than are logged of one run");
        }
        result
    }
}
