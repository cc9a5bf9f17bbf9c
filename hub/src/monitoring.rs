//! How the hub is doing, in the JSON that moksha's hubs publish, for the `fedmsg-check` of Python and what was built on
//! it. Unlike theirs, its counts are since the start, so that two who watch do not take each other's away.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use bus::Address;
use control::{ConsumerState, ConsumerStatus, Status};
use serde_json::{Value, json};

/// Makes reports.
#[derive(Debug, Default)]
pub struct Reporter {
    /// Of each consumer, how many messages were handled by the last report, and the time that they took.
    before: HashMap<String, (u64, f64)>,
}

impl Reporter {
    /// The report of this moment.
    pub fn report(&mut self, status: &Status) -> String {
        let consumers: Vec<_> = status.consumers.iter().map(|consumer| self.consumer(consumer)).collect();
        let report = json!({
            "consumers": consumers,
            "producers": [{
                "name": "MonitoringProducer",
                "module": "fedmsg_hub.monitoring",
                "initialized": true,
                "exceptions": 0,
                "frequency": 5,
                "now": false,
                "last_ran": status.at.as_millisecond() as f64 / 1000.0,
            }],
        });
        report.to_string()
    }

    fn consumer(&mut self, consumer: &ConsumerStatus) -> Value {
        let initialized = consumer.state == ConsumerState::Running;
        let ConsumerStatus { place, topics, plugin, received, handled, failures, handling, .. } = consumer;
        let now = (handling.count, handling.sum_seconds);
        let (count, sum) = self.before.insert(place.name.clone(), now).unwrap_or_default();
        // Python gives the time of each message since the last report; here it is their mean.
        let lately = (now.0 > count).then(|| (now.1 - sum) / (now.0 - count) as f64);
        json!({
            "name": place.name,
            "module": plugin,
            "topic": topics,
            "initialized": initialized,
            "exceptions": failures,
            "jsonify": true,
            "backlog": initialized.then_some(place.lag),
            "headcount_in": received,
            "headcount_out": handled,
            "times": lately.into_iter().collect::<Vec<_>>(),
        })
    }
}

/// Lets those connect whom the mode lets, if the address is a file.
///
/// # Errors
/// The file is not ours.
pub fn open_to(address: &Address, mode: Option<u32>) -> io::Result<()> {
    match (address, mode) {
        (Address::Ipc(path), Some(mode)) if !path.starts_with('@') => {
            fs::set_permissions(path, Permissions::from_mode(mode))
        }
        _ => Ok(()),
    }
}
