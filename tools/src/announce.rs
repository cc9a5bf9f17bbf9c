//! `fedmsg-announce`: tells everybody something, on a topic and with a certificate of its own.

use clap::Parser;
use tracing::level_filters::LevelFilter;

use crate::input;
use crate::process::{Failure, log};
use crate::relay::{RelayOptions, with_relay};

/// The command's name.
pub const NAME: &str = "fedmsg-announce";

/// The service that announcements are signed as; also the one behind prefix and environment in their topic.
const SERVICE: &str = "announce";

const HELP: &str = r#"Examples:
  echo "Fedora Core 4 is out" | fedmsg-announce --link https://fedoraproject.org
  fedmsg-announce < announcement.txt

Exit codes:
  0    the announcement was handed to the relay
  1    failed; the error says why
  2    wrong command line, or standard input is not UTF-8 or too large: nothing was sent
  3    wrong configuration
  6    no relay took the message in time
  130  ended by Ctrl-C"#;

/// Publishes standard input as an announcement, through a relay.
///
/// The message is {"link": URL or null, "message": TEXT} with the topic PREFIX.ENVIRONMENT.announce.announcement. Where
/// the configuration has `crypto.sign_messages`, it is signed as the service `announce`: let `crypto.routing_policy` of
/// those who listen accept that topic from this certificate alone.
///
/// It connects to the endpoint `relay_inbound` of the same configuration that fedmsg-hub reads.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = HELP, max_term_width = 100)]
pub struct Cli {
    /// Where there is more to read.
    #[arg(long, value_name = "URL")]
    pub link: Option<String>,
    /// Which relay.
    #[command(flatten)]
    pub relay: RelayOptions,
}

/// Publishes the announcement, and returns when it has left the process.
///
/// # Errors
/// [`Failure`].
pub fn run(options: &Cli) -> Result<(), Failure> {
    log(LevelFilter::WARN);
    let text = input::stripped_lines(std::io::stdin().lock())?;
    let announcement = serde_json::json!({ "link": options.link, "message": text }).to_string();
    with_relay(NAME, &options.relay, SERVICE, |relay| relay.send(SERVICE, "announcement", &announcement))
}
