//! The hub under other names: as `fedmsg-relay` and the like it runs one consumer, beside a hub that has the same
//! configuration.

use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::exit;

/// What the hub is under another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The name that it is started by.
    pub name: &'static str,
    /// The consumer that it runs, unless `--with-consumers` says otherwise.
    pub consumer: &'static str,
    /// What it does, in a line.
    about: &'static str,
    /// Keys of its own, which environment and command line may change.
    keys: &'static [&'static str],
    /// How to start it, for `--help`.
    examples: &'static str,
}

/// The names that the hub goes by. Each is a link to `fedmsg-hub`.
pub const PRESETS: [Preset; 4] = [
    Preset {
        name: "fedmsg-relay",
        consumer: "relay",
        about: "Repeats what publishers send to relay_inbound on relay_outbound.",
        keys: &["hub.state_dir=/var/lib/fedmsg-relay"],
        examples: "
  fedmsg-relay check
  fedmsg-relay
  fedmsg-relay --set endpoints.relay_outbound=tcp://127.0.0.1:4001
  fedmsg-relay status",
    },
    Preset {
        name: "fedmsg-signing-relay",
        consumer: "relay",
        about: "Repeats what publishers send to relay_inbound on relay_outbound, signed.",
        keys: &["hub.state_dir=/var/lib/fedmsg-signing-relay", "fedmsg.consumers.relay.sign=true"],
        examples: "
  fedmsg-signing-relay check
  fedmsg-signing-relay
  fedmsg-signing-relay --set crypto.certnames.signing_relay=signing-relay-hub01
  fedmsg-signing-relay status",
    },
    Preset {
        name: "fedmsg-gateway",
        consumer: "gateway",
        about: "Repeats the bus to many subscribers outside.",
        keys: &["hub.state_dir=/var/lib/fedmsg-gateway"],
        examples: "
  fedmsg-gateway check
  fedmsg-gateway
  fedmsg-gateway --set http.listen=127.0.0.1:9942
  fedmsg-gateway status",
    },
    Preset {
        name: "fedmsg-irc",
        consumer: "ircbot",
        about: "Says on IRC what happens on the bus.",
        keys: &["hub.state_dir=/var/lib/fedmsg-irc"],
        examples: "
  fedmsg-irc check --config irc.toml
  fedmsg-irc --config irc.toml
  fedmsg-irc journal tail --follow
  fedmsg-irc status",
    },
];

/// What a hub on the same machine has for itself.
const APART: [&str; 2] = ["http.listen=", "monitoring.socket="];

impl Preset {
    fn of(program: Option<&OsString>) -> Option<Self> {
        let name = Path::new(program?).file_name()?;
        PRESETS.into_iter().find(|preset| name == preset.name)
    }

    /// Its command line: that of the hub, but for name, description and examples.
    #[must_use]
    pub fn command(self) -> Command {
        let Self { name, about, consumer, examples, .. } = self;
        let keys = self.keys().collect::<Vec<_>>().join(", ");
        renamed(Cli::command(), name)
            .name(name)
            .bin_name(name)
            .about(about)
            .long_about(format!(
                "{about}\n\nIt is fedmsg-hub with one consumer, `{consumer}`, and reads the same configuration; but it keeps \
                 its journal in a folder of its own, and opens no HTTP and no monitoring socket unless its environment or \
                 its command line says so: {keys}. See fedmsg-hub(1)."
            ))
            .after_help(format!("Examples:{examples}\n\n{}", exit::HELP))
    }

    fn parse(self, arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
        let mut cli = Cli::from_arg_matches(&self.command().try_get_matches_from(arguments)?)?;
        cli.selection.preset = self.keys().map(str::to_owned).collect();
        cli.selection.with_consumers.get_or_insert_with(|| vec![self.consumer.to_owned()]);
        Ok(cli)
    }

    fn keys(self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().copied().chain(APART)
    }
}

/// With this name in the examples of all commands in it.
fn renamed(command: Command, name: &str) -> Command {
    let command = match command.get_after_help().map(|help| help.to_string().replace("fedmsg-hub", name)) {
        Some(help) => command.after_help(help),
        None => command,
    };
    command.mut_subcommands(|inner| renamed(inner, name))
}

/// The name that this process goes by.
pub(crate) fn program() -> &'static str {
    Preset::of(std::env::args_os().next().as_ref()).map_or("fedmsg-hub", |preset| preset.name)
}

impl Cli {
    /// The command line of this process, by the name that it was started by. Ends the process if it is wrong, or asks for
    /// help.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(std::env::args_os().collect()).unwrap_or_else(|error| error.exit())
    }

    fn of(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        match Preset::of(arguments.first()) {
            Some(preset) => preset.parse(arguments),
            None => <Self as clap::Parser>::try_parse_from(arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Cli {
        Cli::of(arguments.iter().map(Into::into).collect()).unwrap()
    }

    #[test]
    fn the_name_says_which_consumer_runs_and_what_it_has_for_itself() {
        let selection = parsed(&["/usr/bin/fedmsg-signing-relay", "--set", "log.level=debug"]).selection;
        assert_eq!(selection.with_consumers, Some(vec!["relay".to_owned()]));
        let keys = ["hub.state_dir=/var/lib/fedmsg-signing-relay", "fedmsg.consumers.relay.sign=true"];
        assert_eq!(selection.preset, [&keys[..], &APART].concat());
        assert_eq!(selection.assignments, ["log.level=debug"]);
        let selection = parsed(&["fedmsg-gateway", "--with-consumers", "gateway,dummy"]).selection;
        assert_eq!(selection.with_consumers.unwrap().len(), 2);
    }

    #[test]
    fn under_any_other_name_it_is_the_hub() {
        for name in ["fedmsg-hub", "hub", "/opt/fedmsg-relay/fedmsg-hub"] {
            let selection = parsed(&[name]).selection;
            assert!(selection.with_consumers.is_none() && selection.preset.is_empty());
        }
    }

    #[test]
    fn help_names_the_program_that_was_started() {
        for preset in PRESETS {
            for inner in ["", "journal tail", "dlq requeue"] {
                let line = format!("{} {inner} --help", preset.name);
                let help =
                    Cli::of(line.split_whitespace().map(Into::into).collect()).unwrap_err().to_string();
                assert!(help.contains(&format!("Usage: {} {inner}", preset.name)), "{help}");
                let examples =
                    help.split_once("\nExamples:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
                for example in examples {
                    assert!(example.starts_with(&format!("  {}", preset.name)), "{example}");
                }
            }
        }
    }

    #[test]
    fn no_two_keep_their_journals_in_one_folder() {
        let folders = PRESETS.map(|preset| preset.keys[0]);
        for (place, folder) in folders.iter().enumerate() {
            assert!(folder.starts_with("hub.state_dir=") && !folders[..place].contains(folder), "{folder}");
        }
    }
}
