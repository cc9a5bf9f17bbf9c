//! A folder of segments: files of frames, each named after the number of its first.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::frame::{FILE_HEADER, FileHeader, Key, Kind, file_header};
use crate::logfile::{LogFile, sync_folder};
use crate::recovery::{Damage, Recovery, survey};
use crate::scan::{Scan, header_of};
use crate::sync::{Mutex, lock};
use crate::unsynced::Unsynced;
use crate::{JournalError, Offset};

/// The segments of a folder, by the number of their first frame.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    kind: Kind,
    pub(crate) key: Key,
    files: Mutex<BTreeMap<u64, Arc<Path>>>,
}

/// What a segment is to retention.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) path: Arc<Path>,
}

impl Segments {
    /// What there is, unread.
    pub(crate) fn list(folder: &Path, kind: Kind, key: Key) -> Result<Self, JournalError> {
        let files = Mutex::new(files_of(folder)?);
        Ok(Self { folder: folder.to_owned(), kind, key, files })
    }

    fn path_of(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:020}.seg"))
    }

    /// A new segment.
    fn begin(&self, first: u64) -> Result<LogFile, JournalError> {
        let path = self.path_of(first);
        let log = LogFile::create(&path, self.kind, self.key)?;
        lock(&self.files).insert(first, Arc::from(path));
        Ok(log)
    }

    /// The segment in which `seq` is, if it is there, and where the next one begins.
    pub(crate) fn around(&self, seq: u64) -> (Option<(u64, Arc<Path>)>, Option<u64>) {
        let files = lock(&self.files);
        let holder = files.range(..=seq).next_back().map(|(first, path)| (*first, Arc::clone(path)));
        let next = seq.checked_add(1).and_then(|after| files.range(after..).next()).map(|(first, _)| *first);
        (holder, next)
    }

    pub(crate) fn first(&self) -> Option<u64> {
        lock(&self.files).keys().next().copied()
    }

    pub(crate) fn all(&self) -> Vec<(u64, Arc<Path>)> {
        lock(&self.files).iter().map(|(first, path)| (*first, Arc::clone(path))).collect()
    }

    /// All but the newest, oldest first.
    pub(crate) fn sealed(&self) -> Vec<Sealed> {
        self.with_ends(None)
    }

    /// All, oldest first, where the newest is known to end before this.
    pub(crate) fn sealed_before(&self, end: u64) -> Vec<Sealed> {
        self.with_ends(Some(end))
    }

    fn with_ends(&self, last: Option<u64>) -> Vec<Sealed> {
        let all = self.all();
        let ends: Vec<u64> = all.iter().skip(1).map(|(first, _)| *first).chain(last).collect();
        all.into_iter().zip(ends).map(|((first, path), end)| Sealed { first, end, path }).collect()
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.all().iter().filter_map(|(_, path)| fs::metadata(path).ok()).map(|metadata| metadata.len()).sum()
    }

    pub(crate) fn remove(&self, first: u64) -> Result<(), JournalError> {
        let Some(path) = lock(&self.files).get(&first).cloned() else { return Ok(()) };
        fs::remove_file(&path).map_err(|source| JournalError::io("remove", &path, source))?;
        lock(&self.files).remove(&first);
        Ok(())
    }

    /// Moves one to another folder, which takes no room. Who looks here first and there next finds it at any moment.
    pub(crate) fn hand_over(&self, first: u64, to: &Self) -> Result<(), JournalError> {
        let Some(path) = lock(&self.files).get(&first).cloned() else { return Ok(()) };
        let new = to.path_of(first);
        lock(&to.files).insert(first, Arc::from(new.as_path()));
        if let Err(source) = fs::rename(&path, &new) {
            lock(&to.files).remove(&first);
            return Err(JournalError::io("move", &path, source));
        }
        lock(&self.files).remove(&first);
        Ok(())
    }
}

fn files_of(folder: &Path) -> Result<BTreeMap<u64, Arc<Path>>, JournalError> {
    let io = |source| JournalError::io("list", folder, source);
    let mut files = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        entries => entries.map_err(io)?,
    };
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let number =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".seg"));
        if let Some(first) = number.filter(|n| n.len() == 20).and_then(|number| number.parse().ok()) {
            files.insert(first, Arc::from(path));
        }
    }
    Ok(files)
}

/// The key of a journal, from the first of these files that still tells it.
pub(crate) fn find_key(
    files: &[(PathBuf, Kind)],
    folders: &[(PathBuf, Kind)],
) -> Result<Option<Key>, JournalError> {
    let mut all = files.to_vec();
    for (folder, kind) in folders {
        all.extend(files_of(folder)?.into_values().map(|path| (path.to_path_buf(), *kind)));
    }
    let mut key = None;
    for (path, kind) in all.into_iter().filter(|(path, _)| path.exists()) {
        match header_of(&path, kind)? {
            FileHeader::Good(found) => key = key.or(Some(found)),
            FileHeader::Newer(found) => return Err(JournalError::Version { path, found }),
            FileHeader::Damaged => {}
        }
    }
    Ok(key)
}

/// Appends to the newest segment of a folder, and begins new ones.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    pub(crate) segments: Arc<Segments>,
    log: LogFile,
    segment_bytes: u64,
}

impl SegmentWriter {
    /// Goes on where the last one ended. The next number, which is returned, is at least `least`.
    pub(crate) fn open(
        segments: &Arc<Segments>,
        segment_bytes: u64,
        least: u64,
        recovery: &mut Recovery,
        each: impl FnMut(&[u8]),
    ) -> Result<(Self, u64), JournalError> {
        let Segments { kind, key, .. } = **segments;
        let mut next = least;
        let log = match segments.all().pop() {
            Some((first, path)) => {
                let mut survey = survey(&path, kind, key, first, each)?;
                recovery.take(&mut survey);
                if survey.next < least && kind == Kind::Messages {
                    // A consumer has passed what is no longer there.
                    let offsets = Offset(survey.next)..Offset(least);
                    let bytes = survey.end..survey.end;
                    recovery.damage.push(Damage {
                        part: kind.into(),
                        file: path.to_path_buf(),
                        bytes,
                        offsets,
                    });
                }
                let log = LogFile::resume(&path, kind, key, &survey)?;
                // The process that wrote it may not have come to that.
                log.sync()?;
                sync_folder(&segments.folder)?;
                if survey.next < next {
                    // A segment's name keeps what else would only be known from files that change.
                    segments.begin(next)?
                } else {
                    next = survey.next;
                    log
                }
            }
            None => segments.begin(least)?,
        };
        Ok((Self { segments: Arc::clone(segments), log, segment_bytes }, next))
    }

    /// Writes frames of which the first has the number `first`, and returns what the disk has to confirm.
    pub(crate) fn write(&mut self, frames: Bytes, first: u64) -> Result<Unsynced, JournalError> {
        let full = self.log.end() + frames.len() as u64 > self.segment_bytes;
        if full && self.log.end() > FILE_HEADER as u64 {
            self.log = self.segments.begin(first)?;
        }
        let start = self.log.end();
        self.log.write(&frames)?;
        if start > FILE_HEADER as u64 {
            return Ok(Unsynced::new(self.log.run(start, vec![frames]), None));
        }
        let Segments { folder, kind, key, .. } = &*self.segments;
        let header = Bytes::copy_from_slice(&file_header(*kind, *key));
        Ok(Unsynced::new(self.log.run(0, vec![header, frames]), Some(folder.clone())))
    }
}

impl Segments {
    /// The payloads of all good frames, of the segments that there are now.
    pub(crate) fn payloads(&self) -> Payloads {
        Payloads { files: self.all().into_iter(), key: self.key, scan: None }
    }
}

/// File after file; damage is passed over.
#[derive(Debug)]
pub(crate) struct Payloads {
    files: std::vec::IntoIter<(u64, Arc<Path>)>,
    key: Key,
    scan: Option<Scan>,
}

impl Payloads {
    fn advance(&mut self) -> Result<Option<Vec<u8>>, JournalError> {
        loop {
            if let Some(scan) = &mut self.scan
                && let Some(frame) = scan.next_good(u64::MAX)?
            {
                return Ok(Some(scan.payload(frame.payload).to_vec()));
            }
            let Some((first, path)) = self.files.next() else { return Ok(None) };
            self.scan = Scan::open_if_there(&path, self.key, first)?;
        }
    }
}

impl Iterator for Payloads {
    type Item = Result<Vec<u8>, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            // It would be met again at the same place.
            self.scan = None;
        }
        next.transpose()
    }
}
