//! `fedmsg-hub reload`: what a running hub has changed, or why not.

use clap::Args;
use control::{Access, Command, ControlError, Reply};

use super::output::Output;
use super::{Failure, Form};

/// Has the running hub read its configuration and its plugins anew.
///
/// Prints what is another than before, and ends when that is in force. What is the same is not touched. If anything is
/// wrong, all stays as it was, and the error says why. The hub reads its own files and knows its own command line: --config
/// and --set given here only say where the hub is.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Exit codes: 0 reloaded, 3 the configuration is wrong, 4 a consumer did not start or did not stop, 5 an address could
not be bound, 8 no hub runs, 9 the hub does not answer. It may take `hub.drain_deadline` twice and `hub.start_deadline`.

Examples:
  fedmsg-hub check && fedmsg-hub reload
  fedmsg-hub reload --json | jq -r .changes[].name")]
pub struct Reload {
    #[command(flatten)]
    form: Form,
}

impl Reload {
    pub(super) fn run(&self, hub: &Access) -> Result<(), Failure> {
        let mut output = Output::new(self.form);
        hub.ask(&Command::Reload, &mut |reply| match reply {
            Reply::Reloaded(reloaded) if output.json => output.object(&reloaded),
            Reply::Reloaded(reloaded) if reloaded.changes.is_empty() => output.line(&"nothing has changed"),
            Reply::Reloaded(reloaded) => reloaded.changes.iter().try_for_each(|changed| output.line(changed)),
            _ => Ok(()),
        })
        .map_err(|error| match error {
            ControlError::Output(source) => Failure::output(source),
            error => error.into(),
        })?;
        output.finish()
    }
}
