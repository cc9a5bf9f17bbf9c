//! Merging the layers, by crate `config`, into one tree.

use config::{ConfigBuilder, ValueKind, builder::DefaultState};
use serde_json::{Map, Value};

use crate::layer::Layer;
use crate::origin::Origins;
use crate::{Origin, Problem};

/// The layers merged, later ones over earlier ones.
///
/// The tree is JSON because that is how a consumer's table crosses the border to its plugin, and because
/// JSON is strict about types where crate `config` would take `"yes"` for `true`.
pub(crate) fn merge(layers: Vec<Layer>) -> Result<(Map<String, Value>, Origins), Problem> {
    let mut origins = Origins::default();
    let mut builder = ConfigBuilder::<DefaultState>::default();
    for layer in layers {
        origins.overlay(layer.origins());
        builder = builder.add_source(layer);
    }
    let merged = builder
        .build()
        .map_err(|error| Problem::new(Origin::Default, "", format!("cannot merge the layers: {error}")))?;
    match json(merged.cache) {
        Value::Object(tree) => Ok((tree, origins)),
        other => Err(Problem::new(Origin::Default, "", format!("expected tables and keys, found `{other}`"))),
    }
}

fn json(value: config::Value) -> Value {
    match value.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(truth) => truth.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        // Layers make neither of these two: TOML's integers have 64 bits.
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        // `inf` and `nan` have no JSON form; as words they fail the type check of the key they stand at.
        ValueKind::Float(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
        }
        ValueKind::String(text) => text.into(),
        ValueKind::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
        ValueKind::Array(array) => array.into_iter().map(json).collect(),
    }
}
