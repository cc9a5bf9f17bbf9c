//! Reads a file of frames from front to back, whatever its bytes are.
//!
//! Each step moves forward or ends, so that no damage makes it loop; after a damaged header it looks for the next
//! good one. By the same means it finds its place in a long file by halving.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::JournalError;
use crate::frame::{FILE_HEADER, FRAME_HEADER, FileHeader, Header, Key, Kind, MARKER, read_file_header};

/// As much is read at once where reading begins, and twice as much each time it goes on, up to the second; more if a
/// frame is longer.
const FIRST_WINDOW: usize = 16 * 1024;
const WINDOW: usize = 256 * 1024;

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Frame(Frame),
    /// These bytes are of no use; good frames may follow. `seq` if the frame's header is good.
    Damage {
        bytes: Range<u64>,
        seq: Option<u64>,
    },
    /// As [`Self::Damage`], with nothing good behind it: a write that did not come to its end.
    Tail {
        bytes: Range<u64>,
    },
    End,
}

/// A good frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    /// To be had by [`Scan::payload`] until the next step.
    pub(crate) payload: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Scan {
    file: File,
    path: PathBuf,
    key: Key,
    end: u64,
    at: u64,
    /// No frame with a lower number is believed.
    expected: u64,
    window: Vec<u8>,
    window_at: u64,
    /// As much was read at once.
    ahead: usize,
}

/// The header of a file, `Damaged` also if the file is too short for one.
pub(crate) fn header_of(path: &Path, kind: Kind) -> Result<FileHeader, JournalError> {
    let io = |source| JournalError::io("read", path, source);
    let file = File::open(path).map_err(io)?;
    let mut bytes = [0; FILE_HEADER];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(read_file_header(&bytes, kind)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(FileHeader::Damaged),
        Err(error) => Err(io(error)),
    }
}

impl Scan {
    pub(crate) fn open(path: &Path, key: Key, expected: u64) -> Result<Self, JournalError> {
        let io = |source| JournalError::io("read", path, source);
        let file = File::open(path).map_err(io)?;
        let end = file.metadata().map_err(io)?.len();
        let at = FILE_HEADER as u64;
        Ok(Self {
            file,
            path: path.to_owned(),
            key,
            end,
            at,
            expected,
            window: Vec::new(),
            window_at: 0,
            ahead: 0,
        })
    }

    /// The same, if it is there: retention may have removed it.
    pub(crate) fn open_if_there(path: &Path, key: Key, expected: u64) -> Result<Option<Self>, JournalError> {
        match Self::open(path, key, expected) {
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next step begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The least number that the next frame may have.
    pub(crate) fn expected(&self) -> u64 {
        self.expected
    }

    /// Goes back to the frame that was just found.
    pub(crate) fn back_to(&mut self, at: u64, seq: u64) {
        (self.at, self.expected) = (at, seq);
    }

    /// Goes ahead, by halves, to a frame that `is_before` what is looked for, close to the last such one. Those that are
    /// before it come first.
    pub(crate) fn seek(&mut self, is_before: impl Fn(u64, &[u8]) -> bool) -> Result<(), JournalError> {
        let (mut low, mut seq, mut high) = (self.at, self.expected, self.end);
        while high.saturating_sub(low) > FIRST_WINDOW as u64 {
            let middle = low + (high - low) / 2;
            self.back_to(middle, seq);
            match self.next_good(high)? {
                Some(found) if is_before(found.seq, self.payload(found.payload.clone())) => {
                    (low, seq) = (found.at, found.seq);
                }
                _ => high = middle,
            }
        }
        self.back_to(low, seq);
        Ok(())
    }

    /// The next good frame, if there is one before `until`.
    pub(crate) fn next_good(&mut self, until: u64) -> Result<Option<Frame>, JournalError> {
        while self.at < until {
            match self.step()? {
                Found::Frame(frame) => return Ok(Some(frame)),
                Found::Damage { .. } => {}
                Found::Tail { .. } | Found::End => break,
            }
        }
        Ok(None)
    }

    /// Sees what was written since it was opened.
    pub(crate) fn refresh(&mut self) -> Result<(), JournalError> {
        let metadata = self.file.metadata().map_err(|source| JournalError::io("read", &self.path, source))?;
        if metadata.len() != self.end {
            self.end = metadata.len();
            self.window.clear();
        }
        Ok(())
    }

    /// Keeps the place, and none of the memory.
    pub(crate) fn rest(&mut self) {
        self.window = Vec::new();
    }

    pub(crate) fn payload(&self, range: Range<usize>) -> &[u8] {
        &self.window[range]
    }

    pub(crate) fn step(&mut self) -> Result<Found, JournalError> {
        let start = self.at;
        if start >= self.end {
            return Ok(Found::End);
        }
        let header = self.header_at(start)?;
        let Some(header) = header.filter(|header| start + header.frame_len() <= self.end) else {
            return self.resynchronise(start);
        };
        let len = header.len as usize;
        let Some(frame) = self.load(start, FRAME_HEADER + len)? else { return self.resynchronise(start) };
        let payload = frame.start + FRAME_HEADER..frame.end;
        self.at = start + header.frame_len();
        if header.seq < self.expected {
            return Ok(Found::Damage { bytes: start..self.at, seq: None });
        }
        self.expected = header.seq.saturating_add(1);
        if header.fits(&self.window[payload.clone()], self.key) {
            Ok(Found::Frame(Frame { seq: header.seq, at: start, payload }))
        } else {
            Ok(Found::Damage { bytes: start..self.at, seq: Some(header.seq) })
        }
    }

    /// Looks behind `start` for the next header of a whole frame.
    fn resynchronise(&mut self, start: u64) -> Result<Found, JournalError> {
        let mut from = start + 1;
        while from + FRAME_HEADER as u64 <= self.end {
            let len = usize::try_from(self.end - from).unwrap_or(usize::MAX).min(FIRST_WINDOW);
            let Some(range) = self.load(from, len)? else { break };
            let place = self.window[range].windows(MARKER.len()).position(|bytes| bytes == MARKER);
            let Some(place) = place else {
                from += (len - MARKER.len() + 1) as u64;
                continue;
            };
            from += place as u64;
            if let Some(header) = self.header_at(from)?
                && header.seq >= self.expected
                && from + header.frame_len() <= self.end
            {
                self.at = from;
                return Ok(Found::Damage { bytes: start..from, seq: None });
            }
            from += 1;
        }
        self.at = self.end;
        Ok(Found::Tail { bytes: start..self.end })
    }

    fn header_at(&mut self, at: u64) -> Result<Option<Header>, JournalError> {
        let range = self.load(at, FRAME_HEADER)?;
        Ok(range.and_then(|range| Header::read(&self.window[range], self.key)))
    }

    /// Has these bytes in the window. `None` if the file ends before.
    fn load(&mut self, at: u64, len: usize) -> Result<Option<Range<usize>>, JournalError> {
        if at + len as u64 > self.end {
            return Ok(None);
        }
        let held = self.window_at..self.window_at + self.window.len() as u64;
        if at < held.start || at + len as u64 > held.end {
            let goes_on = (held.start..=held.end).contains(&at);
            self.ahead = if goes_on { WINDOW.min(self.ahead * 2) } else { 0 }.max(FIRST_WINDOW);
            let rest = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            self.window.resize(len.max(self.ahead.min(rest)), 0);
            self.window_at = at;
            if let Err(source) = self.file.read_exact_at(&mut self.window, at) {
                self.window.clear();
                if source.kind() == io::ErrorKind::UnexpectedEof {
                    return Ok(None);
                }
                return Err(JournalError::io("read", &self.path, source));
            }
        }
        let start = (at - self.window_at) as usize;
        Ok(Some(start..start + len))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;
    use crate::frame;

    const KEY: Key = Key(7);

    /// Frames of many sizes, some of them missing and some of them damaged.
    fn write(path: &Path, rng: &mut Rng) {
        let mut file = BytesMut::new();
        file.extend_from_slice(&[0; FILE_HEADER]);
        for seq in 100..3000 {
            let len = if rng.u8(..) == 0 { rng.usize(..200_000) } else { rng.usize(..1000) };
            if rng.u8(..20) != 0 {
                frame::put(&mut file, seq, &vec![rng.u8(..); len], KEY);
            }
        }
        for _ in 0..30 {
            let at = rng.usize(FILE_HEADER..file.len());
            let end = file.len().min(at + rng.usize(..50_000));
            file[at..end].fill(rng.u8(..));
        }
        std::fs::write(path, file).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn halving_finds_what_reading_from_the_front_finds(seed: u64) {
            let mut rng = Rng::with_seed(seed);
            let file = tempfile::NamedTempFile::new().unwrap();
            write(file.path(), &mut rng);
            let open = || Scan::open(file.path(), KEY, 100).unwrap();
            let mut front = open();
            let all: Vec<_> =
                std::iter::from_fn(|| front.next_good(u64::MAX).unwrap()).map(|frame| frame.seq).collect();
            for _ in 0..50 {
                let wanted = rng.u64(90..3010);
                let mut scan = open();
                scan.seek(|seq, _| seq <= wanted).unwrap();
                let near = scan.at();
                let found = std::iter::from_fn(|| scan.next_good(u64::MAX).unwrap());
                let found = found.map(|frame| (frame.seq, frame.at)).find(|(seq, _)| *seq >= wanted);
                assert_eq!(found.map(|(seq, _)| seq), all.iter().copied().find(|seq| *seq >= wanted));
                // It may have to pass long ones, and damage.
                let far = found.map_or(0, |(_, at)| at.saturating_sub(near));
                assert!(far < 1_000_000, "{far}");
            }
        }
    }
}
