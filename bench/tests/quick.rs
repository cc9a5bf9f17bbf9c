//! The bench works: whatever the figures are.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use serde_json::Value;

#[test]
fn a_quick_run_measures_every_scenario_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("results.json");
    let output =
        Command::new(env!("CARGO_BIN_EXE_bench")).args(["--quick", "--json"]).arg(&json).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    let results: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let scenarios = results["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 19);
    for scenario in scenarios {
        assert!(table.contains(scenario["name"].as_str().unwrap()), "{table}");
        let run = &scenario["runs"][0];
        assert_eq!(run["lost"], 0, "{scenario:#}");
        assert!(run["rate"].as_f64().unwrap() > 0.0, "{scenario:#}");
        assert_eq!(run["latency"].is_object(), scenario["rate"] != 0, "{scenario:#}");
    }
    assert!(table.contains("memory mode to C, bus"), "{table}");
}
