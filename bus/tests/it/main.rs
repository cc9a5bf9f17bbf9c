//! The bus on real sockets. Ports are any free ones, every wait has a deadline, nothing sleeps.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod binding;
mod harness;
mod leading;
mod liveness;
mod publishing;
mod receiving;
