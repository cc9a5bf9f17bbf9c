//! What `fedmsg-collectd` prints, read by a real collectd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use e2e::{Process, Scratch, TestPublisher, binary};

const TOPIC: &str = "org.fedoraproject.dev.logger.log";

/// Where Debian has it, which is not on every user's PATH.
const COLLECTD: &str = "/usr/sbin/collectd";

#[test]
fn a_real_collectd_takes_our_counts() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::bind("tcp://127.0.0.1:*");
    // collectd starts programs as anyone but root, who then has to be able to reach them.
    let open = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let program = open.path().join("fedmsg-collectd");
    fs::copy(binary("fedmsg-collectd"), &program).unwrap();
    let user = match rustix::process::getuid().is_root() {
        true => "nobody:nogroup".to_owned(),
        false => {
            let id = Command::new("id").arg("-un").output().unwrap();
            String::from_utf8(id.stdout).unwrap().trim().to_owned()
        }
    };
    let types = scratch.write("types.db", "fedmsg_wallboard value:GAUGE:0:U\n");
    let config = scratch.write(
        "collectd.conf",
        &format!(
            r#"
            Interval 1
            BaseDir "{folder}"
            PIDFile "{folder}/collectd.pid"
            TypesDB "{types}"
            LoadPlugin csv
            LoadPlugin exec
            <Plugin csv>
              DataDir "stdout"
            </Plugin>
            <Plugin exec>
              Exec "{user}" "{program}" "--collectd-interval" "1"
            </Plugin>
            "#,
            folder = scratch.path().display(),
            types = types.display(),
            program = program.display()
        ),
    );
    let mut collectd = Command::new(COLLECTD);
    collectd.arg("-f").arg("-C").arg(config);
    collectd
        .env("FEDMSG_CONFIG", "/dev/null")
        .env("FEDMSG_HUB__ENDPOINTS__THERE", publisher.address().to_string());
    let collectd = Process::start(&scratch, "collectd", &mut collectd);
    publisher.wait_for_subscriber(TOPIC);
    for _ in 0..3 {
        publisher.publish(TOPIC, r#"{"log": "x"}"#);
    }
    collectd.stdout.wait_until("three messages counted", |all| {
        let values = all.iter().filter(|line| line.contains("/fedmsg/fedmsg_wallboard-logger "));
        let counts = values.map(|line| line.rsplit(':').next().unwrap().parse::<f64>().unwrap());
        (counts.sum::<f64>() == 3.0).then_some(())
    });
    for kind in ["announce", "unhandled"] {
        collectd.stdout.wait_for(&format!("/fedmsg/fedmsg_wallboard-{kind} "));
    }
}
