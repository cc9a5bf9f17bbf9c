//! The other end of the plugin `recorder`: what a consumer got, as events to wait for.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use crate::{Lines, Scratch};

/// Listens on a Unix socket for whatever writes a JSON line for each message it gets: the plugin `recorder`, or the
/// Python consumer of the same name.
pub struct Recorder {
    path: PathBuf,
    lines: Lines,
    pipe: Option<File>,
}

impl Recorder {
    /// Listens at `<name>.sock` in the scratch folder.
    pub fn listen(scratch: &Scratch, name: &str) -> Self {
        let path = scratch.join(&format!("{name}.sock"));
        let listener = UnixListener::bind(&path).expect("a socket");
        let lines = Lines::default();
        let (sink, copy) =
            (lines.clone(), File::create(scratch.join(&format!("{name}.jsonl"))).expect("a file"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, sink) = (stream.expect("a connection"), sink.clone());
                let copy = copy.try_clone().expect("a file");
                std::thread::spawn(move || sink.follow(stream, copy));
            }
        });
        Self { path, lines, pipe: None }
    }

    /// Reads a named pipe, `<name>.pipe` in the scratch folder. A line that a hub wrote is in it whatever becomes of
    /// the hub, and the lines of several writers stand in the order in which they were written.
    pub fn pipe(scratch: &Scratch, name: &str) -> Self {
        let path = scratch.join(&format!("{name}.pipe"));
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a pipe");
        // Held open for writing, too, so that it does not end when the last hub does.
        let pipe = File::options().read(true).write(true).open(&path).expect("a pipe");
        let source = pipe.try_clone().expect("a pipe");
        let lines = Lines::read(source, &scratch.join(&format!("{name}.jsonl")));
        Self { path, lines, pipe: Some(pipe) }
    }

    /// Takes what was written to the pipe until now. A line that was cut off by a kill is none.
    pub fn take(&self) -> Vec<Value> {
        const MARK: &str = "taken";
        let mut pipe = self.pipe.as_ref().expect("made by `pipe`");
        // The first line end is for a line that was cut off.
        pipe.write_all(format!("\n{MARK}\n").as_bytes()).expect("an open pipe");
        let lines = self.lines.take_to(MARK);
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Where it listens: what the plugin's `path` must be.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a UTF-8 path")
    }

    /// The first `n` records.
    pub fn wait_for(&self, n: usize) -> Vec<Value> {
        self.lines
            .wait_for_count(n)
            .iter()
            .map(|line| serde_json::from_str(line).expect("a JSON line"))
            .collect()
    }

    /// The first record that fulfils the condition.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        self.lines.wait_until(what, |lines| {
            lines.iter().map(|line| serde_json::from_str(line).expect("a JSON line")).find(&condition)
        })
    }

    /// The records as lines.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The records so far.
    pub fn all(&self) -> Vec<Value> {
        self.lines.all().iter().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}
