//! One subscriber's connection, from the greeting to its end.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use plugin_api::tracing;
use rustix::net::sockopt;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::queue::Queue;
use crate::tally::Count;
use crate::zmtp::{self, ProtocolError, Said};

/// Who has not greeted by then is no subscriber.
const GREETING: Duration = Duration::from_secs(10);

/// A subscriber: where it is, and what waits for it.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) address: SocketAddr,
    pub(crate) queue: Queue,
    greeted: AtomicBool,
    displaced: Notify,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Farewell {
    /// It never was a subscriber.
    #[error("no subscriber: {0}")]
    Refused(ProtocolError),
    /// It did not greet in time.
    #[error("no subscriber: it does not greet")]
    Silent,
    /// It has taken nothing for too long.
    #[error("stalled: it takes nothing")]
    Stalled,
    /// It has been without a subscription for too long.
    #[error("it subscribes to nothing")]
    Idle,
    /// Its place is another's.
    #[error("it made way for another")]
    Displaced,
    /// It said what it must not.
    #[error(transparent)]
    Protocol(ProtocolError),
    /// It has too many subscriptions.
    #[error("it subscribes to too many topics")]
    Subscriptions,
    /// The connection broke, or it closed it.
    #[error(transparent)]
    Gone(#[from] io::Error),
}

impl Farewell {
    /// What the operator sees it as; nothing if it was the other end that went.
    pub(crate) fn counts_as(&self) -> Option<Count> {
        match self {
            Self::Stalled => Some(Count::Stalled),
            Self::Idle => Some(Count::Idle),
            Self::Displaced => Some(Count::Displaced),
            Self::Refused(_) | Self::Silent | Self::Subscriptions => Some(Count::NoSubscriber),
            Self::Protocol(_) | Self::Gone(_) => None,
        }
    }
}

impl Subscriber {
    /// One for whom so many messages, and bytes, may wait.
    pub(crate) fn new(address: SocketAddr, messages: usize, bytes: usize) -> Self {
        let queue = Queue::new(messages, bytes);
        Self { address, queue, greeted: AtomicBool::default(), displaced: Notify::new() }
    }

    /// From now on it is known to be a subscriber.
    pub(crate) fn greeted(&self) {
        self.greeted.store(true, Relaxed);
    }

    pub(crate) fn has_greeted(&self) -> bool {
        self.greeted.load(Relaxed)
    }

    /// Its connection ends, for another's sake.
    pub(crate) fn make_way(&self) {
        self.displaced.notify_one();
    }

    /// Talks with it until one of the two ends goes, it has to make way, or the queue is closed and sent.
    pub(crate) async fn serve(&self, stream: TcpStream, stalled_after: Duration) -> Result<(), Farewell> {
        tokio::select! {
            ended = self.converse(stream, stalled_after) => ended,
            () = self.displaced.notified() => Err(Farewell::Displaced),
        }
    }

    async fn converse(&self, mut stream: TcpStream, stalled_after: Duration) -> Result<(), Farewell> {
        prepare(&stream)?;
        timeout(GREETING, zmtp::greet(&mut stream))
            .await
            .map_err(|_| Farewell::Silent)?
            .map_err(Farewell::Refused)?;
        self.greeted();
        let (read, write) = stream.into_split();
        tokio::select! {
            ended = self.listen(read, stalled_after) => ended,
            ended = self.send(write, stalled_after) => ended,
        }
    }

    /// Follows its subscriptions, and answers its pings.
    async fn listen(&self, read: OwnedReadHalf, stalled_after: Duration) -> Result<(), Farewell> {
        let mut read = BufReader::new(read);
        let mut idle_since = Instant::now();
        loop {
            let said = zmtp::read(&mut read);
            let said = if self.queue.is_wanted() {
                said.await
            } else {
                timeout_at(idle_since + stalled_after, said).await.map_err(|_| Farewell::Idle)?
            };
            match said.map_err(Farewell::Protocol)? {
                Said::Subscribe(prefix) => {
                    if !self.queue.subscribe(&prefix) {
                        return Err(Farewell::Subscriptions);
                    }
                    let prefix = String::from_utf8_lossy(&prefix);
                    tracing::debug!(subscriber = %self.address, ?prefix, "subscribed");
                }
                Said::Cancel(prefix) => {
                    let was_wanted = self.queue.is_wanted();
                    self.queue.cancel(&prefix);
                    if was_wanted {
                        idle_since = Instant::now();
                    }
                }
                Said::Ping(context) => self.queue.answer(zmtp::pong(&context)),
                Said::Other => {}
            }
        }
    }

    /// Sends what waits for it.
    async fn send(&self, mut write: OwnedWriteHalf, stalled_after: Duration) -> Result<(), Farewell> {
        loop {
            let chunk = self.queue.next().await;
            if chunk.is_empty() {
                return Ok(());
            }
            let mut slices: Vec<_> = chunk.iter().map(|frames| IoSlice::new(frames)).collect();
            let mut rest = &mut slices[..];
            while !rest.is_empty() {
                let written = timeout(stalled_after, write.write_vectored(rest)).await;
                IoSlice::advance_slices(&mut rest, written.map_err(|_| Farewell::Stalled)??);
                self.queue.keep_in_hand(rest.len());
            }
        }
    }
}

/// Small messages go at once, and a machine that is gone without a word is noticed: the times are the defaults of
/// `[zmq]`.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    Ok(())
}
