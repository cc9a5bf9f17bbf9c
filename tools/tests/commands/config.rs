use std::fs;

use crate::harness::{Bus, CONFIG};

#[test]
fn a_key_is_printed_as_it_is_written_or_by_default() {
    let bus = Bus::new();
    bus.configure("relay_outbound = [\"tcp://a:1\", \"tcp://b:2\"]\n[own]\nenabled = false\n");
    for (query, expected) in [
        ("endpoints.relay_outbound", "tcp://a:1\ntcp://b:2\n"),
        ("environment", "dev\n"),
        ("zmq.high_water_mark", "0\n"),
        ("zmq.tcp_keepalive", "true\n"),
        ("own", "{\n  \"enabled\": false\n}\n"),
    ] {
        assert_eq!(bus.run(CONFIG, &["--query", query], b"").quietly(), expected, "{query}");
    }
    let all = bus.run(CONFIG, &[], b"").quietly();
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!((&all["log"]["level"], &all["own"]["enabled"]), (&"info".into(), &false.into()));
}

#[test]
fn what_is_not_there_is_exit_code_1() {
    let bus = Bus::new();
    for arguments in [&["--query", "zmq.nothing"][..], &["--query", "environment", "--disable-defaults"]] {
        let stderr = bus.run(CONFIG, arguments, b"").failed_with(1);
        assert_eq!(stderr, format!("fedmsg-config: Key `{}` does not exist in config\n", arguments[1]));
    }
}

#[test]
fn another_file_takes_the_place_of_all_others() {
    let bus = Bus::new();
    let other = bus.path().join("other.toml");
    fs::write(&other, "environment = \"prod\"").unwrap();
    let arguments = ["--disable-defaults", "--config-filename", other.to_str().unwrap()];
    assert_eq!(bus.run(CONFIG, &arguments, b"").quietly(), "{\n  \"environment\": \"prod\"\n}\n");
    let gone = ["--config-filename", "/nowhere.toml"];
    assert!(bus.run(CONFIG, &gone, b"").failed_with(3).contains("/nowhere.toml"));
}

#[test]
fn a_python_folder_becomes_a_configuration_that_is_one() {
    let bus = Bus::new();
    let folder = bus.path().join("fedmsg.d");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("a.py"),
        "import os\nos.mkdir('made')\nconfig = dict(environment='stg', certname='x')",
    )
    .unwrap();
    let imported = bus.run(CONFIG, &["import", "fedmsg.d"], b"");
    assert!(imported.status.success(), "{imported:?}");
    assert!(imported.stderr.contains("fedmsg.d/a.py:3: certname: "), "{}", imported.stderr);
    assert!(
        imported.stdout.contains("#   fedmsg.d/a.py:2: `os.mkdir('made')` is not evaluated"),
        "{}",
        imported.stdout
    );
    assert!(!bus.path().join("made").exists());
    fs::write(bus.path().join("imported.toml"), imported.stdout).unwrap();
    let arguments = ["--config-filename", "imported.toml", "--query", "environment"];
    assert_eq!(bus.run(CONFIG, &arguments, b"").quietly(), "stg\n");
    assert!(bus.run(CONFIG, &["import", "gone"], b"").failed_with(1).contains("gone"));
    bus.run(CONFIG, &["import"], b"").failed_with(2);
}
