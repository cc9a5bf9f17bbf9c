use bus::Publish;

use crate::harness::{Bus, COLLECTD, Finished, Lines, publish};

#[test]
fn messages_are_counted_by_kind_from_one_report_to_the_next() {
    let bus = Bus::new();
    let mut outbound = bus.outbound();
    let mut child = bus.start(COLLECTD, &["--collectd-interval", "1"]);
    publish(&mut outbound, "org.fedoraproject.dev.logger.log", "{}");
    for topic in ["org.fedoraproject.dev.logger.log", "org.fedoraproject.dev.git.receive", "short"] {
        outbound.publish(topic.as_bytes(), b"{}").unwrap();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim().split('.').next().unwrap();
    let mut counted = [("announce", 0), ("logger", 0), ("unhandled", 0)];
    let lines = Lines::of(child.stdout.take().unwrap());
    while counted != [("announce", 0), ("logger", 2), ("unhandled", 2)] {
        for (kind, count) in &mut counted {
            let line = lines.next();
            let rest =
                line.strip_prefix(&format!("PUTVAL {host}/fedmsg/fedmsg_wallboard-{kind} interval=1 "));
            let (time, value) = rest.unwrap_or_else(|| panic!("{line:?}")).split_once(':').unwrap();
            assert!(time.parse::<u64>().is_ok(), "{line}");
            *count += value.parse::<u64>().unwrap();
            assert!(*count <= 2, "{counted:?}");
        }
    }
    drop(lines);
    Finished::wait(child).quietly();
}

#[test]
fn an_interval_of_nothing_is_refused() {
    let stderr = Bus::new().run(COLLECTD, &["--collectd-interval", "0"], b"").failed_with(2);
    assert!(stderr.contains("--collectd-interval"), "{stderr}");
}
