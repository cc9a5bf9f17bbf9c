//! The signals that end the hub, and the one that has it reload.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handlers for SIGTERM and SIGINT.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
}

/// A handler for SIGHUP. Signals that come while nobody waits count as one.
pub(super) struct HangUps(Signal);

impl Signals {
    pub(super) fn install() -> std::io::Result<(Self, HangUps)> {
        let signals = Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
        Ok((signals, HangUps(signal(SignalKind::hangup())?)))
    }

    /// Waits for a signal that ends the hub.
    pub(super) async fn stop(&mut self) {
        let name = tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "told to stop");
    }
}

impl HangUps {
    /// Waits for one.
    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }
}
