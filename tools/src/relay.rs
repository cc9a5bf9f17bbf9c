//! The way to a relay, of commands that live too short to be subscribed to.

use std::time::Duration;

use bus::Context;
use clap::Args;
use jiff::SignedDuration;
use publish::{OpenError, Sender};
use settings::PublishMode;

use crate::Failure;
use crate::options::{ConfigurationOptions, RELAY_INBOUND};
use crate::process::say;

/// A relay that takes longer than this to appear is worth a word.
const NOTICEABLE: Duration = Duration::from_millis(500);

/// The options of every command that publishes through a relay.
#[derive(Debug, Clone, Args)]
pub struct RelayOptions {
    /// How long to wait for the relay, and for it to take what was sent; for example 500ms, 1m 30s or 24h.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
    /// Which configuration.
    #[command(flatten)]
    pub configuration: ConfigurationOptions,
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a time to wait can't be negative".to_owned())
}

/// A socket that is connected to the relay, or will be.
pub(crate) struct Relay {
    program: &'static str,
    sender: Sender,
    timeout: Duration,
    /// Where it is looked for.
    addresses: String,
    /// `hub.max_body_bytes`.
    pub(crate) max_body_bytes: usize,
}

/// Connects to `relay_inbound`, does the `work`, and returns when all that was sent has left the process. Where the
/// configuration says so, messages are signed as `service`.
pub(crate) fn with_relay(
    program: &'static str,
    options: &RelayOptions,
    service: &str,
    work: impl FnOnce(&mut Relay) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut relay = Relay::open(program, options, service)?;
    let done = work(&mut relay);
    let left = relay.sender.close(relay.timeout);
    // How the work ended is what counts first.
    done.and(left.map_err(Failure::from))
}

impl Relay {
    fn open(program: &'static str, options: &RelayOptions, service: &str) -> Result<Self, Failure> {
        let mut settings = options.configuration.load()?;
        let endpoint = settings.endpoints.endpoint(RELAY_INBOUND).ok_or(Failure::NoEndpoint {
            missing: "no `relay_inbound` to publish to",
            example: "relay_inbound = \"tcp://127.0.0.1:2003\"",
        })?;
        let addresses: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
        settings.publish.mode = PublishMode::Connect;
        RELAY_INBOUND.clone_into(&mut settings.publish.endpoint);
        // Waiting is done here, where it can be said.
        settings.publish.wait = Duration::ZERO;
        let signer = publish::signer(&settings, service).map_err(OpenError::Signing)?;
        let sender = Sender::open(&Context::new(&settings.zmq)?, &settings, signer)?;
        Ok(Self {
            program,
            sender,
            timeout: options.timeout,
            addresses: addresses.join(", "),
            max_body_bytes: settings.hub.max_body_bytes,
        })
    }

    /// Sends `msg`, a JSON text, as what `modname` publishes as `topic`, as soon as the relay is there.
    pub(crate) fn send(&mut self, modname: &str, topic: &str, msg: &str) -> Result<(), Failure> {
        let topic = self.sender.topic(modname, topic);
        let unnoticed = NOTICEABLE.min(self.timeout);
        if !self.sender.wait_for_relay(&topic, unnoticed) {
            let waiting = format_args!("waiting for a relay at {} ({:?})", self.addresses, self.timeout);
            say(self.program, &waiting);
            if !self.sender.wait_for_relay(&topic, self.timeout - unnoticed) {
                return Err(Failure::NoRelay { addresses: self.addresses.clone(), waited: self.timeout });
            }
        }
        Ok(self.sender.send(&topic, msg)?)
    }
}
