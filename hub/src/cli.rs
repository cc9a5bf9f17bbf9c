//! The command line of `fedmsg-hub`.

use clap::{Parser, Subcommand};

use crate::check::Check;
use crate::command::Operate;
use crate::exit;
use crate::selection::Selection;

const EXAMPLES: &str = "\
Examples:
  fedmsg-hub check
  fedmsg-hub
  fedmsg-hub --config my.toml --with-consumers dummy --set log.level=debug
  fedmsg-hub journal stats";

/// Hands the messages of a fedmsg bus to consumer plugins.
///
/// Subscribes to every endpoint in the configuration, and gives each message to every enabled consumer
/// whose topics match. A consumer lives in a plugin (a `.so` in a plugin folder) and is enabled by its key in
/// the configuration, for example `[myconsumer] enabled = true`.
///
/// Configuration is read from /etc/fedmsg/hub.toml, /etc/fedmsg/hub.d/*.toml, ./hub.toml, ./hub.d/*.toml,
/// --config, environment variables such as FEDMSG_HUB__LOG__LEVEL=debug, and --set; later ones win.
///
/// SIGTERM and SIGINT stop it: what was received is handed out first, for at most `hub.drain_deadline`.
/// A second one stops at once. SIGHUP has it read its configuration and its plugins anew, as does a change of one of
/// those files; so does `fedmsg-hub reload`, which says what became of it.
#[derive(Debug, Parser)]
#[command(name = "fedmsg-hub", version, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP), max_term_width = 100)]
pub struct Cli {
    /// Which configuration, plugins and consumers.
    #[command(flatten)]
    pub selection: Selection,
    /// What to do; without it, run the hub.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What else the program can do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run the hub (the default).
    #[command(after_help = "Example:\n  fedmsg-hub run --plugin-dir target/release")]
    Run,
    /// Find what is wrong, say what mends it, and what would run.
    Check(Check),
    /// What operators do, on a running hub or a stopped one.
    #[command(flatten)]
    Operate(Operate),
}
