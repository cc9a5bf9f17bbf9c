//! `fedmsg-config`, beside the Python one, and on its configuration.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::{Process, Scratch, binary, library, python, python_fedmsg, workspace};
use serde_json::json;

/// A folder with a Python configuration in it.
fn python_folder(scratch: &Scratch) -> &'static Path {
    let folder = scratch.join("fedmsg.d");
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(workspace().join("tests/fedmsg.d")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    Path::new("fedmsg.d")
}

/// What `fedmsg-config import` makes of it, in a file; and its notes.
fn imported(scratch: &Scratch, folder: &Path) -> Vec<String> {
    let mut import = Command::new(binary("fedmsg-config"));
    let import = Process::run(scratch, "import", import.arg("import").arg(folder), "");
    assert!(import.status.success(), "{}", import.stderr);
    scratch.write("imported.toml", &import.stdout);
    import.stderr.lines().map(str::to_owned).collect()
}

#[test]
fn an_imported_configuration_passes_the_hubs_check() {
    let scratch = Scratch::new();
    let folder = python_folder(&scratch);
    let notes = imported(&scratch, folder);
    let places: Vec<&str> = notes
        .iter()
        .map(|note| note.strip_prefix("fedmsg-config: fedmsg.d/").unwrap())
        .map(|note| note.match_indices(": ").nth(1).map_or(note, |(end, _)| &note[..end]))
        .collect();
    let expected = [
        "endpoints.py:12: endpoints.\"%s.local\" % hostname",
        "endpoints.py:13: endpoints.wiki.wiki01",
        "irc.py:9: irc[0].password",
        "logging.py:4: logging",
        "ssl.py:10: ssldir",
        "ssl.py:11: crl_location",
        "ssl.py:12: crl_cache",
    ];
    assert_eq!(places, expected, "{notes:#?}");

    fs::create_dir(scratch.join("plugins")).unwrap();
    for plugin in ["dummy", "gateway", "ircbot", "relay"] {
        fs::copy(library(plugin), scratch.join(&format!("plugins/lib{plugin}.so"))).unwrap();
    }
    let mut check = Command::new(binary("fedmsg-hub"));
    check.args(["check", "--plugin-dir", "plugins", "--set", "hub.plugin_dirs=[]"]);
    check.env("FEDMSG_CONFIG", scratch.join("imported.toml"));
    let check = Process::run(&scratch, "check", &mut check, "");
    assert!(check.status.success(), "{}\n{}", check.stdout, check.stderr);
    for shown in
        ["on  dummy", "subscribe bodhi.app01", "tcp://app01.example.org:3001", "tcp://127.0.0.1:4001"]
    {
        assert!(check.stdout.contains(shown), "{shown} in {}", check.stdout);
    }
}

#[test]
fn an_imported_configuration_says_what_pythons_says_and_is_printed_as_there() {
    let scratch = Scratch::new();
    imported(&scratch, python_folder(&scratch));
    for (pythons, ours) in [
        ("environment", "environment"),
        ("topic_prefix", "topic_prefix"),
        ("endpoints.bodhi.app01", "endpoints.bodhi.app01"),
        ("endpoints.relay_outbound", "endpoints.relay_outbound"),
        ("relay_inbound", "endpoints.relay_inbound"),
        ("io_threads", "zmq.io_threads"),
        ("zmq_tcp_keepalive_cnt", "zmq.tcp_keepalive_cnt"),
        ("routing_nitpicky", "crypto.routing_nitpicky"),
        ("certnames", "crypto.certnames"),
        ("routing_policy", "crypto.routing_policy"),
        ("nothing.there", "nothing.there"),
    ] {
        let mut python = python_fedmsg(&scratch, "fedmsg-config", &json!({}));
        let python = Process::run(&scratch, "python-config", python.args(["--query", pythons]), "");
        let mut config = Command::new(binary("fedmsg-config"));
        config.args(["--query", ours]).env("FEDMSG_CONFIG", scratch.join("imported.toml"));
        let config = Process::run(&scratch, "config", &mut config, "");
        assert_eq!((config.stdout, config.status.code()), (python.stdout, python.status.code()), "{ours}");
    }
}

#[test]
fn services_in_dns_are_those_that_pythons_configuration_names() {
    let scratch = Scratch::new();
    let file =
        scratch.write("services.py", "config = dict(srv_endpoints=['bus.example.org', u'example.org'])");
    let mut pythons = python();
    let script = "from fedmsg.config import conf; print('\\n'.join(conf['srv_endpoints']))";
    let pythons =
        Process::run(&scratch, "python", pythons.args(["-c", script]).env("FEDMSG_CONFIG", &file), "");
    assert_eq!(imported(&scratch, &file), [""; 0]);
    let mut config = Command::new(binary("fedmsg-config"));
    config.args(["--query", "srv_endpoints"]).env("FEDMSG_CONFIG", scratch.join("imported.toml"));
    let config = Process::run(&scratch, "config", &mut config, "");
    assert_eq!(config.stdout, pythons.stdout, "{}{}", config.stderr, pythons.stderr);
    let mut check = Command::new(binary("fedmsg-hub"));
    check.args(["check", "--set", "hub.plugin_dirs=[]"]).env("FEDMSG_CONFIG", scratch.join("imported.toml"));
    let check = Process::run(&scratch, "check", &mut check, "");
    assert!(check.stdout.contains("srv://bus.example.org"), "{}", check.stdout);
}

#[test]
fn every_option_of_pythons_commands_is_ours_or_the_page_for_those_who_move_says_what_is() {
    let scratch = Scratch::new();
    let page = fs::read_to_string(workspace().join("docs/guide/moving-from-python.md")).unwrap();
    for name in [
        "announce",
        "check",
        "collectd",
        "config",
        "dg-replay",
        "gateway",
        "hub",
        "irc",
        "logger",
        "relay",
        "signing-relay",
        "tail",
        "trigger",
    ] {
        let name = format!("fedmsg-{name}");
        let mut pythons =
            python_fedmsg(&scratch, &name, &json!({"endpoints": {}, "logging": {"version": 1}}));
        let pythons = Process::run(&scratch, "python", pythons.arg("--help"), "");
        let ours = match binary(&name) {
            own if own.exists() => own,
            _ => binary("fedmsg-hub"),
        };
        let ours = Process::run(&scratch, "ours", Command::new(ours).arg("--help"), "").stdout;
        let is_option = |word: &&str| word.starts_with("--") && word.len() > 2;
        let options = |help: &str| -> BTreeSet<String> {
            let words = help.split(|c: char| c != '-' && !c.is_alphanumeric());
            words.filter(is_option).map(str::to_owned).collect()
        };
        let (pythons, ours) = (options(&pythons.stdout), options(&ours));
        assert!(pythons.contains("--help"), "{name} has no help");
        for option in pythons.difference(&ours) {
            let row = |row: &&str| {
                row.starts_with(&format!("| `{option}")) || row.starts_with(&format!("| `{name} {option}"))
            };
            assert!(page.lines().any(|line| row(&line)), "{name} {option}");
        }
    }
}

#[test]
fn every_key_of_the_python_fedmsg_is_known_to_the_import() {
    let scratch = Scratch::new();
    let script = "from fedmsg.config import FedmsgConfig
config = {key: 'x' for key in FedmsgConfig._defaults}
print('config =', config)";
    let mut keys = python();
    let keys = Process::run(&scratch, "keys", keys.args(["-c", script]), "");
    assert!(keys.stdout.contains("topic_prefix") && keys.stdout.contains("stomp_uri"), "{}", keys.stderr);
    let notes = imported(&scratch, &scratch.write("config.py", &keys.stdout));
    let unknown: Vec<_> = notes.iter().filter(|note| note.contains("nobody here knows it")).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}
