//! The daemon: takes messages off the bus and hands them to consumers in plugins.
//!
//! [`plan`] says what would run, from the configuration and the [`catalogue`] of installed plugins; [`daemon`]
//! runs it: [`intake`] receives and appends to the journal that [`storage`] keeps, each [`consumer`] reads it on a thread
//! of its own, [`outbound`] sends what plugins publish. The crate knows no plugin and no ZeroMQ; it meets the first through `plugin_api::loader`
//! and the second through `bus`.
#![forbid(unsafe_code)]

pub mod app;
pub mod catalogue;
pub mod check;
pub mod cli;
pub mod clock;
pub mod command;
mod complaint;
pub mod consumer;
pub mod daemon;
pub mod diff;
pub mod exit;
pub mod http;
pub mod intake;
pub mod logging;
pub mod mark;
pub mod monitoring;
pub mod outbound;
pub mod outcome;
pub mod plan;
pub mod preset;
pub mod report;
pub mod selection;
pub mod status;
pub mod storage;
pub mod throttle;
pub mod trust;
