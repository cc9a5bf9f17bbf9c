//! The answers that take as long as the hub does: until it is done, the client goes, or the hub stops.

use std::io::Read;
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Instant, SystemTime};

use crossbeam_channel::{RecvTimeoutError, bounded, select};
use journal::{DeadLetter, Journal, Next, Offset};
use message::Pattern;

use crate::answer::{BEAT, Each, PACE, tell, tell_piece};
use crate::reply::{Gap, Replay, raw};
use crate::view::{BATCH, Piece};
use crate::{ControlError, Hub, Refusal, ReplayProgress, Reply};

/// Does `work`, and calls `gone` when the client has said that it goes, by closing its side, or was told to go. A
/// client says nothing more behind its request.
fn while_connected<T>(
    mut stream: &UnixStream,
    gone: impl FnOnce() + Send,
    work: impl FnOnce() -> Result<T, ControlError>,
) -> Result<T, ControlError> {
    thread::scope(|scope| {
        let watch = move || {
            drop(stream.read(&mut [0]));
            gone();
        };
        let thread = thread::Builder::new().name("control-watch".to_owned()).spawn_scoped(scope, watch);
        thread.map_err(ControlError::io("start", "a thread"))?;
        let result = work();
        // Ends the watch.
        drop(stream.shutdown(Shutdown::Read));
        result
    })
}

/// Tells what comes in from `next` on.
pub(super) fn follow(
    stream: &UnixStream,
    journal: &Journal,
    next: u64,
    topics: &[Pattern],
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    let mut reader = journal.reader(Offset(next));
    let waker = reader.waker();
    let work = || loop {
        let piece = match reader.next_batch(BATCH, Some(Instant::now() + BEAT))? {
            Next::Batch(batch) => Piece::Batch(batch),
            Next::Gap(gap) => Piece::Gap(raw(&gap.offsets), gap.cause),
            Next::Closed => return Ok(()),
            Next::TimedOut => {
                tell(each, Reply::Alive {})?;
                continue;
            }
            Next::Woken => return Err(ControlError::Gone),
        };
        tell_piece(&piece, &(next..u64::MAX), topics, each)?;
    };
    while_connected(stream, || waker.wake(), work)
}

/// Waits for a reload, which may take its consumers' drain deadline twice and their start deadline. It is not ended when the
/// client goes.
pub(super) fn reload(hub: &dyn Hub, each: &mut Each<'_>) -> Result<(), ControlError> {
    let told = hub.reload();
    loop {
        match told.recv_timeout(BEAT) {
            Ok(reloaded) => return tell(each, Reply::Reloaded(reloaded?)),
            Err(RecvTimeoutError::Timeout) => tell(each, Reply::Alive {})?,
            Err(RecvTimeoutError::Disconnected) => return Err(Refusal::Stopping.into()),
        }
    }
}

/// Has history delivered again, and tells how far that is. `absent` is what was asked for and is not there.
pub(super) fn replay(
    stream: &UnixStream,
    journal: &Journal,
    hub: &dyn Hub,
    consumer: &str,
    offsets: Range<u64>,
    absent: Option<Gap>,
    each: &mut Each<'_>,
) -> Result<(), ControlError> {
    let began = SystemTime::now();
    let progress = hub.replay(consumer, Offset(offsets.start)..Offset(offsets.end))?;
    let reply = |(position, delivered, missing): (Offset, u64, u64)| {
        let failed = |letter: &DeadLetter| {
            letter.consumer == consumer
                && offsets.contains(&letter.offset.0)
                && letter.last >= began
                && !letter.requeued
        };
        let dead_lettered = journal.dead_letters().iter().filter(|letter| failed(letter)).count() as u64;
        let Range { start: from, end: to } = offsets;
        Reply::Replay(Replay { from, position: position.0, to, delivered, dead_lettered, missing })
    };
    let (here, gone) = bounded::<()>(0);
    // It takes `progress` along, so that the replay ends when this does.
    let work = move || {
        let mut last = (Offset(offsets.start), 0, 0);
        if let Some(gap) = absent {
            last.2 += gap.to - gap.from;
            tell(each, Reply::Gap(gap))?;
        }
        tell(each, reply(last))?;
        let mut told = Instant::now();
        loop {
            select! {
                recv(progress) -> progress => match progress {
                    Ok(ReplayProgress { position, delivered, gap }) => {
                        (last.0, last.1) = (position, delivered);
                        if let Some(gap) = gap {
                            let gap = Gap::new(raw(&gap.offsets), gap.cause);
                            last.2 += gap.to - gap.from;
                            tell(each, Reply::Gap(gap))?;
                        }
                    }
                    Err(_) => return tell(each, reply(last)),
                },
                recv(gone) -> _ => return Err(ControlError::Gone),
                default(BEAT) => {}
            }
            if told.elapsed() >= PACE {
                tell(each, reply(last))?;
                told = Instant::now();
            }
        }
    };
    while_connected(stream, move || drop(here), work)
}
