//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::announce;

fn main() -> ExitCode {
    tools::conclude(announce::NAME, announce::run(&announce::Cli::parse()))
}
