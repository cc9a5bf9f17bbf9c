//! A question before what cannot be undone.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use super::Failure;

/// Asks, unless the answer was given with the command.
pub(super) fn confirm(yes: bool, question: &dyn Display) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::NobodyToAsk);
    }
    let ask = || {
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    };
    match ask() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Declined),
        Err(source) => Err(Failure::Stream { doing: "ask", source }),
    }
}
