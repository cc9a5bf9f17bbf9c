//! Numbers about a journal and its consumers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use jiff::SignedDuration;
use journal::{ConsumerCursor, Journal};
use rustix::fs::statvfs;

use crate::reply::{Consumer, JournalStats, Mode, Stats, stamp};
use crate::view::View;
use crate::{ControlError, Hub};

/// Of one consumer's dead letters: those that lie there, and those that are being delivered again.
#[derive(Debug, Clone, Copy, Default)]
struct Letters {
    dead: u64,
    redelivering: u64,
}

pub(crate) fn stats(view: View<'_>, directory: &Path, hub: Option<&dyn Hub>) -> Result<Stats, ControlError> {
    let now = SystemTime::now();
    let mut letters: BTreeMap<String, Letters> = BTreeMap::new();
    let mut total = Letters::default();
    for letter in view.dead_letters() {
        for count in [letters.entry(letter.consumer).or_default(), &mut total] {
            if letter.requeued { count.redelivering += 1 } else { count.dead += 1 }
        }
    }
    let bounds = view.bounds();
    let consumer = |cursor: ConsumerCursor| {
        // Its next message may be one that came just now, or not be there any more.
        let waiting = if cursor.lag == 0 { None } else { view.received(cursor.next.0)? };
        let moved = hub.map_or(SignedDuration::ZERO, |hub| hub.clock_moved_since(cursor.next));
        let lag_seconds = waiting.map_or(SignedDuration::ZERO, |received| {
            stamp(now).duration_since(stamp(received)).saturating_sub(moved)
        });
        let Letters { dead, redelivering } = letters.get(&cursor.consumer).copied().unwrap_or_default();
        Ok::<_, ControlError>(Consumer {
            running: hub.is_some_and(|hub| hub.is_running(&cursor.consumer)),
            name: cursor.consumer,
            next: cursor.next.0,
            lag: cursor.lag,
            lag_seconds: lag_seconds.max(SignedDuration::ZERO).as_secs_f64(),
            dead_letters: dead,
            redelivering,
        })
    };
    let consumers = view.consumers().into_iter().map(consumer).collect::<Result<_, _>>()?;
    let mut stats = JournalStats {
        mode: view.mode(),
        earliest: bounds.start,
        next: bounds.end,
        messages: bounds.end - bounds.start,
        oldest: view.received(bounds.start)?.map(stamp),
        newest: newest(view, bounds.end)?.map(stamp),
        disk_bytes: 0,
        disk_free_bytes: statvfs(directory).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        memory_bytes: None,
        durable: None,
        dropped_oldest: None,
        dropped_newest: None,
        dead_letters: total.dead,
        redelivering: total.redelivering,
        trouble: hub.and_then(Hub::trouble),
    };
    match view {
        View::Archive(archive) => stats.disk_bytes = archive.disk_bytes(),
        View::Journal(journal) => {
            let owned = journal.stats();
            stats.disk_bytes = owned.disk_bytes;
            stats.memory_bytes = Some(owned.memory_bytes);
            stats.trouble = stats.trouble.or(owned.trouble);
            match stats.mode {
                Mode::Durable => stats.durable = Some(owned.durable.0),
                Mode::Memory => {
                    stats.dropped_oldest = Some(owned.dropped_oldest);
                    stats.dropped_newest = Some(owned.dropped_newest);
                }
            }
        }
    }
    Ok(Stats { running: hub.is_some(), journal: stats, consumers })
}

impl Stats {
    /// Those of a running hub, which its [`Hub::status`] is made of.
    ///
    /// # Errors
    /// [`ControlError::Journal`].
    pub fn of(journal: &Journal, directory: &Path, hub: &dyn Hub) -> Result<Self, ControlError> {
        stats(View::Journal(journal), directory, Some(hub))
    }
}

fn newest(view: View<'_>, next: u64) -> Result<Option<SystemTime>, ControlError> {
    let Some(last) = next.checked_sub(1) else { return Ok(None) };
    Ok(view.get(last)?.and_then(|batch| batch.iter().next().map(|entry| entry.received())))
}
