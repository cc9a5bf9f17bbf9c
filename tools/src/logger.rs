//! `fedmsg-logger`: publishes messages by way of a relay.
//!
//! Unlike Python's, which hangs until there is a relay, it waits with a deadline, and what it said is sent has left
//! the process.

mod input;

use std::time::Duration;

use bus::Context;
use clap::Parser;
use jiff::SignedDuration;
use message::Topic;
use publish::Sender;
use settings::{PublishMode, Settings};
use tracing::level_filters::LevelFilter;

use crate::options::{ConfigurationOptions, RELAY_INBOUND};
use crate::process::{Failure, log, say};
pub use input::InputError;

/// The command's name.
pub const NAME: &str = "fedmsg-logger";

/// A relay that takes longer than this to appear is worth a word.
const NOTICEABLE: Duration = Duration::from_millis(500);

const HELP: &str = r#"Examples:
  fedmsg-logger --message "This is a message."
  fedmsg-logger --message '{"a": 1}' --json-input
  echo '{"a": 1}' | fedmsg-logger --json-input
  echo "Hai there." | fedmsg-logger --modname git --topic repo.update

Exit codes:
  0    every message was handed to the relay
  1    failed; the error says why
  2    wrong command line, or the message is not JSON: nothing was sent
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
    /// How long to wait for the relay, and for it to take what was sent; for example 500ms, 1m 30s or 24h.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a time to wait can't be negative".to_owned())
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
    let mut relay = Relay::new(options)?;
    let sent = match message {
        Some(message) => relay.send(&message),
        None => input::each_line(std::io::stdin().lock(), |message| relay.send(&message)),
    };
    let left = relay.sender.close(options.timeout);
    sent.and(left.map_err(Failure::from))
}

/// The way to the relay.
struct Relay {
    sender: Sender,
    topic: Topic,
    timeout: Duration,
    /// Where it is looked for.
    addresses: String,
}

impl Relay {
    fn new(options: &Cli) -> Result<Self, Failure> {
        let mut settings: Settings = options.configuration.load()?;
        let endpoint = settings.endpoints.endpoint(RELAY_INBOUND).ok_or(Failure::NoEndpoint {
            missing: "no `relay_inbound` to publish to",
            example: "relay_inbound = \"tcp://127.0.0.1:2003\"",
        })?;
        let addresses: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
        settings.publish.mode = PublishMode::Connect;
        RELAY_INBOUND.clone_into(&mut settings.publish.endpoint);
        // Waiting is done here, where it can be said.
        settings.publish.wait = Duration::ZERO;
        let sender = Sender::open(&Context::new(&settings.zmq)?, &settings, &options.cert_prefix)?;
        let topic = sender.topic(&options.modname, &options.topic);
        Ok(Self { sender, topic, timeout: options.timeout, addresses: addresses.join(", ") })
    }

    fn send(&mut self, message: &str) -> Result<(), Failure> {
        let unnoticed = NOTICEABLE.min(self.timeout);
        if !self.sender.wait_for_relay(&self.topic, unnoticed) {
            say(NAME, &format_args!("waiting for a relay at {} ({:?})", self.addresses, self.timeout));
            if !self.sender.wait_for_relay(&self.topic, self.timeout - unnoticed) {
                return Err(Failure::NoRelay { addresses: self.addresses.clone(), waited: self.timeout });
            }
        }
        Ok(self.sender.send(&self.topic, message)?)
    }
}
