//! What the control socket needs of the running hub.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use control::{Hub, Refusal, ReplayProgress};
use crossbeam_channel::{Receiver, unbounded};
use journal::{Journal, Offset};

use crate::consumer::{ConsumerName, Handle, Order};
use crate::intake::IntakeTally;

/// The running hub, for its operator.
pub(super) struct Operator {
    pub(super) journal: Arc<Journal>,
    pub(super) consumers: HashMap<ConsumerName, Handle>,
    pub(super) intake: Arc<IntakeTally>,
}

impl Operator {
    fn running(&self, consumer: &str) -> Option<&Handle> {
        self.consumers.get(consumer).filter(|handle| !handle.tally().has_ended())
    }
}

impl Hub for Operator {
    fn is_running(&self, consumer: &str) -> bool {
        self.running(consumer).is_some()
    }

    fn redeliver(&self, consumer: &str, offset: Offset) -> bool {
        let letter = self.journal.dead_letter(offset, consumer);
        let handle = self.running(consumer);
        letter.zip(handle).is_some_and(|(letter, handle)| handle.order(Order::Redeliver(letter)))
    }

    fn replay(&self, consumer: &str, offsets: Range<Offset>) -> Result<Receiver<ReplayProgress>, Refusal> {
        // Unbounded, so that the consumer waits for nobody; a client that reads nothing is cut off by the socket.
        let (progress, told) = unbounded();
        let ordered = self.running(consumer).map(|handle| handle.order(Order::Replay { offsets, progress }));
        match ordered {
            Some(true) => Ok(told),
            _ => Err(Refusal::ConsumerDoesNotRun { consumer: consumer.to_owned() }),
        }
    }

    fn trouble(&self) -> Option<String> {
        self.intake.trouble()
    }
}
