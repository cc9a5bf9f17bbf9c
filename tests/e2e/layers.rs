//! Which crate may use which: the arrows of ARCHITECTURE.md, held against what cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Each crate and those of this workspace that it may depend on. Plugins may use `plugin-api`, and
/// `meta`, which is pure data; `trigger` shares with the command of its name how commands are run.
const ARROWS: &[(&str, &[&str])] = &[
    ("message", &[]),
    ("meta", &["message"]),
    ("crypto", &["message"]),
    ("bus", &["message"]),
    ("settings", &["bus", "crypto", "message"]),
    ("publish", &["bus", "crypto", "message", "settings"]),
    ("journal", &["message"]),
    ("control", &["journal", "message"]),
    ("exec", &[]),
    ("plugin-api", &["message"]),
    ("hub", &["bus", "control", "crypto", "journal", "message", "plugin-api", "publish", "settings"]),
    ("trigger", &["exec", "plugin-api"]),
    ("tools", &["bus", "crypto", "exec", "message", "meta", "publish", "settings"]),
    ("manual", &["hub", "tools"]),
    ("e2e", &["bus", "journal", "message"]),
    ("bench", &["e2e"]),
];

/// Crates from outside that only one crate of the workspace may name. deny.toml says it of the whole tree.
const FENCED: &[(&str, &str)] = &[
    ("zmq", "bus"),
    ("abi_stable", "plugin-api"),
    ("libloading", "plugin-api"),
    ("config", "settings"),
    ("openssl", "crypto"),
    ("hickory-resolver", "bus"),
];

fn packages() -> Vec<Value> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(e2e::workspace())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn dependencies(package: &Value) -> BTreeSet<&str> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|dependency| dependency["kind"].is_null()).map(|d| d["name"].as_str().unwrap()).collect()
}

#[test]
fn each_crate_uses_only_the_crates_below_it() {
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let arrows: BTreeMap<_, BTreeSet<&str>> =
        ARROWS.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let plugin = BTreeSet::from(["meta", "plugin-api"]);
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let inside: BTreeSet<&str> = dependencies(package).intersection(&names).copied().collect();
        let may = match arrows.get(name) {
            Some(may) => may,
            None => {
                assert!(
                    package["manifest_path"].as_str().unwrap().contains("/plugins/"),
                    "{name} has no place"
                );
                &plugin
            }
        };
        assert!(inside.is_subset(may), "{name} uses {:?}", inside.difference(may));
    }
}

#[test]
fn each_fenced_crate_has_one_user() {
    for package in &packages() {
        for (fenced, user) in FENCED {
            let uses = dependencies(package).contains(fenced);
            assert!(!uses || package["name"] == *user, "{} names {fenced}", package["name"]);
        }
    }
}

#[test]
fn only_plugin_api_may_be_unsafe() {
    for package in &packages() {
        let may = package["name"] == "plugin-api";
        for target in package["targets"].as_array().unwrap() {
            let kind = target["kind"][0].as_str().unwrap();
            if !matches!(kind, "lib" | "cdylib" | "bin") {
                continue;
            }
            let root = target["src_path"].as_str().unwrap();
            let text = fs::read_to_string(root).unwrap();
            assert!(may || text.contains("#![forbid(unsafe_code)]"), "{root} does not forbid unsafe code");
        }
    }
}

#[test]
fn each_plugin_folder_has_the_same_things() {
    for entry in fs::read_dir(e2e::workspace().join("plugins")).unwrap() {
        let folder = entry.unwrap().path();
        for thing in ["README.md", "sample.toml", "Cargo.toml", "src/lib.rs"] {
            assert!(folder.join(thing).exists(), "{} has no {thing}", folder.display());
        }
    }
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let mut long = Vec::new();
    for package in &packages() {
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        rust_files(&folder.join("src"), &mut long);
    }
    assert!(long.is_empty(), "{long:?}");
}

fn rust_files(folder: &Path, long: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, long);
        } else if path.extension().is_some_and(|e| e == "rs")
            && fs::read_to_string(&path).unwrap().lines().count() > 500
        {
            long.push(path.display().to_string());
        }
    }
}
