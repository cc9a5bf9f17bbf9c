//! What is measured: who receives what, and how much of it.

use serde::Serialize;

/// One thing to measure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scenario {
    /// As in the table and in `--only`.
    pub(crate) name: String,
    pub(crate) receiver: Kind,
    /// Each gets every message.
    pub(crate) consumers: usize,
    pub(crate) shape: Shape,
    pub(crate) messages: u64,
    /// Messages a second, each with the time it was sent at; 0 is as fast as it goes.
    pub(crate) rate: u64,
}

/// Who receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// `bench/peer/subscriber.c`.
    C,
    /// The hub with its journal in memory.
    Memory,
    /// The hub with its journal on disk.
    Durable,
    /// The Python fedmsg-hub.
    Python,
    /// A file, without any bus.
    Disk,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    /// Bodies of 1 KiB, most of which is one string.
    Kib,
    /// Sizes and structure as on a real bus.
    Bus,
}

/// How much of everything.
pub(crate) struct Scale {
    messages: u64,
    paced: u64,
}

impl Scale {
    /// Enough to measure.
    pub(crate) fn full(messages: u64) -> Self {
        Self { messages, paced: 10 * RATE }
    }

    /// Enough to see that everything works.
    pub(crate) fn quick() -> Self {
        Self { messages: 5_000, paced: RATE / 10 }
    }
}

/// At which latency is measured, in messages a second.
const RATE: u64 = 10_000;

/// All there are, in the order of a round: what is compared stands side by side.
pub(crate) fn all(scale: &Scale) -> Vec<Scenario> {
    let mut all = Vec::new();
    for (shape, suffix) in [(Shape::Kib, "1k"), (Shape::Bus, "bus")] {
        let mut add = |name: &str, receiver, consumers, share: u64| {
            all.push(Scenario {
                name: format!("{name}-{suffix}"),
                receiver,
                consumers,
                shape,
                messages: (scale.messages / share).max(100),
                rate: 0,
            });
        };
        add("c", Kind::C, 1, 1);
        add("memory-1", Kind::Memory, 1, 1);
        add("durable-1", Kind::Durable, 1, 1);
        add("disk", Kind::Disk, 0, 1);
        add("memory-10", Kind::Memory, 10, 1);
        add("durable-10", Kind::Durable, 10, 1);
        // Python takes as long for so much less.
        add("python-1", Kind::Python, 1, 20);
        add("python-10", Kind::Python, 10, 100);
    }
    for (name, receiver) in [("c", Kind::C), ("memory-1", Kind::Memory), ("durable-1", Kind::Durable)] {
        all.push(Scenario {
            name: format!("{name}-paced"),
            receiver,
            consumers: 1,
            shape: Shape::Kib,
            messages: scale.paced,
            rate: RATE,
        });
    }
    all
}
