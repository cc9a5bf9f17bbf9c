//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::config;

fn main() -> ExitCode {
    tools::conclude(config::NAME, config::run(&config::Cli::parse()))
}
