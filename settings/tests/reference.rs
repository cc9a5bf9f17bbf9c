//! `docs/reference/configuration.md` says what the code does: every key, no other, each with its default.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use settings::Settings;

#[test]
fn the_reference_has_every_key_with_its_default_and_no_other() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/configuration.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (hub, _) = text.split_once("## The table of a consumer").unwrap();
    let said: BTreeMap<String, Value> = hub.lines().filter_map(row).collect();
    let mut expected = BTreeMap::new();
    leaves("", &serde_json::to_value(Settings::default()).unwrap(), &mut expected);
    assert_eq!(said, expected);
}

/// Key and default of a table's row; a default in code is a value, in words it is none.
fn row(line: &str) -> Option<(String, Value)> {
    let [key, _, default, ..] = line.strip_prefix("| `")?.split(" | ").collect::<Vec<_>>()[..] else {
        return None;
    };
    let code = default.strip_prefix('`').and_then(|code| code.strip_suffix('`'));
    let value = code.map_or(Value::Null, |code| serde_json::from_str(code).unwrap());
    Some((key.trim_end_matches('`').to_owned(), value))
}

fn leaves(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        // Its keys are names of the operator's choice.
        Value::Object(_) if ["endpoints", "crypto.certnames", "crypto.routing_policy"].contains(&path) => {
            drop(into.insert(format!("{path}.NAME"), Value::Null));
        }
        Value::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(&path, value, into);
            }
        }
        _ => drop(into.insert(path.to_owned(), value.clone())),
    }
}
