//! The control socket and the files behind it, with real journals and real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

mod answers;
mod harness;
mod hostile;
mod letters;
mod live;
mod socket;
