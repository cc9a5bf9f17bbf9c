//! Files that are no plugins, or none for this hub. Each is refused in one line, and nothing else happens.

use std::fs;
use std::path::{Path, PathBuf};

use plugin_api::loader::{Library, LoadError, LoadProblem};
use tempfile::TempDir;

use crate::plugin;

/// What is wrong with it, after a check that this is one line which begins with the path.
fn refusal(path: &Path) -> (LoadError, String) {
    let error = Library::open(path).unwrap_err();
    let line = error.to_string();
    let text = line.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    (error, text)
}

fn file(contents: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libbroken.so");
    fs::write(&path, contents).unwrap();
    (folder, path)
}

/// A copy of a plugin with something replaced.
fn patched(from: &[u8], to: &[u8]) -> (TempDir, PathBuf) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(plugin("dummy")).unwrap();
    let places: Vec<_> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    file(&bytes)
}

#[test]
fn a_missing_file() {
    let (error, _) = refusal(Path::new("/nonexistent/libnone.so"));
    assert!(matches!(error.problem(), LoadProblem::Unreadable(_)));
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(refusal(folder.path()).0.problem(), LoadProblem::NotShared(_)));
}

#[test]
fn a_text_file_and_an_empty_one() {
    for contents in ["", "#!/bin/sh\n"] {
        let (_folder, path) = file(contents.as_bytes());
        assert!(matches!(refusal(&path).0.problem(), LoadProblem::NotShared(_)), "{contents:?}");
    }
}

#[test]
fn a_plugin_cut_anywhere() {
    let whole = fs::read(plugin("dummy")).unwrap();
    for percent in [1, 10, 50, 90, 99] {
        let (_folder, path) = file(&whole[..whole.len() * percent / 100]);
        assert!(matches!(refusal(&path).0.problem(), LoadProblem::Incomplete { .. }), "{percent} %");
    }
    let (_folder, path) = file(&whole[..20]);
    assert!(matches!(refusal(&path).0.problem(), LoadProblem::NotShared(_)));
}

#[test]
fn a_plugin_for_another_machine() {
    // `e_machine` is at byte 18; 8 is MIPS.
    let mut bytes = fs::read(plugin("dummy")).unwrap();
    bytes[18..20].copy_from_slice(&8_u16.to_ne_bytes());
    let (_folder, path) = file(&bytes);
    assert!(matches!(refusal(&path).0.problem(), LoadProblem::OtherMachine { theirs: 8, .. }));
}

#[test]
fn a_shared_object_that_is_no_plugin() {
    let (_folder, path) = patched(b"fedmsg_plugin\0", b"fedmsg_plagin\0");
    let (error, text) = refusal(&path);
    assert!(matches!(error.problem(), LoadProblem::NotAPlugin));
    assert!(text.contains("export_plugin!"), "{text}");
}

#[test]
fn a_plugin_of_another_api_version() {
    let (_folder, path) = patched(b"fedmsg plugin API 1.2", b"fedmsg plugin API 2.0");
    let (error, text) = refusal(&path);
    assert!(matches!(error.problem(), LoadProblem::ApiVersion { theirs } if theirs == "2.0"));
    assert_eq!(text, "is built for plugin API 2.0, this hub has 1.2: rebuild it with this hub's plugin-api");
}

#[test]
fn a_plugin_of_another_minor_version_is_welcome_when_the_layouts_agree() {
    let (_folder, path) = patched(b"fedmsg plugin API 1.2", b"fedmsg plugin API 1.9");
    assert_eq!(Library::open(&path).unwrap().api_version(), "1.9");
}
