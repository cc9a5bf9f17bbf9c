//! Reads a consumer's table of the configuration into its `Config`.

use serde::de::DeserializeOwned;

use crate::error::ConfigProblem;

/// Reads a JSON object.
pub(crate) fn read<C: DeserializeOwned>(json: &str) -> Result<C, Vec<ConfigProblem>> {
    serde_json::from_str(json)
        .map_err(|error| vec![ConfigProblem { key_path: String::new(), message: error.to_string() }])
}
