//! `fedmsg-config`: what the configuration says, and the way from the Python one.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::Value as Json;
use settings::{Configuration, Sources};

use crate::import::import;
use crate::options::ConfigurationOptions;
use crate::process::{Failure, say};
use meta::python::Value;

/// The command's name.
pub const NAME: &str = "fedmsg-config";

const HELP: &str = "\
Examples:
  fedmsg-config
  fedmsg-config --query endpoints.relay_outbound
  fedmsg-config --disable-defaults --config-filename /etc/fedmsg/hub.toml
  fedmsg-config import /etc/fedmsg.d > hub.toml

Exit codes:
  0  printed
  1  there is no such key, or something failed; the error says what
  2  wrong command line
  3  wrong configuration";

/// Prints the configuration, or a part of it.
///
/// All of it is printed as JSON: the files that fedmsg-hub reads, merged, and the defaults of what they leave out. A
/// list is printed one item a line, and a string without quotes.
#[derive(Debug, Parser)]
#[command(
    name = NAME, version, after_help = HELP, max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What is printed.
    #[command(flatten)]
    pub print: Print,
    /// What else can be done.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is printed of the configuration.
#[derive(Debug, Clone, Args)]
pub struct Print {
    /// Print what is under this key, with dots between tables, such as zmq.linger.
    #[arg(long, value_name = "KEY")]
    pub query: Option<String>,
    /// Leave out what no file says.
    #[arg(long)]
    pub disable_defaults: bool,
    /// Read this file, or the *.toml in this folder, in place of those that fedmsg-hub reads.
    #[arg(long, value_name = "PATH")]
    pub config_filename: Option<PathBuf>,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

/// What else can be done.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Print a Python fedmsg's configuration as a hub.toml.
    ///
    /// The Python files are not run. What their literals say is taken over: strings, numbers, booleans, lists, dicts, and
    /// variables that are such. What has no counterpart, would have to be run, or is run only sometimes, is named with file,
    /// line and reason on standard error, and in comments of the result.
    #[command(after_help = "\
Examples:
  fedmsg-config import /etc/fedmsg.d > hub.toml
  fedmsg-config import /etc/fedmsg.d ~/.fedmsg.d extra.py > hub.toml
  fedmsg-hub check --config hub.toml")]
    Import {
        /// Files, or folders with *.py, such as /etc/fedmsg.d; later ones win.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
}

/// Does what the options say.
///
/// # Errors
/// [`Failure`].
pub fn run(options: &Cli) -> Result<(), Failure> {
    let text = match &options.command {
        None => printed(&options.print)?,
        Some(Command::Import { paths }) => {
            let imported = import(paths)?;
            imported.notes.iter().for_each(|note| say(NAME, note));
            imported.toml
        }
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader that went away, as in `fedmsg-config | head`, has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::stream("write to standard output")),
    }
}

fn printed(options: &Print) -> Result<String, Failure> {
    let ConfigurationOptions { config, assignments } = options.configuration.clone();
    let mut sources = Sources::from_environment(config.clone(), assignments);
    if let Some(only) = &options.config_filename {
        sources.folders.clear();
        sources.required = std::iter::once(only.clone()).chain(config).collect();
    }
    let configuration = Configuration::load(&sources)?;
    let tree = if options.disable_defaults { configuration.written() } else { configuration.effective() };
    let Some(query) = &options.query else { return Ok(shown(&Json::Object(tree))) };
    let tree = Json::Object(tree);
    let found = query.split('.').try_fold(&tree, |value, name| value.get(name));
    match found {
        None | Some(Json::Null) => Err(Failure::NoKey(query.clone())),
        Some(value) => Ok(shown(value)),
    }
}

/// As Python's command prints a value.
fn shown(value: &Json) -> String {
    let load = |value: &Json| Value::load(&value.to_string()).map(|value| value.to_str()).unwrap_or_default();
    match value {
        Json::Array(items) => items.iter().map(|item| load(item) + "\n").collect(),
        Json::String(text) => format!("{text}\n"),
        other => {
            let pretty = message::json::pretty(&other.to_string()).unwrap_or_default();
            String::from_utf8(pretty).unwrap_or_default() + "\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_by_pythons_command() {
        for (value, expected) in [
            (json!(["a b", 1, true, {"x": [null, 0.5]}]), "a b\n1\nTrue\n{'x': [None, 0.5]}\n"),
            (json!("č\"x"), "č\"x\n"),
            (json!(1), "1\n"),
            (json!(true), "true\n"),
            (json!([]), ""),
            (json!({"a": {"b": "č"}}), "{\n  \"a\": {\n    \"b\": \"\\u010d\"\n  }\n}\n"),
        ] {
            assert_eq!(shown(&value), expected);
        }
    }
}
