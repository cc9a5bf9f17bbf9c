//! The manual pages and shell completions of every command, made from their command lines: the option that a command
//! has is the option that its page has. No command uses this crate: `scripts/man` writes the files, for packages to
//! ship.
#![forbid(unsafe_code)]

mod page;
mod tree;

use clap::{Command, CommandFactory};
use hub::preset::{PRESETS, Preset};

pub use tree::{WriteError, write};

/// The commands. A new one joins with a line here; a test says if it was forgotten.
#[must_use]
pub fn commands() -> Vec<Command> {
    let programs = [
        hub::cli::Cli::command(),
        tools::announce::Cli::command(),
        tools::certs::Cli::command(),
        tools::check::Cli::command(),
        tools::collectd::Cli::command(),
        tools::config::Cli::command(),
        tools::logger::Cli::command(),
        tools::replay::Cli::command(),
        tools::tail::Cli::command(),
        tools::trigger::Cli::command(),
    ];
    programs.into_iter().chain(PRESETS.map(Preset::command)).collect()
}
