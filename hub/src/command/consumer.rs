//! `fedmsg-hub consumer`: where each consumer is.

use std::io;
use std::time::Duration;

use clap::Subcommand;
use control::{Access, Command, ControlError, Refusal};
use indicatif::HumanCount;
use message::printable;
use serde_json::json;

use super::confirm::confirm;
use super::journal::ask_stats;
use super::output::{Output, note};
use super::{Failure, Form, table, time};

/// What can be done with consumers.
#[derive(Debug, Clone, Subcommand)]
pub enum Consumer {
    /// Those that have a place in the journal, and how far behind they are.
    #[command(after_help = "Examples:
  fedmsg-hub consumer list
  fedmsg-hub consumer list --json | jq 'select(.lag_seconds > 60)'")]
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Remove a consumer's place for good, so that nothing is kept for it any more. It must not be running. Its dead
    /// letters stay.
    #[command(after_help = "Example:\n  fedmsg-hub consumer forget irc")]
    Forget {
        /// The consumer.
        name: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
}

impl Consumer {
    pub(super) fn run(&self, hub: &Access) -> Result<(), Failure> {
        match self {
            Self::List { form } => list(hub, *form),
            Self::Forget { name, yes, form } => forget(hub, name, *yes, *form),
        }
    }
}

fn list(hub: &Access, form: Form) -> Result<(), Failure> {
    let stats = ask_stats(hub)?;
    let mut output = Output::new(form);
    let written = if form.json {
        stats.consumers.iter().try_for_each(|consumer| output.object(consumer))
    } else if stats.consumers.is_empty() {
        output.line(&"no consumer has ever run here")
    } else {
        show(&mut output, &stats.consumers)
    };
    written.map_err(Failure::output)?;
    output.finish()
}

/// The table of consumers.
pub(super) fn show(output: &mut Output, consumers: &[control::Consumer]) -> io::Result<()> {
    let row = |consumer: &control::Consumer| {
        let waiting = Duration::try_from_secs_f64(consumer.lag_seconds).unwrap_or_default();
        [
            consumer.name.clone(),
            if consumer.running { "yes" } else { "no" }.to_owned(),
            consumer.next.to_string(),
            HumanCount(consumer.lag).to_string(),
            if consumer.lag == 0 { "-".to_owned() } else { time::length(waiting) },
            HumanCount(consumer.dead_letters).to_string(),
            HumanCount(consumer.redelivering).to_string(),
        ]
    };
    let rows: Vec<_> = consumers.iter().map(row).collect();
    let headline = ["CONSUMER", "RUNS", "NEXT", "LAG", "FOR", "DEAD", "RETRY"];
    let width = output.width;
    output.line(&table::table(headline, &rows, width))
}

fn forget(hub: &Access, name: &str, yes: bool, form: Form) -> Result<(), Failure> {
    let stats = ask_stats(hub)?;
    let unknown = || ControlError::from(Refusal::UnknownConsumer { consumer: name.to_owned() });
    let consumer = stats.consumers.iter().find(|consumer| consumer.name == name).ok_or_else(unknown)?;
    let shown = printable(name);
    // If it runs, it will be refused, and no question is needed.
    confirm(
        yes || consumer.running,
        &format_args!(
            "Forget {shown} for good? It has {} messages to deal with, and would begin anew.",
            HumanCount(consumer.lag)
        ),
    )?;
    hub.ask(&Command::Forget { consumer: name.to_owned() }, &mut |reply| {
        note(&reply);
        Ok(())
    })?;
    let mut output = Output::new(form);
    let letters = consumer.dead_letters + consumer.redelivering;
    let written = if form.json {
        output.object(&json!({ "forgotten": name, "dead_letters": letters }))
    } else if letters > 0 {
        let count = HumanCount(letters);
        output.line(&format_args!(
            "forgot {shown}; its {count} dead letters stay: fedmsg-hub dlq purge --consumer {shown}"
        ))
    } else {
        output.line(&format_args!("forgot {shown}"))
    };
    written.map_err(Failure::output)?;
    output.finish()
}
