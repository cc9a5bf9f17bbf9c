//! What libraries say of themselves.

use std::time::Duration;

use plugin_api::loader::Library;
use plugin_api::{API_VERSION, Outbound, Pattern};

use crate::{misbehaving, plugin};

fn names(library: &Library) -> Vec<&'static str> {
    library.consumers().iter().map(plugin_api::loader::Declared::name).collect()
}

#[test]
fn each_library_gives_its_own_consumers() {
    let dummy = Library::open(plugin("dummy")).unwrap();
    let recorder = Library::open(plugin("recorder")).unwrap();
    assert_eq!(names(&dummy), ["dummy"]);
    assert_eq!(names(&recorder)[..2], ["recorder", "counter"]);
    assert_eq!(recorder.consumers()[1].config_key(), "counter.enabled");
    assert_eq!((recorder.name(), recorder.version()), ("recorder", env!("CARGO_PKG_VERSION")));
    assert_eq!(recorder.api_version(), API_VERSION);
}

#[test]
fn opening_a_library_twice_is_harmless() {
    let first = Library::open(plugin("dummy")).unwrap();
    let second = Library::open(plugin("dummy")).unwrap();
    assert_eq!(names(&first), names(&second));
}

#[test]
fn a_file_that_has_taken_anothers_place_is_what_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("libplugin.so"), folder.path().join("next"));
    std::fs::copy(plugin("dummy"), &path).unwrap();
    let first = Library::open(&path).unwrap();
    for _ in 0..2 {
        let whole = std::fs::read(plugin("relay")).unwrap();
        std::fs::write(&next, &whole[..whole.len() / 2]).unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert!(Library::open(&path).unwrap_err().to_string().contains("incomplete"));
        std::fs::write(&next, &whole).unwrap();
        std::fs::rename(&next, &path).unwrap();
        let second = Library::open(&path).unwrap();
        assert_eq!((names(&second), second.path()), (vec!["relay"], &*path));
        assert_eq!(second.image(), Library::open(&path).unwrap().image());
        assert_ne!(second.image(), first.image());
    }
    assert_eq!(names(&first), ["dummy"], "what is in use stays");
}

#[test]
fn a_copy_under_another_name_is_another_library() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("libcopy.so");
    std::fs::copy(plugin("dummy"), &copy).unwrap();
    assert_eq!(Library::open(&copy).unwrap().path(), copy);
}

#[test]
fn a_relative_path_is_no_search_in_library_folders() {
    let error = Library::open("libc.so.6").unwrap_err();
    assert!(error.to_string().starts_with("libc.so.6: cannot be read: "), "{error}");
}

#[test]
fn a_consumer_says_what_it_wants_with_a_configuration() {
    let dummy = Library::open(plugin("dummy")).unwrap().consumers()[0].describe("{}").unwrap();
    assert_eq!((dummy.topics, dummy.inbound), (vec![Pattern::from("*")], vec![]));
    let relay = Library::open(plugin("relay")).unwrap();
    let relay = relay.consumers()[0].describe(r#"{"inbound":"here"}"#).unwrap();
    assert_eq!((relay.topics, relay.inbound, relay.patience), (vec![], vec!["here".to_owned()], None));
    assert_eq!(relay.outbound, [Outbound::Endpoint("relay_outbound".to_owned())]);
    let patient = misbehaving("drops").describe(r#"{"patience":7200}"#).unwrap();
    assert_eq!(patient.patience, Some(Duration::from_secs(7200)));
}

#[test]
fn a_configuration_that_does_not_fit_is_refused_with_every_problem() {
    let error = misbehaving("talks").describe(r#"{"tims":1,"times":"x"}"#).unwrap_err();
    let paths: Vec<_> = error.problems.iter().map(|problem| &*problem.key_path).collect();
    assert_eq!(paths, ["tims", "times"]);
    assert_eq!(error.problems[0].message, "unknown key; did you mean `times`?");
    assert_eq!(
        error.to_string(),
        "tims: unknown key; did you mean `times`?; times: invalid type: string \"x\", expected u32"
    );
}
