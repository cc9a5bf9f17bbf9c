//! The process: the folder to write to in, exit code out.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Writes the manual pages and shell completions of every command.
///
/// OUTDIR gets the layout of /usr/share: man/man1, bash-completion/completions, zsh/site-functions,
/// fish/vendor_completions.d.
#[derive(Debug, Parser)]
struct Cli {
    /// The folder; made if it isn't there.
    #[arg(value_name = "OUTDIR")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    match manual::write(&Cli::parse().folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("manual: {error}\n")));
            ExitCode::FAILURE
        }
    }
}
