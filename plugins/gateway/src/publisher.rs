//! The publisher: one thread that accepts subscribers and sends to all of them.
//!
//! A batch is put into every subscriber's queue, then each connection writes until it takes no more, and only then
//! comes the next batch. So a queue fills because a subscriber does not take, and never because this thread is busy: then
//! the hub waits, whose messages are in its journal.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use plugin_api::tracing;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, sleep};

use crate::address::Address;
use crate::audience::Audience;
use crate::limits::Limits;
use crate::memory::Memory;
use crate::queue::LeftOut;
use crate::tally::{Counter, Tally};
use crate::zmtp::Outgoing;

/// How many connections wait to be accepted: all subscribers come at once when the gateway restarts.
const BACKLOG: u32 = 1024;

/// How often the log says who is too slow.
const REPORT: Duration = Duration::from_secs(10);

/// How long no connection is accepted when none can be, for want of file descriptors for instance.
const PAUSE: Duration = Duration::from_millis(100);

/// Publishes to whoever connects.
#[derive(Debug)]
pub(crate) struct Publisher {
    batches: Sender<Vec<Outgoing>>,
    thread: JoinHandle<()>,
    bound: Vec<SocketAddr>,
}

/// Why there is no publisher.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another program has it.
    #[error("{address} is in use by another program")]
    Taken { address: Address },
    #[error("{address} cannot be bound: {source}")]
    Address { address: Address, source: io::Error },
    #[error("cannot start the gateway's thread: {0}")]
    System(#[from] io::Error),
}

/// The gateway's thread has ended, which it does only by a panic.
#[derive(Debug, thiserror::Error)]
#[error("the gateway's thread has ended; restart the hub")]
pub(crate) struct Ended;

impl Publisher {
    /// Binds all of the addresses. The counter is called from the publisher's thread.
    pub(crate) fn open(addresses: &[Address], limits: Limits, counter: Counter) -> Result<Self, OpenError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listeners = addresses
            .iter()
            .map(|address| {
                let _inside = runtime.enter();
                listen(address.socket).map_err(|source| match source.kind() {
                    io::ErrorKind::AddrInUse => OpenError::Taken { address: address.clone() },
                    _ => OpenError::Address { address: address.clone(), source },
                })
            })
            .collect::<Result<Vec<_>, OpenError>>()?;
        let bound = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        // One batch may wait, so that this thread prepares the next one meanwhile.
        let (batches, coming) = channel(1);
        let tally = Tally::new(counter);
        let serve = move || run(&runtime, listeners, limits, tally, coming);
        let thread = thread::Builder::new().name("gateway".to_owned()).spawn(serve)?;
        Ok(Self { batches, thread, bound })
    }

    /// What it is bound to.
    pub(crate) fn bound(&self) -> &[SocketAddr] {
        &self.bound
    }

    /// Sends a batch to all who want it; waits while the one before the last is being sent.
    pub(crate) fn publish(&self, batch: Vec<Outgoing>) -> Result<(), Ended> {
        self.batches.blocking_send(batch).map_err(|_| Ended)
    }

    /// Sends what waits, for a second at most, and hangs up.
    pub(crate) fn close(self) {
        drop(self.batches);
        if self.thread.join().is_err() {
            tracing::error!("{Ended}");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(ip) => match TcpSocket::new_v6() {
            Ok(socket) => {
                sockopt::set_ipv6_v6only(&socket, !ip.is_unspecified())?;
                socket
            }
            // A machine without IPv6 has its IPv4 addresses for `*`.
            Err(_) if ip.is_unspecified() => return listen(([0, 0, 0, 0], address.port()).into()),
            Err(error) => return Err(error),
        },
    };
    // What is left of connections that were there before a restart keeps nobody from the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn run(
    runtime: &Runtime,
    listeners: Vec<TcpListener>,
    limits: Limits,
    tally: Tally,
    batches: Receiver<Vec<Outgoing>>,
) {
    let audience = Arc::new(Audience::new(limits, tally));
    runtime.block_on(async {
        let mut doors = JoinSet::new();
        for listener in listeners {
            doors.spawn(admit(listener, Arc::clone(&audience)));
        }
        tokio::select! {
            () = send(batches, &audience) => {}
            () = report(&audience) => {}
        }
        drop(doors);
        audience.close().await;
    });
    audience.tally().conclude();
}

/// Gives batches to all, one after the other.
async fn send(mut batches: Receiver<Vec<Outgoing>>, audience: &Audience) {
    let memory = Memory::new(audience.limits().total_bytes);
    while let Some(batch) = batches.recv().await {
        let memory_is_full = memory.is_full();
        let batch: Vec<_> = batch.into_iter().map(|message| message.kept(&memory)).collect();
        for subscriber in audience.subscribers().iter() {
            let left_out = subscriber.queue.offer(&batch, memory_is_full);
            if left_out != LeftOut::default() {
                audience.tally().left_out(subscriber.address, left_out);
            }
        }
        audience.tally().published += batch.len() as u64;
        // All who have something to write are scheduled before this task, and come first.
        yield_now().await;
    }
}

/// Accepts subscribers, for ever.
async fn admit(listener: TcpListener, audience: Arc<Audience>) {
    // They end when this task does.
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Some(subscriber) = audience.enter(address) {
                    tokio::spawn(Arc::clone(&audience).attend(subscriber, stream));
                }
                // Who makes way for it is gone, with its file, before the next one comes.
                yield_now().await;
            }
            Err(error) => {
                audience.tally().not_accepted(&error);
                sleep(PAUSE).await;
            }
        }
    }
}

async fn report(audience: &Audience) {
    let mut ticks = interval(REPORT);
    loop {
        ticks.tick().await;
        audience.tally().report();
    }
}
