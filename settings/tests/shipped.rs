//! The shipped `hub.toml` is the reference of every key, so it must say what the code does.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use settings::{Configuration, Settings, Sources};

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../hub.toml")
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let sources = Sources { required: vec![shipped()], ..Sources::default() };
    let mut said = Configuration::load(&sources).unwrap().settings().clone();
    // Without an address there would be nothing to see; the code has none built in.
    assert!(said.endpoints.endpoint("relay_inbound").is_some());
    said.endpoints = Settings::default().endpoints;
    assert_eq!(said, Settings::default());
}

#[test]
fn the_shipped_file_has_every_key() {
    let text = std::fs::read_to_string(shipped()).unwrap();
    let file: toml_edit::DocumentMut = text.parse().unwrap();
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    let missing: BTreeSet<_> = leaves(&defaults, "")
        .into_iter()
        .filter(|key| {
            let mut item = Some(file.as_item());
            for name in key.split('.') {
                item = item.and_then(|table| table.get(name));
            }
            item.is_none()
        })
        .collect();
    assert_eq!(missing, BTreeSet::new());
}

fn leaves(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Object(table) => table
            .iter()
            .flat_map(|(key, value)| {
                leaves(value, &format!("{path}{}{key}", if path.is_empty() { "" } else { "." }))
            })
            .collect(),
        _ => vec![path.to_owned()],
    }
}
