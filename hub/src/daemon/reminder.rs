//! Tells in the log, at the start and once a day, which certificates and lists end soon or cannot be used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use settings::CryptoSettings;

use crate::check::{Severity, trust};
use crate::outbound::Outbound;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Reminder {
    crypto: CryptoSettings,
    /// Whether any consumer wants only what is signed.
    validates: bool,
    outbound: Arc<Outbound>,
    /// When it last told.
    told: Option<Instant>,
}

impl Reminder {
    pub(super) fn new(crypto: CryptoSettings, validates: bool, outbound: Arc<Outbound>) -> Self {
        Self { crypto, validates, outbound, told: None }
    }

    /// Tells, if it is time.
    pub(super) fn look(&mut self) {
        if self.told.is_some_and(|told| told.elapsed() < DAY) {
            return;
        }
        self.told = Some(Instant::now());
        let mut findings = trust::certificates(&self.crypto, self.validates);
        // What was read at the start may be older than what lies there now.
        for expiry in self.outbound.expiries() {
            let finding = trust::expiry(&expiry, self.crypto.expiry_warning);
            findings.extend(finding.filter(|finding| !findings.contains(finding)));
        }
        for finding in findings {
            let (what, mend) = (finding.what, finding.mend);
            match finding.severity {
                Severity::Warning => tracing::warn!(mend, "{what}"),
                Severity::Error => tracing::error!(mend, "{what}"),
            }
        }
    }
}
