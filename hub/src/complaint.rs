//! What the program says to the person who started it, on standard error. What a running hub has to say is in its log.

use std::fmt::Display;
use std::io::{self, Write};

use crate::preset::program;

/// Says what is wrong.
pub(crate) fn complain(what: &dyn Display) {
    let program = program();
    let said = what.to_string().replace('\n', &format!("\n{program}: "));
    // Nobody is left to tell if standard error is closed.
    drop(writeln!(io::stderr(), "{program}: {said}"));
}
