//! A program on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::{DEADLINE, Signal};

/// A program whose standard input, output and error are a terminal, 80 columns wide. Killed when dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<(Mutex<Vec<u8>>, Condvar)>,
}

impl Terminal {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a terminal");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).expect("a terminal");
        let name = ptsname(&ours, Vec::new()).expect("a terminal");
        let theirs =
            || open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other side");
        let [stdin, stdout, stderr] = [theirs(), theirs(), theirs()].map(Stdio::from);
        let child = command.stdin(stdin).stdout(stdout).stderr(stderr).env("TERM", "xterm").spawn();
        // The command would keep them open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let keyboard = File::from(ours);
        let screen = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (mut source, sink) = (keyboard.try_clone().expect("a file"), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = source.read(&mut part) {
                sink.0.lock().expect("no panic under the lock").extend_from_slice(&part[..read]);
                sink.1.notify_all();
            }
        });
        Self { child: child.expect("a program"), keyboard, screen }
    }

    /// Waits until this is on the screen; all that was ever on it.
    pub fn wait_for(&self, text: &str) -> String {
        let (screen, changed) = &*self.screen;
        let shown = |screen: &[u8]| String::from_utf8_lossy(screen).into_owned();
        let screen = screen.lock().expect("no panic under the lock");
        let (screen, late) = changed
            .wait_timeout_while(screen, DEADLINE, |screen| !shown(screen).contains(text))
            .expect("no panic under the lock");
        assert!(!late.timed_out(), "no {text:?} on the screen: {:?}", shown(&screen));
        shown(&screen)
    }

    /// Types something.
    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("a terminal that takes it");
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child that was not waited for");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
