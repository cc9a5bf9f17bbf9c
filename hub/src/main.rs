//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::app::run(hub::cli::Cli::of_process()).into()
}
