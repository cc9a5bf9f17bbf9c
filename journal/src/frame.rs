//! The one framing of all files: a file header, then frames that each carry their number and checksums.
//!
//! A frame's header has a checksum of its own, so that a damaged payload is stepped over exactly. All checksums
//! start from a key that is drawn when the journal is made: a sender who puts a well-formed frame into a message
//! cannot have it taken for a record when what is around it gets damaged.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::{BufMut, BytesMut};

/// Of the format as a whole. A reader refuses a higher one.
pub(crate) const VERSION: u8 = 1;
/// Bytes before the first frame.
pub(crate) const FILE_HEADER: usize = 32;
/// Bytes before a frame's payload.
pub(crate) const FRAME_HEADER: usize = 24;
/// With what each frame begins.
pub(crate) const MARKER: [u8; 4] = [0xF5, b'm', b'J', 0xE1];
/// With what each file begins.
const MAGIC: [u8; 8] = *b"fmhjrnl\n";

/// Where the checksums start. Each journal has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u32);

impl Key {
    /// A new one that nobody can guess.
    pub(crate) fn draw() -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self((random ^ (random >> 32)) as u32)
    }

    fn sum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Messages = 1,
    Outcomes = 2,
    Cursors = 3,
    DeadLetters = 4,
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileHeader {
    Good(Key),
    /// Readable, but of a version to come.
    Newer(u8),
    Damaged,
}

/// The first bytes of a file.
pub(crate) fn file_header(kind: Kind, key: Key) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8] = kind as u8;
    header[9] = VERSION;
    header[16..20].copy_from_slice(&key.0.to_le_bytes());
    let sum = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// Reads what [`file_header`] wrote.
pub(crate) fn read_file_header(bytes: &[u8], kind: Kind) -> FileHeader {
    let Some(bytes) = bytes.get(..FILE_HEADER) else { return FileHeader::Damaged };
    if bytes[..8] != MAGIC || crc32c::crc32c(&bytes[..28]) != word(bytes, 28) || bytes[8] != kind as u8 {
        FileHeader::Damaged
    } else if bytes[9] > VERSION {
        FileHeader::Newer(bytes[9])
    } else {
        FileHeader::Good(Key(word(bytes, 16)))
    }
}

/// A frame's header, its own checksum found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) seq: u64,
    pub(crate) len: u32,
    sum: u32,
}

impl Header {
    /// `None` if these bytes are no frame's header.
    pub(crate) fn read(bytes: &[u8], key: Key) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER)?;
        if bytes[..4] != MARKER || key.sum(&bytes[..20]) != word(bytes, 20) {
            return None;
        }
        let seq = u64::from(word(bytes, 8)) | (u64::from(word(bytes, 12)) << 32);
        Some(Self { seq, len: word(bytes, 4), sum: word(bytes, 16) })
    }

    /// Header and payload together.
    pub(crate) fn frame_len(self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.len)
    }

    pub(crate) fn fits(self, payload: &[u8], key: Key) -> bool {
        key.sum(payload) == self.sum
    }
}

/// Makes room for a frame's header; the payload follows, then [`end`].
pub(crate) fn begin(buffer: &mut BytesMut) -> usize {
    let at = buffer.len();
    buffer.put_bytes(0, FRAME_HEADER);
    at
}

/// Fills in the header of the frame that was begun at `at`. Its payload is shorter than 4 GiB: the callers check. Without
/// a key it gets no checksums: nobody will read it from a file.
pub(crate) fn end(buffer: &mut BytesMut, at: usize, seq: u64, key: Option<Key>) {
    let (header, payload) = buffer[at..].split_at_mut(FRAME_HEADER);
    header[..4].copy_from_slice(&MARKER);
    header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[8..16].copy_from_slice(&seq.to_le_bytes());
    let Some(key) = key else { return };
    header[16..20].copy_from_slice(&key.sum(payload).to_le_bytes());
    let sum = key.sum(&header[..20]);
    header[20..].copy_from_slice(&sum.to_le_bytes());
}

/// Adds a whole frame.
pub(crate) fn put(buffer: &mut BytesMut, seq: u64, payload: &[u8], key: Key) {
    let at = begin(buffer);
    buffer.put_slice(payload);
    end(buffer, at, seq, Some(key));
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8], key: Key) -> BytesMut {
        let mut buffer = BytesMut::new();
        put(&mut buffer, 7, payload, key);
        buffer
    }

    #[test]
    fn a_frame_is_read_back() {
        let key = Key(5);
        let frame = frame(b"payload", key);
        let header = Header::read(&frame, key).unwrap();
        assert_eq!((header.seq, header.len), (7, 7));
        assert!(header.fits(&frame[FRAME_HEADER..], key));
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed() {
        let key = Key(5);
        let good = frame(b"payload", key);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let header = Header::read(&bad, key);
            assert!(header.is_none_or(|header| !header.fits(&bad[FRAME_HEADER..], key)), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_made_with_another_key_is_none() {
        assert_eq!(Header::read(&frame(b"payload", Key(5)), Key(6)), None);
    }

    #[test]
    fn a_file_header_tells_kind_key_and_version() {
        let mut header = file_header(Kind::Cursors, Key(9));
        assert_eq!(read_file_header(&header, Kind::Cursors), FileHeader::Good(Key(9)));
        assert_eq!(read_file_header(&header, Kind::Messages), FileHeader::Damaged);
        header[9] = VERSION + 1;
        assert_eq!(read_file_header(&header, Kind::Cursors), FileHeader::Damaged);
        let sum = crc32c::crc32c(&header[..28]);
        header[28..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(read_file_header(&header, Kind::Cursors), FileHeader::Newer(VERSION + 1));
    }
}
