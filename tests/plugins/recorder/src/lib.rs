#![forbid(unsafe_code)]
//! Consumers that tell a test what they get: `recorder` every message, `counter` how many, `meter0` to
//! `meter9` how fast. `answering` and `transacting` fail as each message asks them to, and tell of every message that
//! they take, as `recorder` does.
//!
//! All write lines of JSON to `path`: a Unix stream socket that the test listens on, so that it waits for a
//! line instead of looking again and again, or else a file that is appended to, which outlives the hub. After a
//! `kill -9`, a line of that file may have been cut off and is then no JSON.

mod answering;
mod counter;
mod meter;
mod record;
mod recorder;
mod sink;

use answering::{Answering, Transacting};
use counter::Counter;
use meter::Meter;
use recorder::Recorder;

plugin_api::export_plugin!(
    Recorder,
    Counter,
    Answering,
    Transacting,
    Meter<0>,
    Meter<1>,
    Meter<2>,
    Meter<3>,
    Meter<4>,
    Meter<5>,
    Meter<6>,
    Meter<7>,
    Meter<8>,
    Meter<9>,
);
