//! The operator's commands: the journal, dead letters, replay, consumers, status. On a running hub or a stopped one, by way of
//! `control`; how the answers look is decided here.

mod confirm;
mod consumer;
mod dlq;
mod failure;
mod journal;
mod output;
mod progress;
mod reload;
mod replay;
mod span;
mod status;
mod table;
mod time;
mod top;

use std::path::Path;

use clap::{Args, Subcommand};
use control::Access;

use crate::exit::Exit;

use failure::Failure;
use output::Output;

/// What operators do.
#[derive(Debug, Clone, Subcommand)]
pub enum Operate {
    /// Look at what was received.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Look at messages that a consumer failed at for good; deliver them again, or remove them.
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Have the running hub read its configuration and its plugins anew.
    Reload(reload::Reload),
    /// Deliver history to one consumer again.
    Replay(replay::Replay),
    /// See where each consumer is, or forget one for good.
    #[command(subcommand)]
    Consumer(consumer::Consumer),
    /// See how the running hub is doing; the exit code says it, too.
    Status(status::Show),
    /// Watch the running hub, live on the terminal.
    Top(top::Top),
    /// See or set what the running hub logs, until it ends.
    LogLevel(status::LogLevel),
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Args)]
pub struct Form {
    /// Write JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Does what an operator asks for, and says what went wrong.
#[must_use]
pub fn run(command: &Operate, state_directory: &Path) -> Exit {
    match operate(command, state_directory) {
        Ok(()) => Exit::Clean,
        Err(failure) => failure.conclude(),
    }
}

fn operate(command: &Operate, state_directory: &Path) -> Result<(), Failure> {
    if let Operate::Top(top) = command {
        return top.run(state_directory);
    }
    let hub = Access::find(state_directory)?;
    match command {
        // It goes on when the hub has ended, and looks for the next one.
        Operate::Top(_) => Ok(()),
        Operate::Journal(command) => command.run(&hub),
        Operate::Dlq(command) => command.run(&hub),
        Operate::Reload(command) => command.run(&hub),
        Operate::Replay(command) => command.run(&hub),
        Operate::Consumer(command) => command.run(&hub),
        Operate::Status(command) => command.run(&hub),
        Operate::LogLevel(command) => command.run(&hub),
    }
}
