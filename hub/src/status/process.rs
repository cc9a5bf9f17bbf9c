//! The process, as `/proc` tells of it.

use std::fs;

use control::ProcessStatus;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What the system tells; 0 for what it does not.
pub(super) fn status() -> ProcessStatus {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may have spaces in it. Behind it begins the third field.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let field =
        |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    ProcessStatus {
        resident_bytes: field(24).saturating_mul(page_size() as u64),
        open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        max_files: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        threads: field(20),
        cpu_seconds: (field(14) + field(15)) as f64 / clock_ticks_per_second() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_all_of_this_process() {
        let status = status();
        assert!(status.resident_bytes > 1 << 20 && status.resident_bytes < 1 << 40, "{status:?}");
        assert!(status.open_files >= 3 && status.max_files >= status.open_files, "{status:?}");
        assert!(status.threads >= 1 && status.threads < 1000, "{status:?}");
        let busy = (0..10_000_000_u64).fold(0, |sum, n| sum ^ n.wrapping_mul(sum | 1));
        assert!(super::status().cpu_seconds >= status.cpu_seconds, "{busy}");
    }
}
