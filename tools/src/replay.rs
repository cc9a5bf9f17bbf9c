//! `fedmsg-dg-replay`: publishes a message of the past anew, as datagrepper has it.

use std::io::{self, Write};
use std::time::Duration;

use clap::Parser;
use message::{Envelope, EnvelopeError};
use tracing::level_filters::LevelFilter;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::process::{Failure, log};
use crate::relay::{RelayOptions, with_relay};
use meta::python::Value;

/// The command's name.
pub const NAME: &str = "fedmsg-dg-replay";

/// The service that it signs as, as commands do.
const SERVICE: &str = "shell";

const HELP: &str = r#"Examples:
  fedmsg-dg-replay --msg-id 2014-8909e1e9-2a46-4e53-9a0e-f5415a9bedcf
  fedmsg-dg-replay --msg-id 2026-d3a9 --datagrepper-url http://localhost:5000/datagrepper

Exit codes:
  0    the message was handed to the relay
  1    --msg-id is missing, or something failed; the error says what
  2    datagrepper answered with another status than 200, or the message is too large; or wrong command line
  3    wrong configuration
  6    no relay took the message in time
  130  ended by Ctrl-C"#;

/// Publishes a message from datagrepper's history on the bus of the configuration, through a relay.
///
/// What the message says and what it is about stay. It gets an envelope of its own: id, time, topic prefix and environment
/// are those of here, and nothing is left of its credentials and of what datagrepper has added. Where the configuration
/// has `crypto.sign_messages`, it is signed anew.
///
/// It connects to the endpoint `relay_inbound` of the same configuration that fedmsg-hub reads.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
pub struct Cli {
    /// The message's id.
    #[arg(long, value_name = "ID")]
    pub msg_id: Option<String>,
    /// The datagrepper that has it.
    #[arg(long, value_name = "URL", default_value = "https://apps.fedoraproject.org/datagrepper")]
    pub datagrepper_url: String,
    /// Which relay.
    #[command(flatten)]
    pub relay: RelayOptions,
}

/// Why a message of the past can't be had.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Nobody said which.
    #[error("--msg-id is required")]
    NoId,
    /// Datagrepper does not have it, or does not want to give it.
    #[error("datagrepper request of {id} failed. Status: {status}")]
    Refused {
        /// Which, as Python's `repr`.
        id: String,
        /// HTTP's.
        status: u16,
    },
    /// Nothing came, or not in time.
    #[error("cannot ask {url}: {source}; look at --datagrepper-url")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// What came is no message.
    #[error("{url} did not answer with a message: {source}")]
    NoMessage {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        source: EnvelopeError,
    },
    /// What came is more than a message can be.
    #[error("{url} answered with more than {most} bytes; see hub.max_body_bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// What was read at most.
        most: u64,
    },
    /// It says nothing.
    #[error("{0} answered with a message that has no `msg`")]
    NoMsg(String),
    /// It is a message that the Python fedmsg, too, could not publish.
    #[error("its topic {0:?} names no service and no event, such as org.fedoraproject.prod.git.receive does")]
    Topic(String),
}

/// Fetches the message and publishes it.
///
/// # Errors
/// [`Failure`].
pub fn run(options: &Cli) -> Result<(), Failure> {
    log(LevelFilter::WARN);
    let id = options.msg_id.as_deref().filter(|id| !id.is_empty()).ok_or(HistoryError::NoId)?;
    let quoted = Value::text(id).repr();
    report(&format!("Retrieving {quoted}"))?;
    let url = format!("{}/id", options.datagrepper_url);
    with_relay(NAME, &options.relay, SERVICE, |relay| {
        // Datagrepper adds to a message, and spaces it out.
        let most = (relay.max_body_bytes as u64).saturating_mul(2);
        let answer = fetch(&url, id, options.relay.timeout, most)?;
        let envelope = Envelope::parse(&answer)
            .map_err(|source| HistoryError::NoMessage { url: url.clone(), source })?;
        let topic = envelope.topic().unwrap_or_default();
        let (modname, event) = parts(&topic).ok_or_else(|| HistoryError::Topic(topic.to_string()))?;
        let msg = envelope.said().ok_or_else(|| HistoryError::NoMsg(url.clone()))?;
        report(&format!("Broadcasting {quoted}"))?;
        relay.send(modname, event, msg)
    })?;
    report("OK.")
}

/// The words behind prefix and environment: the service, and what happened.
fn parts(topic: &str) -> Option<(&str, &str)> {
    topic.splitn(4, '.').nth(3)?.split_once('.')
}

fn fetch(url: &str, id: &str, timeout: Duration, most: u64) -> Result<Vec<u8>, HistoryError> {
    let tls =
        TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build();
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(timeout))
        .tls_config(tls)
        .http_status_as_error(false)
        .build()
        .into();
    let failed = |source| match source {
        ureq::Error::BodyExceedsLimit(_) => HistoryError::TooLarge { url: url.to_owned(), most },
        source => HistoryError::Unreachable { url: url.to_owned(), source: Box::new(source) },
    };
    let mut response = agent.get(url).query("id", id).call().map_err(failed)?;
    match response.status().as_u16() {
        200 => response.body_mut().with_config().limit(most).read_to_vec().map_err(failed),
        status => Err(HistoryError::Refused { id: Value::text(id).repr(), status }),
    }
}

/// Says how far it is; those who do not listen do not matter.
fn report(what: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{what}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::stream("write to standard output")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_taken_apart_behind_the_environment() {
        assert_eq!(parts("org.fedoraproject.prod.git.receive.end"), Some(("git", "receive.end")));
        assert_eq!(parts("org.fedoraproject.prod.git"), None);
        assert_eq!(parts(""), None);
    }
}
