//! What the machine has for this hub: room on the disk, sockets, files, watches, and the time.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use indicatif::HumanBytes;
use rustix::fs::inotify::{self, CreateFlags};
use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};
use settings::{Configuration, JournalMode};

use super::{Finding, Kind};
use crate::plan::Plan;

/// libzmq opens so many sockets at most (`ZMQ_MAX_SOCKETS`).
const MOST_SOCKETS: usize = 1023;

/// An endpoint's name takes so many of them: the one that receives, and two that tell of its connections.
const SOCKETS_PER_NAME: usize = 3;

/// What else takes sockets: publishers, and what greets peers.
const OTHER_SOCKETS: usize = 11;

/// Files that the hub has open before it has an endpoint: libraries' pipes, the journal, HTTP and its clients.
const OTHER_FILES: u64 = 100;

/// 2020-01-01: no hub was ever built before.
const FIRST_DAY: Duration = Duration::from_secs(1_577_836_800);

/// What is too little, or wrong, whatever runs.
pub(super) fn findings(configuration: &Configuration) -> Vec<Finding> {
    let clock = clock(SystemTime::now());
    disk(configuration).into_iter().chain(clock).chain(watches(configuration)).collect()
}

/// What is too little for what is to run.
pub(super) fn limits(configuration: &Configuration, plan: &Plan) -> Vec<Finding> {
    let endpoints = || plan.subscribed.iter().chain(&plan.inbound);
    let (names, addresses) =
        (endpoints().count(), endpoints().map(|endpoint| endpoint.addresses.len()).sum());
    let at = |finding: Finding| finding.at(configuration.origin(&["endpoints"]));
    sockets(names).into_iter().chain(files(names, addresses)).map(at).collect()
}

fn sockets(names: usize) -> Option<Finding> {
    let needed = names * SOCKETS_PER_NAME + OTHER_SOCKETS;
    let what = format_args!(
        "{names} endpoint names take {needed} sockets, and libzmq opens {MOST_SOCKETS} at most: some will get nothing"
    );
    (needed > MOST_SOCKETS).then(|| {
        Finding::error(Kind::Sockets, what, "put several addresses under one name, or run a second hub")
    })
}

fn files(names: usize, addresses: usize) -> Option<Finding> {
    // The hub raises the limit as far as it may.
    let most = getrlimit(Resource::Nofile).maximum?;
    // Each socket has a file to be woken by, and each connection is one.
    let needed = (names * SOCKETS_PER_NAME + addresses) as u64 + OTHER_FILES;
    let what = format_args!(
        "{names} endpoint names with {addresses} addresses need about {needed} open files, and {most} are allowed"
    );
    let mend = format_args!(
        "LimitNOFILE={} in the service's unit; in a shell, ulimit -Hn",
        needed.next_power_of_two()
    );
    (needed > most).then(|| Finding::error(Kind::OpenFiles, what, mend))
}

fn disk(configuration: &Configuration) -> Option<Finding> {
    let settings = configuration.settings();
    let (journal, directory) = (&settings.journal, &settings.hub.state_dir);
    if journal.mode == JournalMode::Memory {
        return None;
    }
    let there = directory.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let disk = statvfs(there).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let used = used(directory);
    let may = journal.max_bytes.saturating_add(journal.outcomes_bytes);
    let what = format_args!(
        "the journal may take {}, and has {}; {} are free on the disk of {}",
        HumanBytes(may),
        HumanBytes(used),
        HumanBytes(free),
        directory.display()
    );
    let mend = "make room, lower journal.max_bytes, or name another hub.state_dir; where the disk is full, the hub waits";
    (free.saturating_add(used) < may).then(|| {
        Finding::warning(Kind::DiskSpace, what, mend).at(configuration.origin(&["journal", "max_bytes"]))
    })
}

/// Bytes of the files in a folder, and in those in it, as far as they can be seen.
fn used(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

fn clock(now: SystemTime) -> Option<Finding> {
    let is_early = now < SystemTime::UNIX_EPOCH + FIRST_DAY;
    let what = "this machine's clock is before 2020: no certificate is valid, and messages get wrong times";
    is_early.then(|| Finding::error(Kind::Clock, what, "set it (timedatectl, chrony)"))
}

/// Whether the hub could be told of a changed file. The instance that is asked for is given back at once.
fn watches(configuration: &Configuration) -> Option<Finding> {
    if !configuration.settings().hub.watch {
        return None;
    }
    let error: io::Error = inotify::init(CreateFlags::CLOEXEC).err()?.into();
    let what = format_args!("hub.watch: changed files would not be seen: {error}");
    let mend = "raise fs.inotify.max_user_instances (sysctl), or set hub.watch = false and reload by SIGHUP";
    Some(Finding::warning(Kind::Inotify, what, mend).at(configuration.origin(&["hub", "watch"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_an_error() {
        assert_eq!(clock(SystemTime::now()), None);
        let found = clock(SystemTime::UNIX_EPOCH + Duration::from_secs(3600)).unwrap();
        assert_eq!((found.kind, found.kind.exit()), (Kind::Clock, crate::exit::Exit::Failed));
    }
}
