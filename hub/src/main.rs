//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    hub::app::run(hub::cli::Cli::parse()).into()
}
