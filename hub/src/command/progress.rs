//! Progress of long work: a bar on standard error, if that is a terminal.

use control::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Output;

/// A bar, from the first progress that is told until it is dropped.
pub(super) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar under these words. There is none where it would stand between the lines of the output.
    pub(super) fn new(what: &'static str, output: &Output, lines: bool) -> Self {
        let target = if lines && output.width.is_some() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    pub(super) fn tell(&self, progress: Progress) {
        self.bar.set_length(progress.of);
        self.bar.set_position(progress.done);
    }

    /// Does something that writes on standard error.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
