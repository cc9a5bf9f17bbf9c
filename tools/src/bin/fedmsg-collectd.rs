//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tools::collectd;

fn main() -> ExitCode {
    tools::conclude(collectd::NAME, collectd::run(&collectd::Cli::parse()))
}
