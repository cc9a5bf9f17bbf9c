//! `fedmsg-logger`: publishes messages by way of a relay.
//!
//! Unlike Python's, which hangs until there is a relay, it waits with a deadline, and what it said is sent has left
//! the process.

use clap::Parser;
use tracing::level_filters::LevelFilter;

use crate::input;
use crate::process::{Failure, log};
use crate::relay::{RelayOptions, with_relay};

/// The command's name.
pub const NAME: &str = "fedmsg-logger";

const HELP: &str = r#"Examples:
  fedmsg-logger --message "This is a message."
  fedmsg-logger --message '{"a": 1}' --json-input
  echo '{"a": 1}' | fedmsg-logger --json-input
  echo "Hai there." | fedmsg-logger --modname git --topic repo.update

Exit codes:
  0    every message was handed to the relay
  1    failed; the error says why
  2    wrong command line, or the message is not JSON or too large: it was not sent
  3    wrong configuration
  6    no relay took the message in time
  130  ended by Ctrl-C"#;

/// Publishes messages on the bus, through a relay.
///
/// Without --message, each line of standard input becomes a message {"log": LINE}, sent as soon as it is read.
///
/// It connects to the endpoint `relay_inbound` of the same configuration that fedmsg-hub reads: /etc/fedmsg/hub.toml,
/// /etc/fedmsg/hub.d/*.toml, ./hub.toml, ./hub.d/*.toml (or the one that FEDMSG_CONFIG names instead of these),
/// --config, environment variables such as FEDMSG_HUB__ENVIRONMENT=stg, and --set; later ones win.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
pub struct Cli {
    /// The message to send, instead of standard input.
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Take the message, or the whole of standard input, as one JSON document.
    #[arg(long)]
    pub json_input: bool,
    /// What happened; think org.fedoraproject.dev.logger.TOPIC.
    #[arg(long, default_value = "log")]
    pub topic: String,
    /// Who says so; think org.fedoraproject.dev.MODNAME.log.
    #[arg(long, default_value = "logger")]
    pub modname: String,
    /// The service to sign as, where the configuration has `crypto.sign_messages`; looked up in `crypto.certnames`.
    #[arg(long, value_name = "SERVICE", default_value = "shell")]
    pub cert_prefix: String,
    /// Which relay.
    #[command(flatten)]
    pub relay: RelayOptions,
}

/// Publishes what the options say, and returns when it has left the process.
///
/// # Errors
/// [`Failure`]; messages sent before it have left the process, too.
pub fn run(options: &Cli) -> Result<(), Failure> {
    log(LevelFilter::WARN);
    let message = match (&options.message, options.json_input) {
        (Some(text), true) => Some(input::document("--message", text.clone().into_bytes())?),
        (Some(text), false) => Some(input::log(text)),
        (None, true) => Some(input::whole(std::io::stdin().lock())?),
        (None, false) => None,
    };
    with_relay(NAME, &options.relay, &options.cert_prefix, |relay| {
        let mut send = |message: String| relay.send(&options.modname, &options.topic, &message);
        match message {
            Some(message) => send(message),
            None => input::each_line(NAME, std::io::stdin().lock(), send),
        }
    })
}
