//! Reads a consumer's table of the configuration into its `Config`, and says of everything wrong where it is.

mod reader;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ConfigProblem;
use reader::Reader;

/// Reads a JSON object.
pub(crate) fn read<C: DeserializeOwned>(json: &str) -> Result<C, Vec<ConfigProblem>> {
    let table: Value = serde_json::from_str(json).map_err(|error| vec![problem("", &error)])?;
    let unknown = RefCell::default();
    let result = C::deserialize(Reader::new(&table, &unknown));
    let mut problems = unknown.into_inner();
    match result {
        Ok(config) if problems.is_empty() => return Ok(config),
        Ok(_) => {}
        Err(error) => problems.push(error.into()),
    }
    Err(problems)
}

fn problem(key_path: &str, message: &dyn ToString) -> ConfigProblem {
    ConfigProblem { key_path: key_path.to_owned(), message: message.to_string() }
}
