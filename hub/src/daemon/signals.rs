//! The signals that end the hub.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handlers for SIGTERM, SIGINT and SIGHUP.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    pub(super) fn install() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal that ends the hub.
    pub(super) async fn stop(&mut self) {
        loop {
            let name = tokio::select! {
                _ = self.term.recv() => "SIGTERM",
                _ = self.int.recv() => "SIGINT",
                _ = self.hup.recv() => {
                    tracing::warn!("SIGHUP ignored: this hub does not reload; restart it");
                    continue;
                }
            };
            tracing::info!(signal = name, "told to stop");
            return;
        }
    }
}
