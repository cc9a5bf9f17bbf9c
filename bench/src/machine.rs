//! What Linux says of processes and of the machine.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Processor time, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Spent by everybody.
    pub(crate) busy: f64,
    /// Taken away by the hypervisor.
    pub(crate) stolen: f64,
    /// Spent by this program and those it started that have ended.
    pub(crate) ours: f64,
}

impl Times {
    /// Up to now.
    pub(crate) fn now() -> Self {
        let stat = read("/proc/stat");
        let cpu: Vec<f64> =
            stat.lines().next().expect("the sum of all").split_whitespace().skip(1).map(ticks).collect();
        let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = cpu[..] else {
            panic!("an unknown /proc/stat: {stat}");
        };
        let own = stat_fields("self");
        Self {
            busy: user + nice + system + irq + softirq,
            stolen: steal,
            ours: own[11..15].iter().map(ticks).sum(),
        }
    }
}

/// Processor time that a process has used, in seconds.
pub(crate) fn processor_time(id: u32) -> f64 {
    stat_fields(&id.to_string())[11..13].iter().map(ticks).sum()
}

/// A size in `/proc/<id>/status`, in MB; `None` if the process has ended.
pub(crate) fn memory(id: u32, key: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    value.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6)
}

/// The fields of `/proc/<id>/stat` from the third on: the second is a name in parentheses, with any character.
fn stat_fields(id: &str) -> Vec<String> {
    let stat = read(&format!("/proc/{id}/stat"));
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    rest.split_whitespace().map(str::to_owned).collect()
}

fn ticks(text: impl AsRef<str>) -> f64 {
    let ticks: f64 = text.as_ref().parse().expect("a number of ticks");
    ticks / rustix::param::clock_ticks_per_second() as f64
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// How many processors there are.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a reader of the figures must know of where they come from.
pub(crate) fn describe(folder: &Path) -> String {
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    format!(
        "{} processors, {}; Linux {}; files on {}; load {}",
        processors(),
        model.trim_start_matches([' ', '\t', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        file_system(&read("/proc/self/mountinfo"), folder),
        read("/proc/loadavg").trim(),
    )
}

/// What is measured: the commit, and whether there is more than that.
pub(crate) fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12"]).current_dir(e2e::workspace());
    let name = git.output().ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    format!("commit {}", if name.is_empty() { "unknown" } else { name.trim() })
}

/// The type of the file system that holds the folder: that of the longest mount point above it.
fn file_system<'a>(mountinfo: &'a str, folder: &Path) -> &'a str {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        folder.starts_with(point).then_some((point.len(), file_system.split(' ').next()?))
    });
    mounts.max_by_key(|(len, _)| *len).map_or("an unknown file system", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_innermost_mount() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:5 / /tmp rw shared:1 - tmpfs tmpfs rw\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/tmpfile")), "ext4");
        assert_eq!(file_system("", Path::new("/")), "an unknown file system");
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let id = std::process::id();
        let before = memory(id, "VmRSS").unwrap();
        assert!(before > 0.1);
        // Other tests allocate and free meanwhile; the peak stays.
        let large = vec![1_u8; 64 << 20];
        assert!(memory(id, "VmHWM").unwrap() > 60.0, "{} bytes are in use", large.len());
        assert!(memory(u32::MAX, "VmRSS").is_none());
        assert!(Times::now().busy >= processor_time(id));
    }
}
