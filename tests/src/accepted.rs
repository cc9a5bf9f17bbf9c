//! What a hub's journal has accepted, read from its files without the hub's help.

use std::path::Path;

use journal::{Archive, Next, Offset};
use message::Envelope;
use serde_json::Value;

/// The messages in a journal that nothing was removed from, by offset.
#[derive(Default)]
pub struct Accepted(Vec<Message>);

/// One of them.
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// By which endpoint it came.
    pub endpoint: String,
    /// Its msg.
    pub msg: Value,
}

impl Accepted {
    /// All that is in the journal of this state directory.
    pub fn read(state_dir: &Path) -> Self {
        let mut accepted = Self::default();
        accepted.read_on(&Archive::open(state_dir).expect("a journal"));
        accepted
    }

    /// Takes in what was accepted since the last time. Fails if there is less than then, or if anything is missing.
    pub fn read_on(&mut self, archive: &Archive) {
        assert!(
            archive.next().0 >= self.len(),
            "accepted {}, and there is up to {}",
            self.len(),
            archive.next()
        );
        for next in archive.messages(Offset(self.len())) {
            let Next::Batch(batch) = next.expect("a readable disk") else {
                panic!("a gap at {}", self.len())
            };
            for entry in batch.iter() {
                assert_eq!(entry.offset().0, self.len());
                let envelope = Envelope::parse(entry.body()).expect("only messages are accepted");
                let msg = envelope.msg().expect("it has a msg");
                let (topic, endpoint) = (entry.topic().to_owned(), entry.endpoint().to_owned());
                self.0.push(Message { topic, endpoint, msg });
            }
        }
        assert_eq!(archive.next().0, self.len());
    }

    /// How many there are: what comes next gets this offset.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message at this offset.
    pub fn at(&self, offset: u64) -> Option<&Message> {
        self.0.get(usize::try_from(offset).expect("64 bits"))
    }

    /// All, with their offsets.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Message)> {
        (0..).zip(&self.0)
    }
}
