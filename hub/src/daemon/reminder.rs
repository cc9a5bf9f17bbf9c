//! Tells in the log, at the start and once a day, which certificates and lists end soon or cannot be used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use settings::CryptoSettings;

use crate::check::{Severity, trust};
use crate::outbound::Outbound;
use crate::trust::Judge;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Reminder {
    judge: Arc<Judge>,
    outbound: Arc<Outbound>,
    /// When it last told, and of which settings.
    told: Option<(Instant, CryptoSettings)>,
}

impl Reminder {
    pub(super) fn new(judge: Arc<Judge>, outbound: Arc<Outbound>) -> Self {
        Self { judge, outbound, told: None }
    }

    /// Tells, if it is time.
    pub(super) fn look(&mut self) {
        let crypto = self.outbound.settings().crypto.clone();
        if self.told.as_ref().is_some_and(|(told, of)| told.elapsed() < DAY && *of == crypto) {
            return;
        }
        let mut findings = trust::certificates(&crypto, self.judge.is_needed(), geteuid().as_raw());
        // What was read at the start may be older than what lies there now.
        for expiry in self.outbound.expiries() {
            let finding = trust::expiry(&expiry, crypto.expiry_warning);
            findings.extend(finding.filter(|finding| !findings.contains(finding)));
        }
        for finding in findings {
            let (what, mend) = (finding.what, finding.mend);
            match finding.severity {
                Severity::Warning => tracing::warn!(mend, "{what}"),
                Severity::Error => tracing::error!(mend, "{what}"),
            }
        }
        self.told = Some((Instant::now(), crypto));
    }
}
