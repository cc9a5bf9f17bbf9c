//! How many bytes of messages are kept for all subscribers together. What several of them wait for is there once, and
//! counts once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

/// Knows how much is kept, and how much may be.
#[derive(Debug)]
pub(crate) struct Memory {
    used: Arc<AtomicUsize>,
    most: usize,
}

impl Memory {
    /// Memory for so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { used: Arc::default(), most }
    }

    /// The same frames, which count until the last who has them lets them go.
    pub(crate) fn keep(&self, frames: Bytes) -> Bytes {
        self.used.fetch_add(frames.len(), Relaxed);
        Bytes::from_owner(Kept { frames, used: Arc::clone(&self.used) })
    }

    /// Whether nothing more should be kept for those who are behind.
    pub(crate) fn is_full(&self) -> bool {
        self.used.load(Relaxed) >= self.most
    }
}

struct Kept {
    frames: Bytes,
    used: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.frames
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.used.fetch_sub(self.frames.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_have_counts_once_and_until_all_have_let_it_go() {
        let memory = Memory::new(10);
        let first = memory.keep(Bytes::from_static(b"123456"));
        let copies = [first.clone(), first.slice(1..2)];
        assert_eq!(&copies[1][..], b"2");
        assert!(!memory.is_full());
        let second = memory.keep(Bytes::from_static(b"1234"));
        assert!(memory.is_full());
        drop(first);
        assert!(memory.is_full());
        drop(copies);
        assert!(!memory.is_full());
        drop(second);
        assert_eq!(memory.used.load(Relaxed), 0);
    }
}
