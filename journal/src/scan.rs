//! Reads a file of frames from front to back, whatever its bytes are.
//!
//! Each step moves forward or ends, so that no damage makes it loop; after a damaged header it looks for the next
//! good one.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::JournalError;
use crate::frame::{FILE_HEADER, FRAME_HEADER, FileHeader, Header, Key, Kind, MARKER, read_file_header};

/// As much is read at once, if no frame is longer.
const WINDOW: usize = 256 * 1024;

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A frame; the payload is to be had by [`Scan::payload`] until the next step.
    Frame {
        seq: u64,
        at: u64,
        payload: Range<usize>,
    },
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
        Ok(Self { file, path: path.to_owned(), key, end, at, expected, window: Vec::new(), window_at: 0 })
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
            Ok(Found::Frame { seq: header.seq, at: start, payload })
        } else {
            Ok(Found::Damage { bytes: start..self.at, seq: Some(header.seq) })
        }
    }

    /// Looks behind `start` for the next header of a whole frame.
    fn resynchronise(&mut self, start: u64) -> Result<Found, JournalError> {
        let mut from = start + 1;
        while from + FRAME_HEADER as u64 <= self.end {
            let len = usize::try_from(self.end - from).unwrap_or(WINDOW).min(WINDOW);
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
            let rest = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            self.window.resize(len.max(WINDOW.min(rest)), 0);
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
