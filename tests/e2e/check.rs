//! `fedmsg-hub check`: each kind of finding is provoked, and named with its place and its mend; the guide has them all.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::process::Finished;
use e2e::{
    Hub, HubBuilder, NameServer, Process, Scratch, Terminal, TestPublisher, binary, free_ports, library,
    workspace,
};
use hub::check::Kind;
use journal::{Journal, Opened, Record, Start};
use serde_json::Value;

/// What a check says.
struct Checked {
    code: Option<i32>,
    report: Value,
}

impl Checked {
    /// The findings, as `kind: place: what; mend`.
    fn findings(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let findings = self.report["findings"].as_array().unwrap().iter();
        let words = ["severity", "kind", "place", "what", "mend"];
        findings.map(|finding| words.map(|word| text(&finding[word])).join("|")).collect()
    }

    /// The one finding of this kind: its severity, place, what and mend.
    fn only(&self, kind: Kind) -> String {
        let part = format!("|{}|", kind.word());
        let found: Vec<_> = self.findings().into_iter().filter(|finding| finding.contains(&part)).collect();
        assert_eq!(found.len(), 1, "{kind:?}: {:#?}", self.findings());
        found[0].clone()
    }

    fn has(&self, kind: Kind) -> bool {
        self.findings().iter().any(|finding| finding.contains(&format!("|{}|", kind.word())))
    }
}

/// Checks what would run.
fn check(hub: HubBuilder<'_>, more: &[&str]) -> Checked {
    let done = hub.arguments(&["check", "--json"]).arguments(more).run();
    let report = serde_json::from_str(&done.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr));
    Checked { code: done.status.code(), report }
}

/// A hub with nothing to complain about.
fn sound(scratch: &Scratch) -> HubBuilder<'_> {
    Hub::builder(scratch)
        .plugin("dummy")
        .config("fedmsg.consumers.dummy.enabled = true\nendpoints.e = \"ipc:///nowhere\"\njournal.max_bytes = 1048576")
        .config("journal.outcomes_bytes = 1048576")
}

#[test]
fn all_is_well_where_nothing_is_wrong_and_a_broken_configuration_is_json_too() {
    let scratch = Scratch::new();
    let checked = check(sound(&scratch), &["--strict"]);
    assert_eq!((checked.code, checked.findings()), (Some(0), Vec::new()));
    assert_eq!(checked.report["consumers"][0]["enabled"], true);
    assert_eq!(checked.report["endpoints"][0]["addresses"][0]["address"], "ipc:///nowhere");
    assert!(!scratch.join("hub.state").exists(), "a check makes nothing");

    let checked = check(sound(&scratch).config("log.levle = \"info\""), &[]);
    assert_eq!(checked.code, Some(3));
    let said = checked.only(Kind::Configuration);
    assert!(said.contains("hub.toml:5|log.levle: unknown key; did you mean `level`?"), "{said}");
}

#[test]
fn errors_come_first_then_warnings_then_what_would_run_and_strict_minds_warnings() {
    let scratch = Scratch::new();
    let hub = || {
        sound(&scratch)
            .config("endpoints.f = \"ipc:///nowhere\"\nmonitoring.socket = \"ipc:///no/such/folder/sock\"")
    };
    let done = hub().arguments(&["check"]).run();
    assert_eq!((done.status.code(), done.stderr.as_str()), (Some(5), ""));
    let places: Vec<_> =
        ["error: ", "warning: ", "\nconfiguration: "].map(|word| done.stdout.find(word).unwrap()).into();
    assert!(places.is_sorted() && places[0] == 0, "{}", done.stdout);
    assert!(!done.stdout.contains('\u{1b}'), "no colours where nobody sees them");
    let mut command = hub().arguments(&["check"]).command();
    let screen = Terminal::start(command.env_remove("NO_COLOR")).wait_for("configuration:");
    assert!(screen.contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "), "{screen:?}");

    let warned = sound(&scratch).config("endpoints.f = \"ipc:///nowhere\"");
    assert_eq!(check(warned.clone(), &[]).code, Some(0));
    let checked = check(warned, &["--strict"]);
    assert_eq!(checked.code, Some(11));
    let said = checked.only(Kind::EndpointShared);
    assert!(said.contains("hub.toml:2|endpoints e f share ipc:///nowhere"), "{said}");
}

#[test]
fn plugins_that_are_broken_absent_or_there_twice_are_found() {
    let scratch = Scratch::new();
    let other = scratch.join("other");
    fs::create_dir(&other).unwrap();
    fs::copy(library("dummy"), other.join("dummy.so")).unwrap();
    std::os::unix::fs::symlink("/no/such/file", other.join("gone.so")).unwrap();
    fs::write(other.join("text.so"), "no library").unwrap();
    let folders = format!("hub.plugin_dirs = [\"{}\", \"/no/such/folder\"]", other.display());
    let checked = check(sound(&scratch).config(&folders), &[]);
    assert_eq!(checked.code, Some(4), "{:#?}", checked.findings());
    let said = checked.findings().join("\n");
    for expected in [
        "dummy.so: consumer `dummy` is already in",
        "gone.so: cannot be read: No such file or directory (os error 2)|let the user who runs the hub read it",
        "text.so: is no shared object",
        "warning|plugin_folder|",
        "hub.toml:5|plugin folder /no/such/folder is not there",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }

    let checked = check(Hub::builder(&scratch).name("bare").config(&folders.replace("other", "none")), &[]);
    assert!(checked.has(Kind::NoPlugin) && checked.has(Kind::NoConsumer) && checked.has(Kind::NoEndpoint));
}

#[test]
fn an_address_that_is_taken_is_named_with_who_has_it() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let listen = format!("http.listen=0.0.0.0:{port}");
    let set = ["--set", &listen];
    let checked = check(sound(&scratch), &set);
    assert_eq!(checked.code, Some(5));
    let said = checked.only(Kind::CannotBind);
    let expected = format!("process {} (", std::process::id());
    assert!(said.contains(&expected) && said.contains("command line (--set)"), "{said}");
    drop(taken);
    assert_eq!(check(sound(&scratch), &set).code, Some(0));

    let twice = format!("http.listen = \"127.0.0.1:{port}\"\nmonitoring.socket = \"tcp://*:{port}\"");
    // The environment of tests says that there is no HTTP.
    let mut command = sound(&scratch).config(&twice).arguments(&["check"]).command();
    let done = Process::run(&scratch, "twice", command.env_remove("FEDMSG_HUB__HTTP__LISTEN"), "");
    assert!(
        done.stdout.contains("monitoring.socket: tcp://*:")
            && done.stdout.contains("http.listen wants it, too")
    );
    let foreign = check(sound(&scratch).config("monitoring.socket = \"tcp://192.0.2.1:1\""), &[]);
    assert!(foreign.only(Kind::CannotBind).contains("this machine has no such address"));
    let file = scratch.write("file", "");
    let file =
        check(sound(&scratch).config(&format!("monitoring.socket = \"ipc://{}\"", file.display())), &[]);
    assert!(file.only(Kind::CannotBind).contains("is no socket"));
}

/// A hub with a relay and a gateway.
fn relaying<'s>(scratch: &'s Scratch, outbound: &str, gateway: &str) -> HubBuilder<'s> {
    sound(scratch).plugin("relay").plugin("gateway").config(&format!(
        "endpoints.relay_inbound = \"{}\"\nendpoints.relay_outbound = {outbound}\n\
         fedmsg.consumers.relay.enabled = true\n\
         fedmsg.consumers.gateway = {{ enabled = true, addresses = [\"{gateway}\"] }}",
        scratch.ipc("in")
    ))
}

#[test]
fn what_plugins_bind_is_looked_at_and_what_this_hub_will_bind_is_not_missed() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("tcp://{}", taken.local_addr().unwrap());
    let [free, other] = free_ports().map(|port| format!("tcp://127.0.0.1:{port}"));

    let checked = check(relaying(&scratch, &format!("[\"{taken}\"]"), &free), &[]);
    let said = checked.only(Kind::CannotBind);
    assert_eq!(checked.code, Some(5));
    assert!(said.contains(&format!("endpoints.relay_outbound: {taken} cannot be bound: process")), "{said}");
    let waits = relaying(&scratch, &format!("[\"{taken}\"]"), &free)
        .config("fedmsg.consumers.relay.on_start_error = \"retry\"");
    assert!(check(waits, &[]).only(Kind::CannotBind).starts_with("warning|"));
    let second = relaying(&scratch, &format!("[\"{taken}\", \"{other}\"]"), &free);
    assert!(!check(second, &[]).has(Kind::CannotBind));
    let said = check(relaying(&scratch, &format!("\"{free}\""), &taken), &[]).only(Kind::CannotBind);
    assert!(said.contains(&format!("consumer gateway: {taken} cannot be bound: process")), "{said}");
    let said = check(relaying(&scratch, &format!("\"{free}\""), &free), &[]).only(Kind::CannotBind);
    assert!(said.contains("consumer gateway wants it, too"), "{said}");

    let hub = || relaying(&scratch, &format!("\"{free}\""), "tcp://127.0.0.1:*");
    let checked = check(hub(), &["--connect"]);
    let said = checked.only(Kind::Unreachable);
    assert!(said.contains("endpoint e, ipc:///nowhere"), "{said}");
    let missing = hub().config("fedmsg.consumers.relay.outbound = \"nowhere\"");
    let said = check(missing, &[]).only(Kind::Configuration);
    assert!(said.contains("endpoints.nowhere: missing, but consumer `relay` publishes by it"), "{said}");
}

#[test]
fn a_subscribers_wildcard_for_publishing_is_found() {
    let scratch = Scratch::new();
    let wildcard = "endpoints.relay_inbound = \"tcp://*:2003\"";
    let said = check(sound(&scratch).config(wildcard), &[]).only(Kind::EndpointWildcard);
    assert!(
        said.contains("hub.toml:5|endpoints.relay_inbound: tcp://*:2003 cannot be connected to"),
        "{said}"
    );
    let relay = sound(&scratch).plugin("relay").config("endpoints.relay_inbound = \"ipc://*\"");
    let relay = relay.config("endpoints.relay_outbound = \"ipc:///nowhere/either\"");
    assert!(!check(relay.config("fedmsg.consumers.relay.enabled = true"), &[]).has(Kind::EndpointWildcard));
}

#[test]
fn connecting_tells_publishers_from_others_and_nobody_connects_unless_told() {
    let scratch = Scratch::new();
    let publisher = TestPublisher::default();
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = {
        Hub::builder(&scratch)
            .plugin("dummy")
            .config("fedmsg.consumers.dummy.enabled = true\nendpoints.name = \"tcp://name.invalid:1\"")
            .config(&format!("endpoints.good = \"{}\"", publisher.address()))
            .config(&format!("endpoints.web = \"tcp://{}\"", web.local_addr().unwrap()))
            .config(&format!("endpoints.nobody = \"tcp://{nobody}\"\nhub.required_endpoints = [\"nobody\"]"))
    };
    web.set_nonblocking(true).unwrap();
    assert_eq!(check(config.clone(), &[]).code, Some(0));
    assert!(web.accept().is_err(), "it has connected");
    web.set_nonblocking(false).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = web.accept().unwrap();
        stream.read_exact(&mut [0; 64]).unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let checked = check(config, &["--connect"]);
    server.join().unwrap();
    assert_eq!(checked.code, Some(3), "{:#?}", checked.findings());
    assert!(checked.only(Kind::NotABus).contains("what answers there does not speak ZeroMQ"));
    let nobody = checked.only(Kind::Unreachable);
    assert!(nobody.starts_with("error|") && nobody.contains("Connection refused"), "{nobody}");
    assert!(checked.only(Kind::Unresolvable).starts_with("warning|"));
    let endpoints = checked.report["endpoints"].as_array().unwrap();
    let good = endpoints.iter().find(|endpoint| endpoint["name"] == "good").unwrap();
    assert_eq!(good["addresses"][0]["answers"], "ZMTP 3.1");
}

/// A shell of a user who owns nothing.
const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--clear-groups", "sh"];

#[test]
fn services_are_looked_up_and_each_of_their_places_is_connected_to() {
    let scratch = Scratch::new();
    let (publisher, other) = (TestPublisher::default(), TestPublisher::default());
    let port = |publisher: &TestPublisher| match publisher.address() {
        bus::Address::Tcp { port: Some(port), .. } => *port,
        address => panic!("{address}"),
    };
    let places = [("a.test", port(&publisher)), ("b.test", port(&other))];
    let server = NameServer::start(&scratch, &places);
    let hub = |service: &str| {
        sound(&scratch)
            .config(&format!("endpoints.s = \"srv://{service}\"\nzmq.dns_server = \"{}\"", server.address()))
    };
    let checked = check(hub("bus.test"), &["--connect"]);
    let answers = &checked.report["endpoints"][1]["addresses"][0]["answers"];
    let answers = answers.as_str().unwrap_or_else(|| panic!("{:#?}", checked.findings()));
    assert_eq!(answers.matches("ZMTP 3.1").count(), 2, "{answers}");
    let said = check(hub("none.test"), &["--connect"]).only(Kind::Unresolvable);
    assert!(said.contains("srv://none.test: the service is not found"), "{said}");
}

#[test]
fn permissions_that_let_too_many_in_or_the_hub_out_are_found() {
    let scratch = Scratch::new();
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let hub = || {
        sound(&scratch)
            .config("[bot]\nenabled = false")
            .config(&format!("[crypto]\nssldir = \"{}\"", scratch.join("pki").display()))
    };
    let state = hub().state_dir();
    fs::create_dir(&state).unwrap();
    mode(&state, 0o777);
    let said = check(hub(), &[]).only(Kind::StateDir);
    assert!(said.contains("anybody can write to it (mode 0777)|chmod 700"), "{said}");
    fs::remove_dir(&state).unwrap();
    fs::write(&state, "").unwrap();
    let checked = check(hub(), &[]);
    assert_eq!(checked.code, Some(7));
    assert!(checked.only(Kind::StateDir).contains("is no folder"));
    fs::remove_file(&state).unwrap();

    fs::create_dir(&state).unwrap();
    fs::write(state.join("cursors.log"), "").unwrap();
    // Only root can be somebody else, and only where others may see what was built.
    let mut nobody = Command::new(NOBODY[0]);
    nobody.args(&NOBODY[1..]).args(["-c", "test -x \"$0\""]).arg(binary("fedmsg-hub"));
    if nobody.status().is_ok_and(|status| status.success()) {
        std::os::unix::fs::chown(state.join("cursors.log"), Some(65534), None).unwrap();
        let said = check(hub(), &[]).only(Kind::StateDir);
        assert!(said.contains("cursors.log in it belongs to user 65534, and the folder to user 0"), "{said}");
        // Root may write anywhere: another user is asked.
        mode(scratch.path(), 0o755);
        let command = hub().arguments(&["check"]).command();
        let done = limited(&scratch, &command, &NOBODY, "true");
        assert_eq!(done.status.code(), Some(7), "{}{}", done.stdout, done.stderr);
        let expected = "user 65534 cannot write to it, which belongs to user 0: Permission denied";
        assert!(done.stdout.contains(expected), "{}", done.stdout);
        mode(scratch.path(), 0o700);
        // Root looks after the hub of the user who has the state directory.
        std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
        let checked = check(hub(), &[]);
        assert_eq!(checked.report["hub_user"], 65534, "{:#?}", checked.findings());
        let pki = scratch.join("pki");
        crypto::make_development_ca(&pki, &crypto::Development { names: &["own"], ..Default::default() })
            .unwrap();
        let signs =
            format!("sign_messages = true\ncertnames.\"fedmsg-hub.{}\" = \"own\"", crypto::hostname());
        let said = check(hub().config(&signs), &[]).only(Kind::SigningKey);
        assert!(said.contains("belongs to user 0, and not to user 65534, who is to sign"), "{said}");
        std::os::unix::fs::chown(pki.join("own.key"), Some(65534), None).unwrap();
        assert!(!check(hub().config(&signs), &[]).has(Kind::SigningKey));
        fs::remove_dir_all(pki).unwrap();
    }
    fs::remove_dir_all(&state).unwrap();

    fs::create_dir(scratch.join("pki")).unwrap();
    let key = scratch.write("pki/other.key", "");
    mode(&key, 0o640);
    let said = check(hub(), &[]).only(Kind::SecretExposed);
    assert!(said.contains("other.key is a private key that others may read (mode 0640)"), "{said}");
    mode(&key, 0o600);

    let secret = scratch.write("secret.toml", "[fedmsg.consumers.dummy]\npassword = \"hunter2\"\n");
    mode(&secret, 0o644);
    let with = |path: &Path| check(hub().arguments(&["--config", &path.display().to_string()]), &[]);
    let said = with(&secret).findings().join("\n");
    assert!(said.contains("secret.toml:2|fedmsg.consumers.dummy.password is a secret"), "{said}");
    assert!(!said.contains("hunter2"));
    let open = scratch.write("open.toml", "");
    mode(&open, 0o646);
    let checked = with(&open);
    let said = checked.only(Kind::OpenToAll);
    assert!(checked.code == Some(3) && said.contains("open.toml can be written by anybody"), "{said}");
}

#[test]
fn too_few_files_sockets_and_too_little_room_are_found() {
    let scratch = Scratch::new();
    let many: String = (0..400).map(|n| format!("endpoints.e{n} = \"ipc:///nowhere{n}\"\n")).collect();
    let checked = check(sound(&scratch).config(&many), &[]);
    assert!(checked.code == Some(3) && checked.only(Kind::Sockets).contains("401 endpoint names"));

    let few: String = (0..50).map(|n| format!("endpoints.e{n} = \"ipc:///nowhere{n}\"\n")).collect();
    let command = sound(&scratch).config(&few).arguments(&["check"]).command();
    let done = limited(&scratch, &command, &["sh"], "ulimit -n 128");
    assert_eq!(done.status.code(), Some(1), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("and 128 are allowed\n    LimitNOFILE=512"), "{}", done.stdout);

    let room = Hub::builder(&scratch).name("room").config(&format!("journal.max_bytes = {}", i64::MAX));
    let said = check(room, &[]).only(Kind::DiskSpace);
    assert!(said.contains("room.toml:1|the journal may take"), "{said}");
}

/// A shell in a user namespace of its own, which has limits of its own.
const ALONE: [&str; 3] = ["unshare", "-Ur", "sh"];
const NO_WATCH: &str = "echo 0 > /proc/sys/user/max_inotify_instances";

#[test]
fn a_system_that_lets_nobody_watch_files_is_told_of() {
    let scratch = Scratch::new();
    let mut alone = Command::new(ALONE[0]);
    let alone = alone.args(&ALONE[1..]).args(["-c", NO_WATCH]);
    if !alone.status().is_ok_and(|status| status.success()) {
        println!("not tested: this machine has no user namespaces");
        return;
    }
    let command = sound(&scratch).arguments(&["check"]).command();
    let done = limited(&scratch, &command, &ALONE, NO_WATCH);
    assert!(
        done.stdout.contains("hub.watch: changed files would not be seen"),
        "{}{}",
        done.stdout,
        done.stderr
    );
}

/// Runs a command by a shell, after this.
fn limited(scratch: &Scratch, command: &Command, shell: &[&str], before: &str) -> Finished {
    let script = format!("{before}; exec \"$@\"");
    let mut shell = {
        let mut program = Command::new(shell[0]);
        program.args(&shell[1..]);
        program
    };
    shell.args(["-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Process::run(scratch, "limited", &mut shell, "")
}

/// Fills the journal of a hub that is stopped: messages of this topic, so many, stamped so late; and a consumer's place.
fn fill(directory: &Path, consumer: &str, topic: &str, count: usize, late: u64) {
    let Opened { journal, mut appender, .. } =
        Journal::open(directory, &journal::Options::default()).unwrap();
    let cursor = journal.register(consumer, Start::New).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (received, stamped) = (UNIX_EPOCH + Duration::from_secs(now), now - late);
    let body = format!("{{\"topic\":\"{topic}\",\"timestamp\":{stamped},\"msg\":{{}}}}");
    let record = Record { received, endpoint: "e", flags: 0, note: b"", topic, body: body.as_bytes() };
    appender.append(&vec![record; count]).unwrap();
    drop((cursor, appender));
    journal.close().unwrap();
}

#[test]
fn the_journal_of_a_stopped_hub_tells_of_places_topics_and_clocks() {
    let scratch = Scratch::new();
    let hub = || sound(&scratch).config("fedmsg.consumers.dummy.topics = [\"org.*.bodhi.*\"]");
    let directory = hub().state_dir();
    fill(&directory, "dummy", "org.a.koji.x", 99, 0);
    fill(&directory, "gone", "org.a.koji.x", 0, 0);
    let checked = check(hub(), &[]);
    assert!(!checked.has(Kind::Unmatched) && !checked.has(Kind::ClockSkew) && !checked.has(Kind::Behind));
    let said = checked.only(Kind::StaleCursor);
    assert!(
        said.contains("consumer gone is not to run") && said.contains("fedmsg-hub consumer forget gone"),
        "{said}"
    );

    fill(&directory, "dummy", "org.a.koji.x", 10_000, 300);
    let checked = check(hub(), &[]);
    let said = checked.only(Kind::Unmatched);
    assert!(
        said.contains("hub.toml:5|consumer dummy: none of the newest 10000 messages")
            && said.contains("(org.*.bodhi.*)"),
        "{said}"
    );
    assert!(checked.only(Kind::ClockSkew).contains("messages of endpoint e come 300 s after"));
    assert!(checked.only(Kind::Behind).contains("consumer dummy is 10099 messages behind"));
    assert_eq!(checked.code, Some(0));

    fill(&directory, "dummy", "org.a.bodhi.x", 1, 300);
    assert!(!check(hub(), &[]).has(Kind::Unmatched));
}

#[test]
fn a_running_hub_is_asked_and_its_addresses_are_its_own() {
    let scratch = Scratch::new();
    let mut publisher = TestPublisher::default();
    let socket = scratch.ipc("monitoring");
    let hub = Hub::builder(&scratch)
        .plugin("misbehaving")
        .subscribed_to(&publisher)
        .config(&format!("monitoring.socket = \"{socket}\"\nendpoints.down = \"{}\"", scratch.ipc("nobody")))
        .config("misbehaving.panics_in_consume = { enabled = true, key = \"\", max_attempts = 1 }")
        .config("journal.max_bytes = 1048576\njournal.outcomes_bytes = 1048576");
    let running = hub.clone().start();
    running.log().wait_for("connected endpoint=e");
    running.log().wait_for("cannot connect");
    let checked = check(hub.clone(), &[]);
    assert_eq!(checked.report["running_hub"], running.process.id());
    assert!(!checked.has(Kind::CannotBind), "{:#?}", checked.findings());
    let said = checked.only(Kind::RunningHub);
    assert!(said.contains("endpoint down is not connected"), "{said}");
    publisher.wait_for_subscriber("t");
    publisher.publish("t", "{}");
    running.log().wait_for("message given up");
    let said = check(hub, &[]).only(Kind::DeadLetters);
    assert!(
        said.contains("1 messages were given up, and wait as dead letters (panics-in-consume 1)"),
        "{said}"
    );
}

#[test]
fn the_guide_for_operators_has_every_finding_with_its_exit_code_and_a_mend() {
    let guide = fs::read_to_string(workspace().join("docs/guide/operators.md")).unwrap();
    let (_, table) = guide.split_once("| finding | severity | code |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: BTreeMap<_, Vec<_>> = rows
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
        .map(|cells| (cells[0].trim_matches('`').to_owned(), cells))
        .collect();
    let mut known: Vec<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    known.sort_unstable();
    assert_eq!(rows.keys().map(String::as_str).collect::<Vec<_>>(), known);
    for kind in Kind::ALL {
        let [_, severity, code, what, mend] = rows[kind.word()][..] else { panic!("{kind:?}: five cells") };
        let expected = (kind.exit() as u8).to_string();
        assert_eq!(code, if severity == "warning" { "" } else { &expected }, "{kind:?}");
        assert!(!what.is_empty() && !mend.is_empty(), "{kind:?}");
    }
}
