//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::replay;

fn main() -> ExitCode {
    tools::conclude(replay::NAME, replay::run(&replay::Cli::parse()))
}
