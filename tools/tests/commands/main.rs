//! Runs the real commands against real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod announce;
mod collectd;
mod config;
mod harness;
mod logger;
mod replay;
mod tail;
mod trigger;
