use settings::{Configuration, Sources};

use super::*;
use crate::plan::Trust;

/// The settings that this says.
fn settings_of(assignments: &[&str]) -> Settings {
    let assignments = assignments.iter().map(|text| (*text).to_owned()).collect();
    let sources = Sources { assignments, ..Sources::default() };
    Configuration::load(&sources).unwrap().settings().clone()
}

fn plan(settings: &Settings, inbound: &[&str]) -> Plan {
    let (bound, subscribed) =
        settings.endpoints.enabled().partition(|endpoint| inbound.contains(&endpoint.name.as_str()));
    Plan { consumers: Vec::new(), inbound: bound, subscribed }
}

/// What a change from one configuration without consumers to another is.
fn diff(old: &[&str], new: &[&str]) -> Result<Vec<String>, Vec<String>> {
    let (old, new) = (settings_of(old), settings_of(new));
    let diff =
        Diff::new((&plan(&old, &["in"]), &old), (&plan(&new, &["in"]), &new), |_| true, &BTreeMap::new());
    diff.map(|diff| diff.changes().iter().map(ToString::to_string).collect())
        .map_err(|keys| keys.iter().map(|path| path.join(".")).collect())
}

#[test]
fn what_is_the_same_is_no_difference() {
    let same = ["endpoints.a=tcp://a:1", "hub.drain_deadline=1s"];
    assert_eq!(diff(&same, &same), Ok(Vec::new()));
}

#[test]
fn endpoints_are_added_changed_and_removed_by_name() {
    let old = ["endpoints.a=tcp://a:1", "endpoints.b=tcp://b:1", "endpoints.c=tcp://c:1"];
    let new = ["endpoints.a=tcp://a:1", "endpoints.b=tcp://b:2", "endpoints.d=tcp://d:1"];
    assert_eq!(diff(&old, &new).unwrap(), ["added endpoint d", "changed endpoint b", "removed endpoint c"]);
}

#[test]
fn an_endpoint_that_was_subscribed_to_and_is_bound_now_is_another() {
    let settings = settings_of(&["endpoints.a=tcp://a:1"]);
    let (was, is) = (plan(&settings, &[]), plan(&settings, &["a"]));
    let diff = Diff::new((&was, &settings), (&is, &settings), |_| true, &BTreeMap::new()).unwrap();
    assert_eq!(diff.endpoints.changed, ["a".into()]);
}

#[test]
fn other_keys_are_named_by_their_paths() {
    let new = ["crypto.certnames={ \"a.b\" = \"c\" }", "log.level=debug", "journal.max_age=1h"];
    let said = diff(&[], &new).unwrap();
    assert_eq!(
        said,
        ["changed key crypto.certnames.a.b", "changed key journal.max_age", "changed key log.level"]
    );
}

#[test]
fn keys_that_are_read_at_the_start_alone_are_refused_all_together() {
    let new =
        ["zmq.io_threads=2", "hub.state_dir=/x", "log.format=json", "journal.mode=memory", "log.level=debug"];
    let said = diff(&[], &new).unwrap_err();
    assert_eq!(said, ["hub.state_dir", "journal.mode", "log.format", "zmq.io_threads"]);
}

#[test]
fn a_key_is_live_with_all_that_is_in_it_and_nothing_beside_it() {
    let is_live = |key: &str| is_live(&key.split('.').map(str::to_owned).collect::<Vec<_>>());
    assert!(
        is_live("crypto.certnames.a")
            && is_live("log.level")
            && is_live("endpoints")
            && is_live("srv_endpoints")
    );
    assert!(!is_live("log") && !is_live("log.format") && !is_live("journal.max_ages") && !is_live("zmq"));
}

/// The consumers of the test plugin, as planned with these tables.
fn planned(tables: &[&str]) -> (Settings, Plan) {
    let settings = settings_of(&["endpoints.out=tcp://*:1"]);
    let library = plugin_api::loader::Library::open(recorder()).unwrap();
    let names = ["recorder", "counter"];
    let consumers = library.consumers().iter().filter(|it| names.contains(&it.name())).zip(tables);
    let consumers = consumers.map(|(declared, table)| {
        let mut table = serde_json::from_str(table).unwrap();
        let options = crate::consumer::options::ConsumerOptions::take(&mut table).unwrap();
        let installed = crate::catalogue::Installed {
            name: declared.name().into(),
            key: declared.config_key().parse().unwrap(),
            declared: declared.clone(),
            library: library.path().into(),
            version: String::new(),
            api_version: String::new(),
            image: library.image(),
        };
        let config = Value::Object(table).to_string();
        let (topics, inbound, trust) =
            (options.topics.clone().unwrap_or_default(), Vec::new(), Trust::Anybody);
        let (outbound, patience) = (Vec::new(), None);
        PlannedConsumer { installed, options, config, topics, trust, inbound, outbound, patience }
    });
    let consumers = consumers.collect();
    (settings, Plan { consumers, inbound: Vec::new(), subscribed: Vec::new() })
}

/// It lies beside this test: it is built for it.
fn recorder() -> std::path::PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().join("librecorder.so")
}

fn consumers(old: &[&str], new: &[&str], running: bool, forwards: &[&str]) -> Vec<String> {
    let ((before, was), (mut after, is)) = (planned(old), planned(new));
    if !forwards.is_empty() {
        after = settings_of(&["endpoints.out=tcp://*:2"]);
    }
    let users = forwards.iter().map(|name| ConsumerName::from(*name)).collect();
    let forwarded = BTreeMap::from([("out".into(), users)]);
    let diff = Diff::new((&was, &before), (&is, &after), |_| running, &forwarded).unwrap();
    diff.changes().iter().filter(|it| it.thing == Thing::Consumer).map(ToString::to_string).collect()
}

#[test]
fn consumers_differ_by_their_tables_and_the_hubs_keys_in_them() {
    let none: [&str; 0] = [];
    assert_eq!(consumers(&["{\"path\":\"x\"}", "{}"], &["{\"path\":\"x\"}", "{}"], true, &[]), none);
    assert_eq!(
        consumers(&["{}", "{}"], &["{\"path\":\"y\"}", "{}"], true, &[]),
        ["changed consumer recorder"]
    );
    assert_eq!(consumers(&["{}", "{}"], &["{}", "{\"workers\":2}"], true, &[]), ["changed consumer counter"]);
    assert_eq!(
        consumers(&["{}", "{}"], &["{\"topics\":[\"a\"]}"], true, &[]),
        ["changed consumer recorder", "removed consumer counter"]
    );
    assert_eq!(consumers(&[], &["{}"], true, &[]), ["added consumer recorder"]);
}

#[test]
fn a_consumer_that_has_ended_is_started_again() {
    assert_eq!(consumers(&["{}"], &["{}"], false, &[]), ["added consumer recorder"]);
}

#[test]
fn a_consumer_is_another_when_an_endpoint_that_it_forwards_to_has_moved() {
    let said = consumers(&["{}", "{}"], &["{}", "{}"], true, &["counter"]);
    assert_eq!(said, ["changed consumer counter"]);
}
