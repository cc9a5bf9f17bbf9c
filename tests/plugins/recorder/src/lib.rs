#![forbid(unsafe_code)]
//! Consumers that tell a test what they get: `recorder` every message, `counter` how many.
//!
//! Both write lines of JSON to `path`: a Unix stream socket that the test listens on, so that it waits for a
//! line instead of looking again and again, or else a file that is appended to.

mod counter;
mod recorder;
mod sink;

use counter::Counter;
use recorder::Recorder;

plugin_api::export_plugin!(Recorder, Counter);
