//! Where each consumer is: the next offset that it has not dealt with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use crate::JournalError;
use crate::frame::{Key, Kind};
use crate::recovery::Recovery;
use crate::statelog::StateLog;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use crate::sync::{Mutex, RwLock, lock};
use crate::wire::{Put, Take};

const SET: u8 = 0;
const FORGET: u8 = 1;

/// One consumer's place.
#[derive(Debug)]
pub(crate) struct Place {
    next: AtomicU64,
    forgotten: AtomicBool,
}

impl Place {
    pub(crate) fn get(&self) -> u64 {
        self.next.load(SeqCst)
    }

    /// Whether it moved. It never goes back.
    pub(crate) fn advance(&self, next: u64) -> bool {
        self.next.fetch_max(next, SeqCst) < next && !self.forgotten.load(SeqCst)
    }
}

#[derive(Debug)]
pub(crate) struct Cursors {
    places: RwLock<BTreeMap<String, Arc<Place>>>,
    /// None in memory mode.
    log: Option<Mutex<Written>>,
    /// Some cursor may have been lost by damage: who seems new may not be.
    pub(crate) doubtful: bool,
}

#[derive(Debug)]
struct Written {
    log: StateLog,
    /// As the file has them.
    places: BTreeMap<String, u64>,
}

impl Written {
    /// States what is new, and that the places are these then. On disk when this returns.
    fn state(&mut self, new: &[Vec<u8>], places: BTreeMap<String, u64>) -> Result<(), JournalError> {
        if self.log.is_long() {
            self.log.rewrite(&statements(&places))?;
        } else {
            self.log.append(new)?;
        }
        self.log.sync(|| statements(&places))?;
        self.places = places;
        Ok(())
    }
}

/// Where a consumer was at some moment.
#[derive(Debug)]
pub(crate) struct Reached {
    consumer: String,
    place: Arc<Place>,
    next: u64,
}

/// Takes over one statement of the file.
pub(crate) fn replay(payload: &[u8], places: &mut BTreeMap<String, u64>) {
    let mut take = Take(payload);
    if let (Some(tag), Some(next), Some(name)) = (take.u8(), take.u64(), take.text()) {
        match tag {
            SET => drop(places.insert(name, next)),
            FORGET => drop(places.remove(&name)),
            _ => {}
        }
    }
}

fn statement(tag: u8, next: u64, name: &str) -> Vec<u8> {
    Put::tag(tag).u64(next).text(name).0
}

fn statements(places: &BTreeMap<String, u64>) -> Vec<Vec<u8>> {
    places.iter().map(|(name, next)| statement(SET, *next, name)).collect()
}

impl Cursors {
    pub(crate) fn in_memory() -> Self {
        Self { places: RwLock::default(), log: None, doubtful: false }
    }

    pub(crate) fn open(path: &Path, key: Key, recovery: &mut Recovery) -> Result<Self, JournalError> {
        let mut written = BTreeMap::new();
        let mut found = Recovery::default();
        let log =
            StateLog::open(path, Kind::Cursors, key, &mut found, |payload| replay(payload, &mut written))?;
        // A kill tears nothing, and registering waits for the disk: a torn tail is no usual thing here.
        let doubtful = !found.is_clean();
        recovery.torn.append(&mut found.torn);
        recovery.damage.append(&mut found.damage);
        let place =
            |next: &u64| Arc::new(Place { next: AtomicU64::new(*next), forgotten: AtomicBool::new(false) });
        let places = written.iter().map(|(name, next)| (name.clone(), place(next))).collect();
        let log = Some(Mutex::new(Written { log, places: written }));
        Ok(Self { places: RwLock::new(places), log, doubtful })
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<String, Arc<Place>>) -> T) -> T {
        look(&self.places.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Place>> {
        self.read(|places| places.get(name).cloned())
    }

    /// Where each consumer is.
    pub(crate) fn all(&self) -> Vec<(String, u64)> {
        self.read(|places| places.iter().map(|(name, place)| (name.clone(), place.get())).collect())
    }

    /// The same, to be written.
    pub(crate) fn reached(&self) -> Vec<Reached> {
        let reached = |(name, place): (&String, &Arc<Place>)| Reached {
            consumer: name.clone(),
            place: Arc::clone(place),
            next: place.get(),
        };
        self.read(|places| places.iter().map(reached).collect())
    }

    /// The least of them; without consumers nothing is held.
    pub(crate) fn slowest(&self) -> u64 {
        self.read(|places| places.values().map(|place| place.get()).min().unwrap_or(u64::MAX))
    }

    pub(crate) fn greatest(&self) -> u64 {
        self.read(|places| places.values().map(|place| place.get()).max().unwrap_or(0))
    }

    /// A new consumer, on disk when this returns. One that is there already keeps its place.
    pub(crate) fn insert(&self, name: &str, next: u64) -> Result<Arc<Place>, JournalError> {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(name) {
            return Ok(Arc::clone(place));
        }
        if let Some(written) = &self.log {
            let mut written = lock(written);
            let mut places = written.places.clone();
            places.insert(name.to_owned(), next);
            written.state(&[statement(SET, next, name)], places)?;
        }
        let place = Arc::new(Place { next: AtomicU64::new(next), forgotten: AtomicBool::new(false) });
        places.insert(name.to_owned(), Arc::clone(&place));
        Ok(place)
    }

    /// Whether it was there.
    pub(crate) fn forget(&self, name: &str) -> Result<bool, JournalError> {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = places.get(name).cloned() else { return Ok(false) };
        if let Some(written) = &self.log {
            let mut written = lock(written);
            let mut places = written.places.clone();
            places.remove(name);
            written.state(&[statement(FORGET, 0, name)], places)?;
        }
        place.forgotten.store(true, SeqCst);
        places.remove(name);
        Ok(true)
    }

    /// Puts on disk what has changed, none beyond `most`. A consumer that was forgotten meanwhile stays so, and gives its
    /// place to nobody of the same name.
    pub(crate) fn write(&self, reached: Vec<Reached>, most: u64) -> Result<(), JournalError> {
        let Some(written) = &self.log else { return Ok(()) };
        let mut written = lock(written);
        let written = &mut *written;
        let mut changed = BTreeMap::new();
        for Reached { consumer, place, next } in reached {
            let next = next.min(most);
            let moved = written.places.get(&consumer).is_some_and(|was| *was < next);
            if moved && !place.forgotten.load(SeqCst) {
                changed.insert(consumer, next);
            }
        }
        if changed.is_empty() {
            return written.log.sync(|| statements(&written.places));
        }
        let new = statements(&changed);
        let mut places = written.places.clone();
        places.append(&mut changed);
        written.state(&new, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_of_a_forgotten_ones_name_begins_where_it_asks_to() {
        shuttle::check_random(
            || {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("cursors.log");
                let open = || Cursors::open(&path, Key(1), &mut Recovery::default()).unwrap();
                let cursors = open();
                cursors.insert("a", 1).unwrap().advance(38);
                let reached = cursors.reached();
                cursors.forget("a").unwrap();
                cursors.insert("a", 7).unwrap();
                cursors.write(reached, u64::MAX).unwrap();
                assert_eq!(open().all(), [("a".to_owned(), 7)]);
            },
            1,
        );
    }
}
