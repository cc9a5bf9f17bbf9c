//! File systems that a test may fill and switch.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A mount that ends with the test. Only root can make one: on other machines the test says that nothing was tested.
pub struct Disk(PathBuf);

impl Disk {
    /// A small file system in memory, at a folder that is made for it. `options` are those of tmpfs.
    pub fn small(folder: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        Self::mounted(folder, mount(["-t", "tmpfs", "-o", options, "fedmsg-hub-test"], folder))
    }

    /// Lets nothing be made in a folder, as a disk with errors does. What is open already stays writable.
    pub fn read_only(folder: &Path) -> Option<Self> {
        let from = folder.to_str().expect("a UTF-8 path");
        Self::mounted(folder, mount(["--bind", "-o", "ro", from], folder))
    }

    fn mounted(folder: &Path, done: io::Result<Output>) -> Option<Self> {
        match done {
            Ok(output) if output.status.success() => Some(Self(folder.to_owned())),
            other => {
                println!("NOT TESTED: nothing can be mounted here: {other:?}");
                None
            }
        }
    }

    /// Changes the options.
    pub fn remount(&self, options: &str) {
        let done = mount(["-o", &format!("remount,{options}")], &self.0).expect("mount");
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

fn mount<const N: usize>(arguments: [&str; N], folder: &Path) -> io::Result<Output> {
    Command::new("mount").args(arguments).arg(folder).output()
}
