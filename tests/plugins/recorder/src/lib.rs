#![forbid(unsafe_code)]
//! Consumers that tell a test what they get: `recorder` every message, `counter` how many. `answering` and
//! `transacting` fail as each message asks them to, and tell of every message that they take, as `recorder` does.
//!
//! All write lines of JSON to `path`: a Unix stream socket that the test listens on, so that it waits for a
//! line instead of looking again and again, or else a file that is appended to, which outlives the hub. After a
//! `kill -9`, a line of that file may have been cut off and is then no JSON.

mod answering;
mod counter;
mod record;
mod recorder;
mod sink;

use answering::{Answering, Transacting};
use counter::Counter;
use recorder::Recorder;

plugin_api::export_plugin!(Recorder, Counter, Answering, Transacting);
