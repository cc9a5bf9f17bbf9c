//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::check;

fn main() -> ExitCode {
    check::run(&check::Cli::parse())
}
