//! Numbers and texts in the payloads of the small logs.

use std::time::SystemTime;

use crate::offset::{micros, time};

/// Writes a payload.
#[derive(Debug, Default)]
pub(crate) struct Put(pub(crate) Vec<u8>);

impl Put {
    pub(crate) fn tag(tag: u8) -> Self {
        Self(vec![tag])
    }

    pub(crate) fn u32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(crate) fn time(self, at: SystemTime) -> Self {
        self.u64(micros(at))
    }

    /// Cut at 64 KiB: these are names and error texts.
    pub(crate) fn text(self, text: &str) -> Self {
        let cut = (0..=text.len().min(64 * 1024)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let text = &text[..cut];
        let mut put = self.u32(text.len() as u32);
        put.0.extend_from_slice(text.as_bytes());
        put
    }
}

/// Reads a payload, front to back.
#[derive(Debug)]
pub(crate) struct Take<'a>(pub(crate) &'a [u8]);

impl Take<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(crate) fn time(&mut self) -> Option<SystemTime> {
        self.u64().map(time)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let len = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        str::from_utf8(text).ok().map(str::to_owned)
    }
}
