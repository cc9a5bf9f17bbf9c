//! What a command prints, as lines for a log.

/// A longer line is cut into several.
const LONGEST: usize = 4096;

/// Puts what comes in pieces together to lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes a piece, and gives each line that ends in it.
    pub(crate) fn take(&mut self, piece: &[u8], give: &mut dyn FnMut(&str)) {
        for byte in piece {
            match byte {
                b'\n' => self.end(give),
                byte => self.begun.push(*byte),
            }
            if self.begun.len() == LONGEST {
                self.end(give);
            }
        }
    }

    /// Gives what is left without a line end.
    pub(crate) fn end(&mut self, give: &mut dyn FnMut(&str)) {
        let line = String::from_utf8_lossy(&self.begun);
        if !line.trim_end().is_empty() {
            give(line.trim_end());
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_together_and_long_lines_are_cut() {
        let (mut lines, mut given) = (Lines::default(), Vec::new());
        let mut give = |line: &str| given.push(line.to_owned());
        for piece in ["one\r\ntw", "o\n\nthr"] {
            lines.take(piece.as_bytes(), &mut give);
        }
        lines.take(b"ee \xff", &mut give);
        lines.end(&mut give);
        lines.take(&[b'x'; LONGEST + 1], &mut give);
        lines.end(&mut give);
        assert_eq!(given[..3], ["one", "two", "three \u{fffd}"]);
        assert_eq!((given[3].len(), given[4].len()), (LONGEST, 1));
    }
}
