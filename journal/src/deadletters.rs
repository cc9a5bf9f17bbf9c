//! Messages that a consumer failed at for good: references into the journal that keep their messages there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use crate::batch::Batch;
use crate::frame::{Key, Kind};
use crate::recovery::Recovery;
use crate::statelog::StateLog;
use crate::sync::{Mutex, lock};
use crate::wire::{Put, Take};
use crate::{Journal, JournalError, Offset};

const ADD: u8 = 0;
const REMOVE: u8 = 1;
const REQUEUE: u8 = 2;

/// The marks of a letter that is added.
const REQUEUED: u8 = 1;
const IN_HAND: u8 = 2;

/// A message that a consumer failed at for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message.
    pub offset: Offset,
    /// Who failed.
    pub consumer: String,
    /// At how many attempts.
    pub attempts: u32,
    /// When the first of them was.
    pub first: SystemTime,
    /// When the last of them was.
    pub last: SystemTime,
    /// What the consumer said at the last.
    pub error: String,
    /// It is to be delivered again, and nobody has said yet how that went.
    pub requeued: bool,
    /// The consumer was given it, and has not answered yet; [`Self::attempts`] counts that. If a process finds it so, the
    /// one before ended meanwhile.
    pub in_hand: bool,
}

/// By which message and by whom.
type Id = (u64, String);
pub(crate) type Letters = BTreeMap<Id, DeadLetter>;

/// Takes over one statement of the file.
pub(crate) fn replay(payload: &[u8], letters: &mut Letters) {
    let mut take = Take(payload);
    let (Some(tag), Some(offset), Some(consumer)) = (take.u8(), take.u64(), take.text()) else { return };
    let id = (offset, consumer);
    match tag {
        ADD => drop(read(take, id).map(|letter| letters.insert((offset, letter.consumer.clone()), letter))),
        REMOVE => drop(letters.remove(&id)),
        REQUEUE => {
            if let Some(letter) = letters.get_mut(&id) {
                letter.requeued = true;
            }
        }
        _ => {}
    }
}

fn read(mut take: Take<'_>, (offset, consumer): Id) -> Option<DeadLetter> {
    let (attempts, first, last, error) = (take.u32()?, take.time()?, take.time()?, take.text()?);
    let marks = take.u8()?;
    let (requeued, in_hand) = (marks & REQUEUED != 0, marks & IN_HAND != 0);
    Some(DeadLetter { offset: Offset(offset), consumer, attempts, first, last, error, requeued, in_hand })
}

fn statement(tag: u8, (offset, consumer): &Id) -> Put {
    Put::tag(tag).u64(*offset).text(consumer)
}

fn add(letter: &DeadLetter) -> Vec<u8> {
    let put = statement(ADD, &(letter.offset.0, letter.consumer.clone()));
    let mut put = put.u32(letter.attempts).time(letter.first).time(letter.last).text(&letter.error);
    let mark = |is_set, mark| if is_set { mark } else { 0 };
    put.0.push(mark(letter.requeued, REQUEUED) | mark(letter.in_hand, IN_HAND));
    put.0
}

fn statements(letters: &Letters) -> Vec<Vec<u8>> {
    letters.values().map(add).collect()
}

#[derive(Debug, Default)]
pub(crate) struct DeadLetters(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    letters: Letters,
    /// None in memory mode.
    log: Option<StateLog>,
    /// In memory mode, the messages, how many bytes they have, and how many they may.
    messages: BTreeMap<u64, Batch>,
    bytes: u64,
    most: u64,
}

impl State {
    fn write(&mut self, statement: Vec<u8>) -> Result<(), JournalError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        log.append(&[statement])
    }

    /// Only makes the file shorter: if that cannot be done now, then at the next statement.
    fn shorten(&mut self) {
        if let Some(log) = self.log.as_mut().filter(|log| log.is_long()) {
            drop(log.rewrite(&statements(&self.letters)));
        }
    }

    fn remove(&mut self, id: &Id) -> Result<Option<DeadLetter>, JournalError> {
        if !self.letters.contains_key(id) {
            return Ok(None);
        }
        self.write(statement(REMOVE, id).0)?;
        let letter = self.letters.remove(id);
        if self.of(id.0).next().is_none() {
            self.let_go(id.0);
        }
        Ok(letter)
    }

    /// Those of one message.
    fn of(&self, offset: u64) -> impl Iterator<Item = &DeadLetter> {
        let from = self.letters.range((offset, String::new())..);
        from.map(|(_, letter)| letter).take_while(move |letter| letter.offset.0 == offset)
    }

    fn keep(&mut self, offset: u64, message: Batch) {
        self.let_go(offset);
        self.bytes += bytes(&message);
        self.messages.insert(offset, message);
    }

    fn let_go(&mut self, offset: u64) {
        self.bytes -= self.messages.remove(&offset).map_or(0, |message| bytes(&message));
    }

    /// Gives up the oldest messages but the newest, and first those that nobody is to have again.
    fn make_room(&mut self, newest: u64) -> Vec<DeadLetter> {
        let mut gone = Vec::new();
        while self.bytes > self.most {
            let others = || self.messages.keys().copied().filter(|offset| *offset != newest);
            let idle = others().find(|offset| !self.of(*offset).any(|letter| letter.requeued));
            let Some(oldest) = idle.or_else(|| others().next()) else { break };
            let letters: Vec<_> = self.of(oldest).cloned().collect();
            self.let_go(oldest);
            self.letters.retain(|(offset, _), _| *offset != oldest);
            gone.extend(letters);
        }
        gone
    }
}

fn bytes(message: &Batch) -> u64 {
    message.iter().map(|entry| (entry.topic().len() + entry.body().len()) as u64).sum()
}

impl DeadLetters {
    pub(crate) fn in_memory(most: u64) -> Self {
        Self(Mutex::new(State { most, ..State::default() }))
    }

    pub(crate) fn open(path: &Path, key: Key, recovery: &mut Recovery) -> Result<Self, JournalError> {
        let mut letters = Letters::new();
        let each = |payload: &[u8]| replay(payload, &mut letters);
        let log = Some(StateLog::open(path, Kind::DeadLetters, key, recovery, each)?);
        Ok(Self(Mutex::new(State { letters, log, ..State::default() })))
    }

    /// Written when this returns. One that is there is replaced. `message` is kept in memory mode; those that had to go
    /// for it are returned.
    pub(crate) fn add(
        &self,
        letter: DeadLetter,
        message: Option<Batch>,
    ) -> Result<Vec<DeadLetter>, JournalError> {
        let mut state = lock(&self.0);
        state.write(add(&letter))?;
        let offset = letter.offset.0;
        state.letters.insert((offset, letter.consumer.clone()), letter);
        state.shorten();
        let Some(message) = message else { return Ok(Vec::new()) };
        state.keep(offset, message);
        Ok(state.make_room(offset))
    }

    pub(crate) fn list(&self) -> Vec<DeadLetter> {
        lock(&self.0).letters.values().cloned().collect()
    }

    pub(crate) fn get(&self, offset: Offset, consumer: &str) -> Option<DeadLetter> {
        lock(&self.0).letters.get(&(offset.0, consumer.to_owned())).cloned()
    }

    pub(crate) fn requeue(&self, offset: Offset, consumer: &str) -> Result<Option<DeadLetter>, JournalError> {
        let id = (offset.0, consumer.to_owned());
        let mut state = lock(&self.0);
        if !state.letters.contains_key(&id) {
            return Ok(None);
        }
        state.write(statement(REQUEUE, &id).0)?;
        Ok(state.letters.get_mut(&id).map(|letter| {
            letter.requeued = true;
            letter.clone()
        }))
    }

    pub(crate) fn remove(&self, offset: Offset, consumer: &str) -> Result<Option<DeadLetter>, JournalError> {
        lock(&self.0).remove(&(offset.0, consumer.to_owned()))
    }

    /// Removes all for which `goes` says so.
    pub(crate) fn purge(&self, goes: impl Fn(&DeadLetter) -> bool) -> Result<Vec<DeadLetter>, JournalError> {
        let mut state = lock(&self.0);
        let ids: Vec<Id> =
            state.letters.iter().filter(|(_, letter)| goes(letter)).map(|(id, _)| id.clone()).collect();
        let mut gone = Vec::new();
        for id in ids {
            gone.extend(state.remove(&id)?);
        }
        state.shorten();
        Ok(gone)
    }

    /// The message, if it is kept here.
    pub(crate) fn message(&self, offset: u64) -> Option<Batch> {
        lock(&self.0).messages.get(&offset).cloned()
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.0).letters.len()
    }

    /// Behind the last message of any.
    pub(crate) fn end(&self) -> u64 {
        lock(&self.0).letters.keys().next_back().map_or(0, |(offset, _)| offset.saturating_add(1))
    }

    /// Which of these messages there are letters of, in order.
    pub(crate) fn within(&self, offsets: Range<u64>) -> Vec<u64> {
        if offsets.is_empty() {
            return Vec::new();
        }
        let range = (offsets.start, String::new())..(offsets.end, String::new());
        let mut found: Vec<u64> =
            lock(&self.0).letters.range(range).map(|((offset, _), _)| *offset).collect();
        found.dedup();
        found
    }

    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        let State { letters, log, .. } = &mut *lock(&self.0);
        log.as_mut().map_or(Ok(()), |log| log.sync(|| statements(letters)))
    }
}

impl Journal {
    /// Adds a dead letter, or replaces the one of this message and consumer. It survives the end of the process when
    /// this returns, and so does its message from now on, until the letter is removed.
    ///
    /// In memory mode the messages of dead letters have as many bytes at most as the others. The oldest go for newer
    /// ones, first of those that are not requeued; their letters go with them, and are returned.
    ///
    /// # Errors
    /// Disk errors.
    pub fn bury(&self, letter: DeadLetter) -> Result<Vec<DeadLetter>, JournalError> {
        let message = if self.shared.durable.is_none() { self.get(letter.offset)? } else { None };
        let gone = self.shared.dead_letters.add(letter, message.map(|message| message.detach()))?;
        self.shared.dropped_oldest.fetch_add(gone.len() as u64, Relaxed);
        self.shared.something();
        Ok(gone)
    }

    /// Every dead letter, by offset.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.shared.dead_letters.list()
    }

    /// One of them.
    #[must_use]
    pub fn dead_letter(&self, offset: Offset, consumer: &str) -> Option<DeadLetter> {
        self.shared.dead_letters.get(offset, consumer)
    }

    /// Marks a dead letter as being delivered again, and returns it.
    ///
    /// It stays until [`Self::unbury`] says that it was handled, or [`Self::bury`] that it failed again: after a crash
    /// in between, those with [`DeadLetter::requeued`] set are to be delivered.
    ///
    /// # Errors
    /// Disk errors.
    pub fn requeue(&self, offset: Offset, consumer: &str) -> Result<Option<DeadLetter>, JournalError> {
        let letter = self.shared.dead_letters.requeue(offset, consumer)?;
        self.shared.something();
        Ok(letter)
    }

    /// Removes a dead letter that was handled after all.
    ///
    /// # Errors
    /// Disk errors.
    pub fn unbury(&self, offset: Offset, consumer: &str) -> Result<Option<DeadLetter>, JournalError> {
        let letter = self.shared.dead_letters.remove(offset, consumer)?;
        self.shared.something();
        Ok(letter)
    }

    /// Removes all dead letters for which `goes` says so, and returns them.
    ///
    /// # Errors
    /// Disk errors; those before it are removed.
    pub fn purge(&self, goes: impl Fn(&DeadLetter) -> bool) -> Result<Vec<DeadLetter>, JournalError> {
        let gone = self.shared.dead_letters.purge(goes);
        self.shared.something();
        gone
    }
}
