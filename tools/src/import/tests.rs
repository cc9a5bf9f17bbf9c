use std::fs;

use tempfile::TempDir;

use super::*;

/// The result of importing these files, as TOML without its notes, and the notes without the folder.
fn imported(files: &[(&str, &str)]) -> (String, Vec<String>) {
    let folder = TempDir::new().unwrap();
    for (name, source) in files {
        fs::write(folder.path().join(name), source).unwrap();
    }
    let Imported { toml, notes } = import(&[folder.path().to_owned()]).unwrap();
    let body = toml.split_once("\n\n").unwrap().1.to_owned();
    let prefix = format!("{}/", folder.path().display());
    (body, notes.iter().map(|note| note.strip_prefix(&prefix).unwrap().to_owned()).collect())
}

#[test]
fn keys_become_ours_with_their_units() {
    let source = "config = dict(
    topic_prefix='org.example', environment='stg', srv_endpoints=['example.org', u'bus.example.org'], high_water_mark=10, zmq_linger=500,
    zmq_tcp_keepalive=1, zmq_tcp_keepalive_idle=60, zmq_enabled=True, post_init_sleep=0.5,
    relay_inbound='tcp://127.0.0.1:2003', sign_messages=False, routing_nitpicky=True,
    certnames={'shell.app01': 'shell-app01'}, crypto_backend='x509', crypto_validate_backends=['x509'],
    routing_policy={'org.example.prod.announce.announcement': ['announce']}, active=True,
    **{'fedmsg.consumers.dummy.enabled': True, 'fedmsg.consumers.gateway.port': 9940})";
    let (toml, notes) = imported(&[("base.py", source)]);
    let expected = r#"topic_prefix = "org.example"
environment = "stg"
srv_endpoints = ["example.org", "bus.example.org"]

[zmq]
high_water_mark = 10
linger = "500ms"
tcp_keepalive = true
tcp_keepalive_idle = "60s"

[endpoints]
relay_inbound = ["tcp://127.0.0.1:2003"]

[crypto]
sign_messages = false
routing_nitpicky = true

[crypto.certnames]
"shell.app01" = "shell-app01"

[crypto.routing_policy]
"org.example.prod.announce.announcement" = ["announce"]

[publish]
mode = "connect"

[fedmsg.consumers.dummy]
enabled = true

[fedmsg.consumers.gateway]
addresses = ["tcp://*:9940"]
"#;
    assert_eq!(toml, expected);
    assert_eq!(notes, [""; 0]);
}

#[test]
fn later_files_win_and_dicts_merge() {
    let (toml, _) = imported(&[
        ("b.py", "config = {'endpoints': {'b': 'tcp://b:1', 'c': 'tcp://c:2'}, 'environment': 'prod'}"),
        ("a.py", "config = {'endpoints': {'a': ['tcp://a:1'], 'c': 'tcp://c:1'}, 'environment': 'dev'}"),
        ("ignored.txt", "nothing"),
    ]);
    let endpoints = "a = [\"tcp://a:1\"]\nc = [\"tcp://c:2\"]\nb = [\"tcp://b:1\"]\n";
    assert_eq!(toml, format!("environment = \"prod\"\n\n[endpoints]\n{endpoints}"));
}

#[test]
fn what_has_no_counterpart_is_named_with_its_place() {
    let source = "import os
here = os.getcwd()
config = dict(
    ssldir=here + '/pki',
    ca_cert_location='https://example.org/ca.crt',
    crypto_backend='gpg',
    status_directory='/var/run', datagrepper_url=None,
    io_threads='1',
    endpoints={'a': ['tcp://a:1', 'tcp://%s:1' % here], 'b': 'zmq://b'},
    datanommer=dict(enabled=True),
    srv_endpoints=['example.org', 'tcp://a:1', here],
)
if here:
    config['environment'] = 'prod'
";
    let (toml, notes) = imported(&[("x.py", source)]);
    assert_eq!(toml, "srv_endpoints = [\"example.org\"]\n\n[endpoints]\na = [\"tcp://a:1\"]\n");
    let expected = [
        ("4", "ssldir: `here + '/pki'` is not evaluated"),
        ("5", "ca_cert_location: https://example.org/ca.crt is a URL"),
        ("6", "crypto_backend: only x509"),
        ("7", "status_directory: what was missed"),
        ("8", "io_threads: \"1\" is not understood"),
        ("9", "endpoints.a: `'tcp://%s:1' % here` is not evaluated"),
        ("9", "endpoints.b: "),
        ("10", "datanommer: nobody here knows it (= {…})"),
        ("11", "srv_endpoints: "),
        ("11", "srv_endpoints: `os.getcwd()` is not evaluated"),
        ("13", "`if here:` is not evaluated"),
    ];
    assert_eq!(notes.len(), expected.len(), "{notes:#?}");
    for (note, (line, what)) in notes.iter().zip(expected) {
        assert!(note.starts_with(&format!("x.py:{line}: {what}")), "{note}");
    }
}

#[test]
fn notes_stand_in_the_file_and_cannot_leave_their_comment() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("x.py");
    fs::write(&file, "config = {'a\\nenvironment = 1': 'b'}").unwrap();
    let toml = import(&[file]).unwrap().toml;
    assert!(toml.lines().all(|line| line.is_empty() || line.starts_with('#')), "{toml}");
    assert!(toml.contains(r"a\nenvironment = 1: nobody here knows it"), "{toml}");
}

#[test]
fn notes_steer_no_terminal() {
    let (_, notes) = imported(&[("x.py", "config = {'\\x1b[2J\u{202e}': f('\x1b[2J')}")]);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(!notes[0].contains(message::steers) && notes[0].contains(r"\u001b[2J\u202e"), "{notes:?}");
}

#[test]
fn lines_end_as_in_any_editor() {
    for end in ["\r\n", "\r", "\n"] {
        let source = ["config = {", "  'topic_prefix': 'a\\", "b',", "}"].join(end);
        let (toml, notes) = imported(&[("x.py", &source)]);
        assert_eq!((toml.as_str(), notes.as_slice()), ("topic_prefix = \"ab\"\n", &[][..]));
    }
}

#[test]
fn a_file_of_which_nothing_is_taken_is_named() {
    let (toml, notes) =
        imported(&[("a.py", ""), ("b.py", "x = 1\nconfig = f(x)"), ("c.py", "from a import config")]);
    assert_eq!(toml, "");
    let expected = [
        "a.py:1: the file sets no `config`",
        "b.py:2: `config = f(x)` is not evaluated",
        "c.py:1: `from a import config` is not evaluated",
        "c.py:1: the file sets no `config`",
    ];
    assert_eq!(notes.len(), expected.len(), "{notes:#?}");
    assert!(notes.iter().zip(expected).all(|(note, begin)| note.starts_with(begin)), "{notes:#?}");
}

#[test]
fn names_and_policies_have_to_be_such() {
    let source = "config = dict(
    routing_policy={'t': ['a', 1, b()], 'u': 'a', 'v': []},
    certnames={'shell.a': 'x', 'shell.b': 2}, irc_color_lookup={'git': ['red']})";
    let (toml, notes) = imported(&[("x.py", source)]);
    let expected =
        "[crypto.routing_policy]\nt = [\"a\"]\nv = []\n\n[crypto.certnames]\n\"shell.a\" = \"x\"\n";
    assert_eq!(toml, expected);
    let expected = [
        "x.py:2: routing_policy.t: 1 is not understood",
        "x.py:2: routing_policy.t: `b()` is not evaluated",
        "x.py:2: routing_policy.u: \"a\" is not understood",
        "x.py:3: certnames.shell.b: 2 is not understood",
        "x.py:3: irc_color_lookup.git: […] is not understood",
    ];
    assert_eq!(notes.len(), expected.len(), "{notes:#?}");
    assert!(notes.iter().zip(expected).all(|(note, begin)| note.starts_with(begin)), "{notes:#?}");
}

#[test]
fn sixty_thousand_keys_are_taken_over() {
    let source: String = (0..60_000).map(|n| format!("'k{n}': 'a',")).collect();
    let (toml, _) = imported(&[("x.py", &format!("config = dict(certnames={{{source}}})"))]);
    assert_eq!(toml.lines().count(), 60_001);
}

#[test]
fn what_cannot_be_read_is_an_error_with_its_place() {
    let folder = TempDir::new().unwrap();
    let error = |path: &Path| import(&[path.to_owned()]).unwrap_err().to_string();
    assert!(error(folder.path()).contains("has no *.py"));
    assert!(error(&folder.path().join("gone.py")).contains("gone.py"));
    let wrong = folder.path().join("wrong.py");
    fs::write(&wrong, "\nconfig = {'a': [}").unwrap();
    assert!(error(&wrong).ends_with("wrong.py: line 2: not Python"), "{}", error(&wrong));
}

#[test]
fn the_page_for_those_who_move_says_of_every_key_what_becomes_of_it() {
    let page = fs::read_to_string("../docs/guide/moving-from-python.md").unwrap();
    let page = page.split("\n## Commands\n").next().unwrap();
    let rows = |text: &str| {
        page.lines().filter(|row| row.starts_with(text)).map(|row| row.replace('`', "")).collect()
    };
    for (key, fate) in keys::KEYS {
        let rows: Vec<String> = rows(&format!("| `{key}` | "));
        let [row] = rows.as_slice() else { panic!("{key} has these rows: {rows:?}") };
        let became = row.split(" | ").nth(1).unwrap().trim_end_matches(" |");
        use keys::Fate::*;
        let (begin, end) = match fate {
            Text(to) | Flag(to) | Number(to, _) | File(to) => (to.to_string(), ""),
            Duration(to, unit) => (to.to_string(), *unit),
            Names(to) | Policy(to) | Same(to) => (to.to_string(), ""),
            Addresses(name) => (format!("endpoints.{name}"), ""),
            Endpoints => ("[endpoints]".to_owned(), ""),
            Services => ("srv_endpoints".to_owned(), ""),
            GatewayPort => ("fedmsg.consumers.gateway.addresses".to_owned(), ""),
            Active => ("publish.mode".to_owned(), ""),
            Backends => ("x509 alone".to_owned(), ""),
            Logging => ("log.level".to_owned(), ""),
            Needless => ("not needed".to_owned(), ""),
            Absent(why) => ("none: ".to_owned(), *why),
        };
        let begin = if matches!(fate, Names(to) | Policy(to) | Same(to) if became == format!("[{to}]")) {
            format!("[{begin}]")
        } else {
            begin
        };
        let end = end.replace('`', "");
        assert!(
            became.starts_with(&begin) && became.contains(&end),
            "{key}: {became}, and not {begin} {end}"
        );
    }
}

#[test]
fn a_list_of_dicts_becomes_tables_without_what_has_to_be_run() {
    let source = "config = dict(irc=[
    dict(network='irc.example.org', port=6667, filters=dict(topic=[], body=['a', b()]), password=None),
    dict(network='b', nickname=who()),
], irc_color_lookup={'fas': 'light blue'})";
    let (toml, notes) = imported(&[("irc.py", source)]);
    let expected = r#"[[fedmsg.consumers.ircbot.irc]]
network = "irc.example.org"
port = 6667

[fedmsg.consumers.ircbot.irc.filters]
topic = []
body = ["a"]

[[fedmsg.consumers.ircbot.irc]]
network = "b"

[fedmsg.consumers.ircbot.irc_color_lookup]
fas = "light blue"
"#;
    assert_eq!(toml, expected);
    let prefixes = ["irc.py:2: irc[0].filters.body: `b()`", "irc.py:3: irc[1].nickname: `who()`"];
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.iter().zip(prefixes).all(|(note, prefix)| note.starts_with(prefix)), "{notes:?}");
}
