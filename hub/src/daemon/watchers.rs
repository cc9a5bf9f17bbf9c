//! Those who look at the running hub, and their threads: the control socket, HTTP, and the hub's own watch.

use std::sync::Arc;

use bus::Context;
use control::Server;
use journal::Journal;
use settings::Settings;

use super::StartUpError;
use super::operator::Operator;
use super::watch::Watch;
use crate::http;

/// Those who look at the running hub. To drop it may take a while.
pub(super) struct Watchers {
    control: Option<Server>,
    _http: Option<http::Server>,
    _watch: Watch,
}

impl Watchers {
    pub(super) fn start(
        settings: &Settings,
        context: &Context,
        journal: &Arc<Journal>,
        operator: &Arc<Operator>,
    ) -> Result<Self, StartUpError> {
        let http = http::Server::start(&settings.http.listen, Arc::clone(operator) as _)?;
        let watch = Watch::start(&settings.monitoring, context, operator)?;
        let control = Server::start(&settings.hub.state_dir, Arc::clone(journal), Arc::clone(operator) as _)?;
        Ok(Self { control: Some(control), _http: http, _watch: watch })
    }

    /// What takes orders ends when the hub begins to stop; who only looks may go on to.
    pub(super) fn take_control(&mut self) -> Option<Server> {
        self.control.take()
    }
}
