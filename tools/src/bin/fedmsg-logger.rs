//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::logger;

fn main() -> ExitCode {
    tools::conclude(logger::NAME, logger::run(&logger::Cli::parse()))
}
