//! `fedmsg-hub replay`: history delivered to one consumer again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::{io, thread};

use clap::{ArgGroup, Args};
use control::{Access, Command, HangUp, Progress, Reply};
use indicatif::HumanCount;
use message::printable;
use tokio::signal::unix::{SignalKind, signal};

use super::failure::BrokenOff;
use super::output::{Output, note};
use super::progress::Bar;
use super::span::Part;
use super::{Failure, Form};

/// Deliver history to one consumer again.
///
/// The consumer must be running. It gets the messages that its topics match, marked as replayed, beside those that come
/// in; its place in the journal stays. What it fails at becomes a dead letter. The replay ends with this command:
/// Ctrl-C ends it, and says how to go on. A few messages may then be delivered twice.
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("start").args(["from", "since"]).required(true),
    after_help = "Examples:
  fedmsg-hub replay --consumer irc --since '2h ago'
  fedmsg-hub replay --consumer irc --from 1000 --to 2000"
)]
pub struct Replay {
    /// To which consumer.
    #[arg(long, value_name = "NAME")]
    consumer: String,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    form: Form,
}

impl Replay {
    pub(super) fn run(&self, hub: &Access) -> Result<(), Failure> {
        let hub = hub.running()?;
        let interrupt =
            Interrupt::catch().map_err(|source| Failure::Stream { doing: "catch Ctrl-C", source })?;
        let command = Command::Replay { consumer: self.consumer.clone(), span: self.part.span() };
        let mut answer = hub.ask(&command)?;
        let interrupted = interrupt.hangs_up(answer.hang_up()?);
        let mut output = Output::new(self.form);
        let bar = Bar::new("replaying", &output, false);
        let mut last = None;
        let ended = loop {
            match answer.next_reply() {
                Ok(Some(Reply::Replay(replay))) => {
                    bar.tell(Progress { done: replay.position - replay.from, of: replay.to - replay.from });
                    last = Some(replay);
                }
                Ok(Some(other)) => bar.aside(|| note(&other)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(bar);
        let Some(replay) = last else {
            return if interrupted.load(SeqCst) { Err(Failure::Interrupted) } else { Ok(ended?) };
        };
        let written = if output.json {
            output.object(&replay)
        } else {
            let (delivered, dead) = (HumanCount(replay.delivered), HumanCount(replay.dead_lettered));
            let missing = match replay.missing {
                0 => String::new(),
                missing => format!(", missing {}", HumanCount(missing)),
            };
            output.line(&format_args!("delivered {delivered}, dead-lettered {dead}{missing}"))
        };
        written.map_err(Failure::output)?;
        output.finish()?;
        let why = match ended {
            _ if interrupted.load(SeqCst) => BrokenOff::Interrupted,
            Err(error) => BrokenOff::ByHub(error),
            Ok(()) if replay.position < replay.to => BrokenOff::ByConsumer,
            Ok(()) => return Ok(()),
        };
        let (consumer, position, to) = (printable(&self.consumer), replay.position, replay.to);
        let go_on = format!("fedmsg-hub replay --consumer {consumer} --from {position} --to {to}");
        Err(Failure::ReplayBrokenOff { why, go_on })
    }
}

/// Ctrl-C, caught.
struct Interrupt {
    runtime: tokio::runtime::Runtime,
    signal: tokio::signal::unix::Signal,
}

impl Interrupt {
    fn catch() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signal = {
            let _inside = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        Ok(Self { runtime, signal })
    }

    /// Ends the answer at Ctrl-C; says whether it has.
    fn hangs_up(mut self, answer: HangUp) -> Arc<AtomicBool> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let said = Arc::clone(&interrupted);
        // It ends with the process.
        thread::spawn(move || {
            self.runtime.block_on(self.signal.recv());
            said.store(true, SeqCst);
            answer.now();
        });
        interrupted
    }
}
