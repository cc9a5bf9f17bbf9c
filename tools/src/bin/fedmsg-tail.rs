//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::tail;

fn main() -> ExitCode {
    tools::conclude(tail::NAME, tail::run(tail::Cli::parse()))
}
