//! Standard output: text for people, coloured on a terminal, or lines of JSON; and notes on standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};

use control::{Cause, Gap, Reply};
use serde::Serialize;

use super::{Failure, Form};
use crate::complaint::complain;

/// Standard output.
pub(super) struct Output {
    out: BufWriter<Box<dyn Write>>,
    /// JSON is wanted.
    pub(super) json: bool,
    /// The columns of the terminal; `None` where it is none.
    pub(super) width: Option<u16>,
}

impl Output {
    pub(super) fn new(form: Form) -> Self {
        let stdout = io::stdout();
        let width = if stdout.is_terminal() {
            rustix::termios::tcgetwinsize(&stdout).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
        } else {
            None
        };
        // JSON is passed on as it is; of text, terminals get the colours.
        let out: Box<dyn Write> =
            if form.json { Box::new(stdout.lock()) } else { Box::new(anstream::stdout().lock()) };
        Self { out: BufWriter::with_capacity(1 << 16, out), json: form.json, width }
    }

    /// Writes one line of text.
    pub(super) fn line(&mut self, text: &dyn Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes one line of JSON.
    pub(super) fn object(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, object)?;
        self.out.write_all(b"\n")
    }

    /// Has what was written seen.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends it.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::output)
    }
}

/// Says on standard error what is said beside every answer: what is missing of it.
pub(super) fn note(reply: &Reply<'_>) {
    match reply {
        Reply::Gap(gap) => complain(&format_args!("note: {}", describe(gap))),
        Reply::Damage(damage) => complain(&format_args!("note: {}", damage.what)),
        _ => {}
    }
}

/// Which messages are missing, and why.
pub(super) fn describe(gap: &Gap) -> String {
    let why = match gap.cause {
        Cause::Damaged => "their place on disk is damaged",
        Cause::Retired => "they were too old to be kept",
        Cause::Dropped => "memory was full",
    };
    match gap.to - gap.from {
        1 => format!("message {} is missing: {why}", gap.from),
        count => format!("messages {} to {} ({count}) are missing: {why}", gap.from, gap.to - 1),
    }
}
