//! `fedmsg-hub journal`: what was received.

use std::io;

use clap::Subcommand;
use control::{Access, Cause, Command, Message, Mode, Reply, Span, Stats};
use indicatif::{HumanBytes, HumanCount};
use message::{Pattern, printable};

use super::output::{Output, describe, note};
use super::progress::Bar;
use super::span::Part;
use super::{Failure, Form, consumer, table, time};

/// What can be done with the journal.
#[derive(Debug, Clone, Subcommand)]
pub enum Journal {
    /// Numbers: what is kept, how far each consumer is, and what is wrong.
    #[command(
        after_help = "Examples:\n  fedmsg-hub journal stats\n  fedmsg-hub journal stats --json | jq .trouble"
    )]
    Stats {
        #[command(flatten)]
        form: Form,
    },
    /// The newest messages, one a line; on a terminal, lines are cut at its edge.
    #[command(after_help = "Examples:
  fedmsg-hub journal tail
  fedmsg-hub journal tail --follow --topic '*.git.*'
  fedmsg-hub journal tail -n 1 --topic '*.koji.*' --json | jq .body.msg")]
    Tail {
        /// How many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
        lines: u64,
        /// Go on with what comes in; a running hub's only.
        #[arg(short, long)]
        follow: bool,
        /// Only these topics; may be repeated.
        #[arg(long = "topic", value_name = "GLOB")]
        topics: Vec<Pattern>,
        #[command(flatten)]
        form: Form,
    },
    /// Messages as lines of JSON, oldest first.
    ///
    /// Each has `offset`, `received`, `endpoint`, `topic`, and the body byte for byte: as `body`, or as the string
    /// `body_text` where it is no JSON for others than Python (NaN, Infinity) or has more than one line.
    #[command(after_help = "Examples:
  fedmsg-hub journal export --since '2h ago' > messages.jsonl
  fedmsg-hub journal export --from 1000 --to 2000 --topic '*.git.*' | jq .body.msg
  fedmsg-hub journal export --outcomes --consumer irc --since -1d")]
    Export {
        #[command(flatten)]
        part: Part,
        /// Only these topics; may be repeated.
        #[arg(long = "topic", value_name = "GLOB")]
        topics: Vec<Pattern>,
        /// What became of messages, where it was not the usual, instead: retries, drops, dead letters, refusals.
        /// --since and --until are about when it was recorded.
        #[arg(long, conflicts_with = "topics")]
        outcomes: bool,
        /// Only outcomes about this consumer.
        #[arg(long, value_name = "NAME", requires = "outcomes")]
        consumer: Option<String>,
        /// It is JSON in any case.
        #[arg(long)]
        json: bool,
    },
    /// Read everything, and name what cannot be read.
    #[command(after_help = "Example:\n  fedmsg-hub journal verify")]
    Verify {
        #[command(flatten)]
        form: Form,
    },
}

impl Journal {
    pub(super) fn run(&self, hub: &Access) -> Result<(), Failure> {
        match self {
            Self::Stats { form } => stats(hub, *form),
            Self::Tail { lines, follow, topics, form } => {
                let (topics, last) = (topics.clone(), Some(*lines));
                let command = Command::Messages { span: Span::default(), last, topics, follow: *follow };
                let mut output = Output::new(*form);
                hub.ask(&command, &mut |reply| {
                    note(&reply);
                    match reply {
                        Reply::Message(message) if output.json => output.object(&message)?,
                        Reply::Message(message) => line(&mut output, &message)?,
                        _ => return Ok(()),
                    }
                    if *follow { output.flush() } else { Ok(()) }
                })?;
                output.finish()
            }
            Self::Export { part, topics, outcomes, consumer, json: _ } => {
                let (span, topics, consumer) = (part.span(), topics.clone(), consumer.clone());
                let command = match outcomes {
                    true => Command::Outcomes { span, consumer },
                    false => Command::Messages { span, last: None, topics, follow: false },
                };
                export(hub, &command)
            }
            Self::Verify { form } => verify(hub, *form),
        }
    }
}

/// The numbers, asked for.
pub(super) fn ask_stats(hub: &Access) -> Result<Stats, Failure> {
    let mut asked = None;
    hub.ask(&Command::Stats, &mut |reply| {
        if let Reply::Stats(stats) = reply {
            asked = Some(stats);
        }
        Ok(())
    })?;
    asked.ok_or(Failure::Control(control::ControlError::Gone))
}

fn stats(hub: &Access, form: Form) -> Result<(), Failure> {
    let stats = ask_stats(hub)?;
    let mut output = Output::new(form);
    let written = if form.json { output.object(&stats) } else { show(&mut output, &stats) };
    written.map_err(Failure::output)?;
    output.finish()
}

fn show(output: &mut Output, stats: &Stats) -> io::Result<()> {
    let time = |time: Option<jiff::Timestamp>| time.map_or_else(|| "-".to_owned(), time::with_age);
    let offsets = match stats.journal.messages {
        0 => format!("none; the next one is {}", stats.journal.next),
        messages => format!(
            "{} (offsets {} to {})",
            HumanCount(messages),
            stats.journal.earliest,
            stats.journal.next - 1
        ),
    };
    let free = stats
        .journal
        .disk_free_bytes
        .map(|bytes| format!(", {} free", HumanBytes(bytes)))
        .unwrap_or_default();
    let mode = match stats.journal.mode {
        Mode::Durable => "durable",
        Mode::Memory => "memory",
    };
    let mut rows = vec![
        ("hub", if stats.running { "running" } else { "stopped" }.to_owned()),
        ("mode", mode.to_owned()),
        ("messages", offsets),
        ("oldest", time(stats.journal.oldest)),
        ("newest", time(stats.journal.newest)),
        ("disk", format!("{}{free}", HumanBytes(stats.journal.disk_bytes))),
    ];
    rows.extend(stats.journal.memory_bytes.map(|bytes| ("memory", HumanBytes(bytes).to_string())));
    let dropped = stats.journal.dropped_oldest.unwrap_or(0) + stats.journal.dropped_newest.unwrap_or(0);
    if dropped > 0 {
        rows.push(("dropped", format!("{} for want of memory", HumanCount(dropped))));
    }
    rows.push(("dead letters", HumanCount(stats.journal.dead_letters).to_string()));
    if stats.journal.redelivering > 0 {
        rows.push(("in retry", HumanCount(stats.journal.redelivering).to_string()));
    }
    rows.extend(stats.journal.trouble.as_ref().map(|trouble| ("TROUBLE", trouble.clone())));
    output.line(&table::list(&rows))?;
    if stats.consumers.is_empty() {
        return Ok(());
    }
    output.line(&"")?;
    consumer::show(output, &stats.consumers)
}

fn line(output: &mut Output, message: &Message<'_>) -> io::Result<()> {
    let Message { offset, received, endpoint, topic, .. } = message;
    let (received, body) = (time::full(*received), message.body());
    let line = format!("{offset}  {received}  {endpoint}  {topic}  {body}");
    let shown = printable(&line);
    match output.width {
        Some(width) => output.line(&console::truncate_str(&shown, usize::from(width), "…")),
        None => output.line(&shown),
    }
}

fn export(hub: &Access, command: &Command) -> Result<(), Failure> {
    let mut output = Output::new(Form { json: true });
    let bar = Bar::new("exporting", &output, true);
    hub.ask(command, &mut |reply| match reply {
        Reply::Message(message) => output.object(&message),
        Reply::Outcome(outcome) => output.object(&outcome),
        Reply::Progress(progress) => {
            bar.tell(progress);
            Ok(())
        }
        other => {
            bar.aside(|| note(&other));
            Ok(())
        }
    })?;
    output.finish()
}

fn verify(hub: &Access, form: Form) -> Result<(), Failure> {
    let mut output = Output::new(form);
    let mut damaged = false;
    let bar = Bar::new("reading", &output, false);
    hub.ask(&Command::Verify, &mut |reply| {
        match &reply {
            Reply::Progress(progress) => {
                bar.tell(*progress);
                return Ok(());
            }
            Reply::Gap(gap) => damaged |= gap.cause == Cause::Damaged,
            Reply::Damage(_) => damaged = true,
            _ => {}
        }
        let mut written = Ok(());
        bar.aside(|| {
            written = if output.json { output.object(&reply) } else { show_found(&mut output, &reply) }
        });
        written
    })?;
    drop(bar);
    output.finish()?;
    if damaged { Err(Failure::Damaged) } else { Ok(()) }
}

fn show_found(output: &mut Output, reply: &Reply<'_>) -> io::Result<()> {
    match reply {
        Reply::Gap(gap) => output.line(&describe(gap)),
        Reply::Damage(damage) => output.line(&printable(&damage.what)),
        Reply::Verified(found) => {
            output.line(&format_args!("{} messages are good", HumanCount(found.messages)))
        }
        _ => Ok(()),
    }
}
