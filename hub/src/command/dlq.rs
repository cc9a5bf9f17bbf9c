//! `fedmsg-hub dlq`: messages that a consumer failed at for good.

use std::collections::BTreeMap;
use std::io;

use clap::{Args, Subcommand};
use control::{Access, Command, DeadLetter, Reply, Requeued, Selection};
use indicatif::HumanCount;
use message::printable;

use super::confirm::confirm;
use super::output::{Output, note};
use super::progress::Bar;
use super::{Failure, Form, table, time};

/// What can be done with dead letters.
#[derive(Debug, Clone, Subcommand)]
pub enum Dlq {
    /// All of them, or one consumer's.
    #[command(after_help = "Examples:\n  fedmsg-hub dlq list\n  fedmsg-hub dlq list --consumer irc --json")]
    List {
        /// Only this consumer's.
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// What was said of a message, and the message.
    #[command(after_help = "Example:\n  fedmsg-hub dlq show 1234")]
    Show {
        /// The messages.
        #[arg(value_name = "OFFSET", required = true)]
        offsets: Vec<u64>,
        /// Only what this consumer said.
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Deliver messages again, after the cause is gone. Without a running hub they are marked, and delivered at its
    /// next start.
    #[command(after_help = "Examples:
  fedmsg-hub dlq requeue 1234
  fedmsg-hub dlq requeue --consumer irc
  fedmsg-hub dlq requeue --all")]
    Requeue {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        form: Form,
    },
    /// Remove dead letters for good. Those that are to be delivered again stay, unless named by offset.
    #[command(after_help = "Examples:
  fedmsg-hub dlq purge 1234 1235 --consumer irc
  fedmsg-hub dlq purge --all --yes")]
    Purge {
        #[command(flatten)]
        which: Which,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        form: Form,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub struct Which {
    /// Those of these messages.
    #[arg(value_name = "OFFSET")]
    offsets: Vec<u64>,
    /// Those of this consumer.
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// All.
    #[arg(long, conflicts_with_all = ["offsets", "consumer"])]
    all: bool,
}

impl Which {
    fn selection(&self) -> Selection {
        Selection { consumer: self.consumer.clone(), offsets: self.offsets.clone() }
    }
}

impl Dlq {
    pub(super) fn run(&self, hub: &Access) -> Result<(), Failure> {
        match self {
            Self::List { consumer, form } => {
                list(hub, Selection { consumer: consumer.clone(), offsets: Vec::new() }, *form)
            }
            Self::Show { offsets, consumer, form } => {
                let selection = Selection { consumer: consumer.clone(), offsets: offsets.clone() };
                let mut output = Output::new(*form);
                hub.ask(&Command::DeadLetters { selection, messages: true }, &mut |reply| match reply {
                    Reply::DeadLetter(letter) if output.json => output.object(&letter),
                    Reply::DeadLetter(letter) => show(&mut output, &letter),
                    _ => Ok(()),
                })?;
                output.finish()
            }
            Self::Requeue { which, form } => requeue(hub, which.selection(), *form),
            Self::Purge { which, yes, form } => purge(hub, which.selection(), *yes, *form),
        }
    }
}

fn list(hub: &Access, selection: Selection, form: Form) -> Result<(), Failure> {
    let mut output = Output::new(form);
    let mut rows = Vec::new();
    hub.ask(&Command::DeadLetters { selection, messages: false }, &mut |reply| {
        let Reply::DeadLetter(letter) = reply else { return Ok(()) };
        if output.json {
            return output.object(&letter);
        }
        rows.push([
            letter.offset.to_string(),
            letter.consumer.clone(),
            letter.attempts.to_string(),
            time::full(letter.last),
            state(&letter).to_owned(),
            letter.error,
        ]);
        Ok(())
    })?;
    let headline = ["OFFSET", "CONSUMER", "ATTEMPTS", "LAST", "STATE", "ERROR"];
    let width = output.width;
    let shown = match (output.json, rows.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => output.line(&"no dead letters"),
        (false, false) => output.line(&table::table(headline, &rows, width)),
    };
    shown.map_err(Failure::output)?;
    output.finish()
}

fn state(letter: &DeadLetter<'_>) -> &'static str {
    if letter.redelivering { "retry" } else { "dead" }
}

fn show(output: &mut Output, letter: &DeadLetter<'_>) -> io::Result<()> {
    let again = if letter.redelivering { "; it is being delivered again" } else { "" };
    let mut rows = vec![
        ("offset", letter.offset.to_string()),
        ("consumer", letter.consumer.clone()),
        ("attempts", format!("{}{again}", letter.attempts)),
        ("first", time::with_age(letter.first)),
        ("last", time::with_age(letter.last)),
        ("error", letter.error.clone()),
    ];
    let Some(message) = &letter.message else {
        rows.push(("message", "is no longer there".to_owned()));
        return output.line(&table::list(&rows));
    };
    rows.push(("received", format!("{} by {}", time::with_age(message.received), message.endpoint)));
    rows.push(("topic", message.topic.to_string()));
    output.line(&table::list(&rows))?;
    // What Python would not read was never let in; shown as it is, then.
    let pretty = message::json::pretty(message.body()).ok().and_then(|body| String::from_utf8(body).ok());
    match pretty {
        Some(body) => output.line(&format_args!("{body}\n")),
        None => output.line(&format_args!("{}\n", printable(message.body()))),
    }
}

fn requeue(hub: &Access, selection: Selection, form: Form) -> Result<(), Failure> {
    let mut output = Output::new(form);
    let mut now = 0;
    let mut later = BTreeMap::<String, u64>::new();
    let bar = Bar::new("requeueing", &output, form.json);
    hub.ask(&Command::Requeue { selection }, &mut |reply| {
        match &reply {
            Reply::Progress(progress) => bar.tell(*progress),
            Reply::Requeued(requeued) if output.json => return output.object(requeued),
            Reply::Requeued(Requeued { now: true, .. }) => now += 1,
            Reply::Requeued(Requeued { consumer, .. }) => *later.entry(consumer.clone()).or_default() += 1,
            other => bar.aside(|| note(other)),
        }
        Ok(())
    })?;
    drop(bar);
    if !form.json {
        show_requeued(&mut output, now, &later).map_err(Failure::output)?;
    }
    output.finish()
}

fn show_requeued(output: &mut Output, now: u64, later: &BTreeMap<String, u64>) -> io::Result<()> {
    if now == 0 && later.is_empty() {
        return output.line(&"nothing to requeue");
    }
    if now > 0 {
        output.line(&format_args!("requeued {}, to be delivered now", HumanCount(now)))?;
    }
    for (consumer, count) in later {
        let (count, consumer) = (HumanCount(*count), printable(consumer));
        output.line(&format_args!("requeued {count}, to be delivered when {consumer} next starts"))?;
    }
    Ok(())
}

fn purge(hub: &Access, selection: Selection, yes: bool, form: Form) -> Result<(), Failure> {
    let mut output = Output::new(form);
    if !yes {
        let mut of = BTreeMap::<String, u64>::new();
        hub.ask(&Command::Purge { selection: selection.clone(), pretend: true }, &mut |reply| {
            if let Reply::DeadLetter(letter) = reply {
                *of.entry(letter.consumer).or_default() += 1;
            }
            Ok(())
        })?;
        if !of.is_empty() {
            let of: Vec<_> =
                of.iter().map(|(name, count)| format!("{count} of {}", printable(name))).collect();
            confirm(yes, &format_args!("Remove dead letters for good: {}?", of.join(", ")))?;
        }
    }
    let mut purged = 0;
    hub.ask(&Command::Purge { selection, pretend: false }, &mut |reply| {
        note(&reply);
        let Reply::DeadLetter(letter) = reply else { return Ok(()) };
        purged += 1;
        if output.json { output.object(&letter) } else { Ok(()) }
    })?;
    if !form.json {
        output.line(&format_args!("purged {}", HumanCount(purged))).map_err(Failure::output)?;
    }
    output.finish()
}
