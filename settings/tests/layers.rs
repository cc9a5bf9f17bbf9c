//! Layers in real files: precedence, deep merge, consumers' tables, and errors that name the place.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use settings::{ConfigKey, Configuration, Sources, Switch};

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn sources(&self) -> Sources {
        Sources { folders: vec![self.path().join("etc"), self.path().join("here")], ..Sources::default() }
    }

    /// The problems, each without the scratch folder's name.
    fn problems(&self, sources: &Sources) -> Vec<String> {
        let all = Configuration::load(sources).unwrap_err().to_string();
        all.replace(&format!("{}/", self.path().display()), "").lines().map(str::to_owned).collect()
    }
}

fn key(text: &str) -> ConfigKey {
    text.parse().unwrap()
}

#[test]
fn without_any_layer_the_defaults_hold() {
    let loaded = Configuration::load(&Sources::default()).unwrap();
    assert_eq!(*loaded.settings(), settings::Settings::default());
}

#[test]
fn later_layers_win_and_tables_merge_deeply() {
    let scratch = Scratch::new(&[
        (
            "etc/hub.toml",
            "environment = \"stg\"\n[endpoints]\na = \"tcp://a:1\"\nb = \"tcp://b:1\"\n[hub]\nmax_body_bytes = 1",
        ),
        ("etc/hub.d/10.toml", "[endpoints]\nb = [\"tcp://b:2\", \"tcp://b:3\"]"),
        ("etc/hub.d/20.toml", "[endpoints]\nb = \"tcp://b:4\""),
        ("here/hub.toml", "[hub]\nmax_body_bytes = 2\ndrain_deadline = \"1m 30s\""),
        ("extra.toml", "[hub]\nmax_body_bytes = 3"),
    ]);
    let mut sources = scratch.sources();
    let most = |sources: &Sources| Configuration::load(sources).unwrap().settings().hub.max_body_bytes;
    assert_eq!(most(&sources), 2);
    sources.required.push(scratch.path().join("extra.toml"));
    assert_eq!(most(&sources), 3);
    sources.presets.push("hub.max_body_bytes=33".into());
    assert_eq!(most(&sources), 33);
    sources.variables.push(("FEDMSG_HUB__HUB__MAX_BODY_BYTES".into(), "4".into()));
    sources.variables.push(("FEDMSG_HUB_OTHER".into(), "not ours".into()));
    assert_eq!(most(&sources), 4);
    sources.assignments.push("hub.max_body_bytes=5".into());
    let loaded = Configuration::load(&sources).unwrap();
    let settings = loaded.settings();
    assert_eq!(settings.hub.max_body_bytes, 5);
    assert_eq!(settings.environment, "stg");
    assert_eq!(settings.hub.drain_deadline.as_secs(), 90);
    let addresses = |name| -> Vec<String> {
        settings.endpoints.endpoint(name).unwrap().addresses.iter().map(ToString::to_string).collect()
    };
    assert_eq!(addresses("a"), ["tcp://a:1"]);
    assert_eq!(addresses("b"), ["tcp://b:4"]);
    assert_eq!(loaded.files().count(), 5);
}

#[test]
fn each_of_srv_endpoints_is_an_endpoint_that_a_later_layer_may_switch_off() {
    let scratch = Scratch::new(&[
        ("etc/hub.toml", "srv_endpoints = [\"a.test\", \"b.test\"]\nhub.required_endpoints = [\"a.test\"]"),
        ("here/hub.toml", "[endpoints]\n\"b.test\" = []"),
    ]);
    let loaded = Configuration::load(&scratch.sources()).unwrap();
    let enabled: Vec<_> = loaded.settings().endpoints.enabled().collect();
    assert_eq!(enabled, [bus::Endpoint::new("a.test", ["srv://a.test".parse().unwrap()])]);
}

#[test]
fn a_consumer_is_switched_on_by_its_key_and_gets_the_rest_of_its_table() {
    let scratch = Scratch::new(&[(
        "here/hub.toml",
        "[fedmsg.consumers.relay]\nenabled = true\nx = 1\n[fedmsg.consumers.dummy]\nenabled = false\n
         [outer]\nenabled = true\ny = 2\n[outer.inner]\nenabled = true\nz = 3\n[outer.more]\nw = 4\n",
    )]);
    let loaded = Configuration::load(&scratch.sources()).unwrap();
    let keys = [
        "fedmsg.consumers.relay.enabled",
        "fedmsg.consumers.dummy.enabled",
        "outer.enabled",
        "outer.inner.enabled",
    ]
    .map(key);
    let table =
        |n: usize| match loaded.switch(&keys[n], keys.iter().filter(|other| **other != keys[n])).unwrap() {
            Switch::Off(_) => "off".to_owned(),
            Switch::On(table) => serde_json::to_string(&table).unwrap(),
        };
    assert_eq!([table(0), table(1)], [r#"{"x":1}"#, "off"]);
    assert_eq!([table(2), table(3)], [r#"{"more":{"w":4},"y":2}"#, r#"{"z":3}"#]);
    assert_eq!(loaded.switch(&key("absent.enabled"), []).unwrap(), Switch::Off(None));
    loaded.unclaimed(&keys).unwrap();
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_key() {
    let cases = [
        (
            "zmq.heartbeat_ivl = \"99ms\"",
            "here/hub.toml:1: zmq.heartbeat_ivl: must be at least 100ms, or \"0s\" for none: each is a connection to every publisher",
        ),
        (
            "[hub]\n\ndrain_dedline = \"1s\"",
            "here/hub.toml:3: hub.drain_dedline: unknown key; did you mean `drain_deadline`?",
        ),
        ("enviroment = \"dev\"", "here/hub.toml:1: enviroment: unknown key; did you mean `environment`?"),
        (
            "[hub]\nmax_body_bytes = \"many\"",
            "here/hub.toml:2: hub.max_body_bytes: invalid type: string \"many\", expected usize",
        ),
        (
            "# x\nhub.max_body_bytes = -1",
            "here/hub.toml:2: hub.max_body_bytes: invalid value: integer `-1`, expected usize",
        ),
        (
            "[publish]\nmode = \"shout\"",
            "here/hub.toml:2: publish.mode: unknown variant `shout`, expected `connect` or `bind`",
        ),
        ("[hub\nmax_body_bytes = 1", "here/hub.toml:1: "),
        ("[hub]\nmax_body_bytes = 1\nmax_body_bytes = 2", "here/hub.toml:3: duplicate key"),
        ("[endpoints]\na = \"tcp://nowhere\"", "here/hub.toml:2: endpoints.a: "),
        ("\nsrv_endpoints = [\"hub:1\"]", "here/hub.toml:2: srv_endpoints: bad address `srv://hub:1`"),
        (
            "srv_endpoints = [\"a.test\"]\nendpoints.\"a.test\" = \"tcp://a.test:1\"",
            "here/hub.toml:2: endpoints.a.test: is one of srv_endpoints, too; remove one of the two",
        ),
    ];
    for (text, expected) in cases {
        let scratch = Scratch::new(&[("here/hub.toml", text)]);
        let problems = scratch.problems(&scratch.sources());
        assert!(problems[0].starts_with(expected), "{text:?} gave {problems:?}");
    }
}

#[test]
fn variables_and_arguments_are_named_as_the_place() {
    let scratch = Scratch::new(&[]);
    let mut sources = scratch.sources();
    sources.variables.push(("FEDMSG_HUB__HUB__MAX_BODY_BYTES".into(), "many".into()));
    assert_eq!(
        scratch.problems(&sources),
        [
            "environment variable FEDMSG_HUB__HUB__MAX_BODY_BYTES: hub.max_body_bytes: invalid type: string \"many\", expected usize"
        ]
    );
    sources.assignments.push("hub.max_body_bytes=lots".into());
    assert!(scratch.problems(&sources)[0].starts_with("command line (--set): hub.max_body_bytes: "));
    sources.assignments.push("nonsense".into());
    assert!(scratch.problems(&sources)[0].contains("`nonsense` is not KEY=VALUE"));
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let scratch = Scratch::new(&[("here/hub.toml", "\u{0}")]);
    std::fs::write(scratch.path().join("latin"), b"x = \"\xff\"").unwrap();
    let mut sources = scratch.sources();
    sources.required = vec![scratch.path().join("missing.toml"), scratch.path().join("latin")];
    let problems = scratch.problems(&sources).join("\n");
    for expected in ["here/hub.toml:1: ", "missing.toml: cannot be read", "latin: cannot be read"] {
        assert!(problems.contains(expected), "{expected:?} is not in {problems}");
    }
}

#[test]
fn a_main_file_may_not_go_unseen_and_none_may_be_emptied_without_being_asked() {
    let scratch = Scratch::new(&[
        ("etc/hub.toml", "environment = \"stg\""),
        ("etc/hub.d/10.toml", "endpoints.a = \"tcp://a:1\""),
        ("here/hub.toml", ""),
    ]);
    let load = || Configuration::load(&scratch.sources()).unwrap();
    let before = load();
    assert!(load().is_whole(&before, true).is_ok());
    std::fs::write(scratch.path().join("etc/hub.d/10.toml"), "\n").unwrap();
    assert!(load().is_whole(&before, false).is_ok());
    assert!(load().is_whole(&before, true).unwrap_err().to_string().contains("10.toml: is empty now"));
    std::fs::remove_file(scratch.path().join("etc/hub.d/10.toml")).unwrap();
    assert!(load().is_whole(&before, true).is_ok(), "fragments come and go");
    std::fs::remove_file(scratch.path().join("etc/hub.toml")).unwrap();
    assert!(load().is_whole(&before, false).unwrap_err().to_string().contains("etc/hub.toml: has gone"));
}

#[test]
fn tables_that_no_consumer_claims_are_errors_unless_they_only_switch_off() {
    let scratch = Scratch::new(&[(
        "here/hub.toml",
        "[ircbto]\nenabled = true\n[fedmsg.consumers.rellay]\nenabled = true\n[absent]\nenabled = false\n",
    )]);
    let loaded = Configuration::load(&scratch.sources()).unwrap();
    let problems =
        loaded.unclaimed(&[key("ircbot.enabled"), key("fedmsg.consumers.relay.enabled")]).unwrap_err();
    let said: Vec<_> =
        problems.0.iter().map(|p| (p.key.as_str(), p.message.contains("did you mean"))).collect();
    assert_eq!(said, [("fedmsg.consumers.rellay", true), ("ircbto", true)]);
    assert!(problems.to_string().contains("hub.toml:3: fedmsg.consumers.rellay: "));
}

#[test]
fn a_switch_that_is_no_boolean_is_an_error() {
    let scratch = Scratch::new(&[("here/hub.toml", "[dummy]\nenabled = \"yes\"")]);
    let problem =
        Configuration::load(&scratch.sources()).unwrap().switch(&key("dummy.enabled"), []).unwrap_err();
    assert!(
        problem.to_string().ends_with("hub.toml:2: dummy.enabled: expected true or false, found `\"yes\"`")
    );
}

#[test]
fn a_config_key_is_a_dotted_key() {
    for bad in ["", "enabled", ".enabled", "a..b", "a."] {
        assert!(bad.parse::<ConfigKey>().is_err(), "{bad:?}");
    }
    assert_eq!(key("a.b.enabled").to_string(), "a.b.enabled");
}
