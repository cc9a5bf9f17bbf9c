//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::trigger;

fn main() -> ExitCode {
    tools::conclude(trigger::NAME, trigger::run(&trigger::Cli::parse()))
}
