//! Process groups, as the system tells of them.

use procfs::process::all_processes;
use rustix::process::Pid;

/// Whether anybody else than its leader lives in the group. Where the system does not say, it is said that nobody does.
pub(crate) fn has_followers(group: Pid) -> bool {
    let group = group.as_raw_pid();
    let mut stats = all_processes().into_iter().flatten().filter_map(|process| process.ok()?.stat().ok());
    // One that has ended and was not waited for is a zombie.
    stats.any(|stat| stat.pgrp == group && stat.pid != group && !matches!(stat.state, 'Z' | 'X'))
}
