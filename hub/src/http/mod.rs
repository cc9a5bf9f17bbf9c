//! Health and metrics by HTTP, for probes, Prometheus and people with curl.
//!
//! It runs on a thread and a runtime of its own, serves few connections, each for a short time, and looks at the hub a
//! few times a second at most: whatever comes in here, messages make their way. It knows of the hub what
//! [`control::Hub`] tells.

mod metrics;
mod routes;
mod socket;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use control::Hub;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use settings::Listen;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};

use self::socket::{Bound, Incoming, Socket};

/// As many connections are served at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 32;

/// As many threads look at the hub at once, which may wait for the disk.
const LOOKING: usize = 2;

/// How long the head of a request may take to come.
const HEAD: Duration = Duration::from_secs(3);

/// How long a connection may take: one request, looking at the hub, one answer.
const CONNECTION: Duration = Duration::from_secs(20);

/// How long answers that are under way may take when the hub ends.
const LAST: Duration = Duration::from_millis(400);

/// The bytes of a request's head at most.
const LARGEST_HEAD: usize = 16 << 10;

/// How long to wait when the system has no file for one more connection.
const SHORTAGE: Duration = Duration::from_secs(1);

/// Why there is nothing to be had by HTTP.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken, or not to be had.
    #[error("http.listen: cannot listen at {listen}: {source}; {}", mend(source.kind()))]
    Listen {
        /// The address.
        listen: Listen,
        /// What the system says.
        source: io::Error,
    },
    /// No thread.
    #[error("cannot start the thread for http.listen: {0}")]
    Thread(io::Error),
}

fn mend(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => "each hub on a machine needs an address of its own, or \"\" for none",
        io::ErrorKind::PermissionDenied => {
            "choose a port above 1023, or a folder that this user may write to"
        }
        io::ErrorKind::NotFound => "create the folder first",
        _ => "choose an address of this machine, or \"\" for none",
    }
}

/// The HTTP server, until it is dropped.
pub struct Server {
    /// Dropped to end it.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Begins to serve; nothing, if it is to listen nowhere.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn start(listen: &Listen, hub: Arc<dyn Hub>) -> Result<Option<Self>, HttpError> {
        let bound =
            Bound::bind(listen).map_err(|source| HttpError::Listen { listen: listen.clone(), source })?;
        let Some(bound) = bound else { return Ok(None) };
        let at = bound.address();
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            if let Err(error) = run(bound, hub, stopped) {
                tracing::error!(%error, "nothing is served by HTTP");
            }
        };
        let thread =
            thread::Builder::new().name("http".to_owned()).spawn(serve).map_err(HttpError::Thread)?;
        tracing::info!(listen = %at, "serving health and metrics");
        Ok(Some(Self { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of its own was reported by the hook.
            drop(thread.join());
        }
    }
}

/// Serves until it is stopped.
fn run(bound: Bound, hub: Arc<dyn Hub>, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(LOOKING).thread_name("http-look").build()?;
    let router = routes::router(hub, matches!(bound, Bound::Unix(..)));
    let served = runtime.block_on(async {
        let socket = bound.listen()?;
        let conversations = GracefulShutdown::new();
        tokio::select! {
            () = accept(socket, router, &conversations) => {}
            _ = stopped => {}
        }
        // Who takes longer has nothing to be told.
        drop(tokio::time::timeout(LAST, conversations.shutdown()).await);
        Ok(())
    });
    // Who still looks may be waiting for a disk that does not answer.
    runtime.shutdown_background();
    served
}

async fn accept(socket: Socket, router: Router, conversations: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let serve = match socket.accept().await {
            Ok(incoming) => serve(incoming, router.clone(), conversations.watcher()),
            Err(error) => {
                tracing::warn!(%error, "cannot serve a client of http.listen");
                tokio::time::sleep(SHORTAGE).await;
                continue;
            }
        };
        tokio::spawn(async move {
            serve.await;
            drop(place);
        });
    }
}

async fn serve(incoming: Incoming, router: Router, watcher: Watcher) {
    match incoming {
        Incoming::Tcp(stream) => converse(stream, router, watcher).await,
        Incoming::Unix(stream) => converse(stream, router, watcher).await,
    }
}

/// Answers one request: a place is for no one to keep.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, router: Router, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // Whoever breaks off, or takes too long, has nothing to be told.
    drop(tokio::time::timeout(CONNECTION, watcher.watch(connection)).await);
}
