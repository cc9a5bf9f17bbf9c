//! What intake notes with each message in the journal (`journal::Record::flags`). The bits are part of what is on disk:
//! they are never used again for something else.

/// It came by an endpoint that is bound for certain consumers, and is for them alone.
pub const INBOUND: u32 = 1;
