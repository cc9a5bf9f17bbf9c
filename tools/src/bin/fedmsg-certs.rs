//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::certs;

fn main() -> ExitCode {
    tools::conclude(certs::NAME, certs::run(&certs::Cli::parse()))
}
