//! The lines that something writes, as events to wait for.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Lines that come in while a test runs; shared, and kept from the first one on.
#[derive(Clone, Default)]
pub struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    closed: bool,
}

impl Lines {
    /// Reads on a thread of its own until the end, and copies all to `copy`, for a look after a failure.
    pub fn read(source: impl Read + Send + 'static, copy: &Path) -> Self {
        let lines = Self::default();
        let (sink, copy) = (lines.clone(), File::create(copy).expect("a file"));
        std::thread::spawn(move || {
            sink.follow(source, copy);
            sink.0.state.lock().expect("no panic under the lock").closed = true;
            sink.0.changed.notify_all();
        });
        lines
    }

    /// Takes lines from `source` until its end.
    pub(crate) fn follow(&self, source: impl Read, mut copy: File) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while source.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            copy.write_all(&line).expect("room for a log");
            self.push(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned());
            line.clear();
        }
    }

    fn push(&self, line: String) {
        self.0.state.lock().expect("no panic under the lock").lines.push(line);
        self.0.changed.notify_all();
    }

    /// All so far.
    pub fn all(&self) -> Vec<String> {
        self.0.state.lock().expect("no panic under the lock").lines.clone()
    }

    /// Waits for the line `last`, and takes away all up to it.
    pub(crate) fn take_to(&self, last: &str) -> Vec<String> {
        let mut looked_at = 0;
        let place = self.wait_until(last, |lines| {
            let found =
                lines[looked_at..].iter().position(|line| line == last).map(|place| looked_at + place);
            looked_at = lines.len();
            found
        });
        self.0.state.lock().expect("no panic under the lock").lines.drain(..=place).collect()
    }

    /// The first line, early or late, that contains `text`.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("a line with {text:?}"), |lines| {
            lines.iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// The first `n` lines.
    pub fn wait_for_count(&self, n: usize) -> Vec<String> {
        self.wait_until(&format!("{n} lines"), |lines| (lines.len() >= n).then(|| lines[..n].to_vec()))
    }

    /// Waits until nothing more can come; all lines.
    pub fn wait_for_end(&self) -> Vec<String> {
        let (state, _) = self
            .0
            .changed
            .wait_timeout_while(self.0.state.lock().expect("no panic under the lock"), crate::DEADLINE, |s| {
                !s.closed
            })
            .expect("no panic under the lock");
        assert!(state.closed, "still open; so far: {:#?}", state.lines);
        state.lines.clone()
    }

    /// Waits until `find` finds something; fails at the deadline, or when nothing more can come.
    pub fn wait_until<T>(&self, what: &str, find: impl FnMut(&[String]) -> Option<T>) -> T {
        match self.wait_within(crate::DEADLINE, find) {
            Ok(found) => found,
            Err(why) => panic!("{why}, waiting for {what}; so far: {:#?}", self.all()),
        }
    }

    /// Waits until `find` finds something, or says why it did not.
    pub fn wait_within<T>(
        &self,
        timeout: Duration,
        mut find: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T, &'static str> {
        let deadline = Instant::now() + timeout;
        let mut state = self.0.state.lock().expect("no panic under the lock");
        loop {
            if let Some(found) = find(&state.lines) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("the deadline passed");
            }
            if state.closed {
                return Err("it ended");
            }
            state = self.0.changed.wait_timeout(state, left).expect("no panic under the lock").0;
        }
    }
}
