//! What intake notes with each message in the journal: `journal::Record::flags` and `note`. The bits are part of what is
//! on disk: they are never used again for something else.

use journal::Entry;
use plugin_api::Verdict;

/// It came by an endpoint that is bound for certain consumers, and is for them alone.
pub const INBOUND: u32 = 1;

/// Where in the flags the verdict on its signature stands. The note is the signer's name if it is valid.
const VERDICT: u32 = 0b110;
const UNSIGNED: u32 = 0b010;
const INVALID: u32 = 0b100;
const VALID: u32 = 0b110;

/// How a verdict is noted.
#[must_use]
pub fn of(verdict: Option<&crypto::Verdict>) -> (u32, &[u8]) {
    match verdict {
        None => (0, b""),
        Some(crypto::Verdict::Unsigned) => (UNSIGNED, b""),
        Some(crypto::Verdict::Invalid { .. }) => (INVALID, b""),
        Some(crypto::Verdict::Valid { cn }) => (VALID, cn.as_bytes()),
    }
}

/// What was found out about a message's signature, and whose it is.
#[must_use]
pub fn verdict<'a>(entry: &Entry<'a>) -> (Verdict, &'a str) {
    match entry.flags() & VERDICT {
        UNSIGNED => (Verdict::Unsigned, ""),
        INVALID => (Verdict::Invalid, ""),
        VALID => (Verdict::Valid, str::from_utf8(entry.note()).unwrap_or_default()),
        _ => (Verdict::NotChecked, ""),
    }
}
