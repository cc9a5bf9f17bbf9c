//! What commands that listen have in common: where they listen, that they are ready, and that nobody reads what they
//! print any more.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bus::{Context, Endpoint, Prefixes, State, StatusBoard, Subscribe, Subscriber};
use rustix::event::{PollFd, PollFlags, poll};
use sd_notify::NotifyState;
use settings::Settings;

use crate::options::RELAY_INBOUND;
use crate::process::{Failure, say};

/// An endpoint that neither answers nor refuses does not hold up readiness for longer.
const READY_DEADLINE: Duration = Duration::from_secs(10);

/// Subscribes to every endpoint of the configuration, for topics that begin with `prefix`, and says so.
pub(crate) fn listen(program: &str, settings: &Settings, prefix: &str) -> Result<Subscriber, Failure> {
    let endpoints = endpoints(settings)?;
    let mut subscriber = Context::new(&settings.zmq)?.subscriber()?;
    for endpoint in &endpoints {
        subscriber.connect(endpoint, &Prefixes::from_iter([prefix]))?;
    }
    if io::stderr().is_terminal() {
        say(program, &format_args!("listening to {}", list(&endpoints)));
    }
    tell_when_ready(subscriber.status())?;
    Ok(subscriber)
}

/// What is listened to: every endpoint but the one where messages have yet to be published.
fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, Failure> {
    let listened: Vec<_> =
        settings.endpoints.enabled().filter(|endpoint| endpoint.name.as_str() != RELAY_INBOUND).collect();
    match listened.is_empty() {
        true => Err(Failure::NoEndpoint {
            missing: "nothing to listen to",
            example: "relay_outbound = \"tcp://127.0.0.1:4001\"",
        }),
        false => Ok(listened),
    }
}

fn list(endpoints: &[Endpoint]) -> String {
    let named = endpoints.iter().map(|endpoint| {
        let addresses: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
        format!("{} ({})", endpoint.name, addresses.join(", "))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Speaks to whoever started the process, if it listens.
fn tell_when_ready(status: StatusBoard) -> Result<(), Failure> {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(());
    }
    let ready = move || {
        status.wait(READY_DEADLINE, |endpoints| {
            let mut addresses = endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
            addresses.all(|address| !matches!(address.state, State::Resolving | State::Connecting))
        });
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            tracing::warn!(%error, "cannot tell the service manager");
        }
    };
    let thread = std::thread::Builder::new().name("ready".to_owned()).spawn(ready);
    thread.map(drop).map_err(Failure::stream("start a thread"))
}

/// Notices that nobody reads the output any more, even when there is nothing to print: `fedmsg-tail | head -1` ends.
pub(crate) fn watch_reader(subscriber: &Subscriber) -> Result<Arc<AtomicBool>, Failure> {
    let is_gone = Arc::new(AtomicBool::new(false));
    let (gone, waker) = (Arc::clone(&is_gone), subscriber.waker());
    let watch = move || {
        // Errors and the other side's end are reported without being asked for.
        while let Err(rustix::io::Errno::INTR) =
            poll(&mut [PollFd::new(&io::stdout(), PollFlags::empty())], None)
        {}
        gone.store(true, Relaxed);
        waker.wake();
    };
    let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(watch);
    thread.map_err(Failure::stream("start a thread"))?;
    Ok(is_gone)
}
