//! Starting an instance of a consumer's plugin, again and again if it may succeed later.

use std::sync::Arc;

use control::ConsumerState;
use plugin_api::Instance;

use super::backoff::Backoff;
use super::options::OnStartError;
use super::{Consumer, Event};

impl Consumer {
    /// The started instance; `None` when the hub does without, is stopping, or was told of the failure.
    pub(super) fn start(&self, report: impl Fn(Event)) -> Option<Instance> {
        let mut failures = 0;
        let ready = || report(Event::Ready(self.name.clone()));
        loop {
            let error = match self.declared.start(&self.config, Arc::clone(&self.host)) {
                Ok(instance) if failures == 0 => {
                    self.set_state(ConsumerState::Running);
                    ready();
                    return Some(instance);
                }
                Ok(instance) => {
                    self.set_state(ConsumerState::Running);
                    tracing::info!(consumer = %self.name, "consumer started");
                    return Some(instance);
                }
                Err(error) => error,
            };
            match self.options.on_start_error {
                OnStartError::Retry if error.is_retryable() => {
                    failures += 1;
                    self.set_state(ConsumerState::Retrying);
                    let wait = Backoff::default().after(failures);
                    tracing::warn!(
                        consumer = %self.name, error = error.reason(), retry_in = ?wait, "consumer did not start"
                    );
                    if failures == 1 {
                        ready();
                    }
                    if !self.calls.pause_start(wait) {
                        return None;
                    }
                }
                OnStartError::Ignore => {
                    tracing::error!(
                        consumer = %self.name, error = error.reason(),
                        "consumer did not start; the hub runs without it, as on_start_error = \"ignore\" says"
                    );
                    self.set_state(ConsumerState::Ignored);
                    ready();
                    return None;
                }
                OnStartError::Fail | OnStartError::Retry => {
                    report(Event::StartFailed(self.name.clone(), error));
                    return None;
                }
            }
        }
    }
}
