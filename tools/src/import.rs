//! A Python fedmsg's configuration, as our own: what its literals say, without running any of it.

mod convert;
mod keys;
mod lexer;
mod module;
mod parser;

use std::io;
use std::path::{Path, PathBuf};

use self::convert::Converter;
use self::module::parse;
pub use self::parser::SyntaxError;
use self::parser::{Dict, Literal, Value};
use crate::input::universal_newlines;

/// What came out.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The text of a `hub.toml`, with the notes in comments.
    pub(crate) toml: String,
    /// What was not taken over, with place and reason, in the order of the files.
    pub(crate) notes: Vec<String>,
}

/// Why nothing came out.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not Python, as far as that can be told.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// What and where.
        source: SyntaxError,
    },
    /// A folder without `*.py`.
    #[error("{} has no *.py; name the folder fedmsg.d or a file of it", .0.display())]
    Nothing(PathBuf),
}

/// Reads files, and the `*.py` of folders by name. Later ones win, dicts merge deeply, as in Python's
/// `fedmsg/config.py`.
pub(crate) fn import(paths: &[PathBuf]) -> Result<Imported, ImportError> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(python_files(path)?);
    }
    let mut config = Dict::new();
    let mut converter = Converter::new(&files);
    for (n, path) in files.iter().enumerate() {
        let source = std::fs::read_to_string(path)
            .map_err(|source| ImportError::Unreadable { path: path.clone(), source })?;
        let module = parse(&universal_newlines(&source), n)
            .map_err(|source| ImportError::Syntax { path: path.clone(), source })?;
        for (line, statement) in module.skipped {
            converter.skipped(n, line, &statement);
        }
        match module.config {
            Some(Literal { value: Value::Dict(members), .. }) => merge(&mut config, members),
            Some(Literal { value, line, .. }) => {
                converter.skipped(n, line, &format!("config = {}", words(&value)));
            }
            None => converter.note_place(n, 1, "the file sets no `config`; nothing of it is taken over"),
        }
    }
    for (key, literal) in &config {
        converter.take(key, literal);
    }
    Ok(converter.finish())
}

fn python_files(path: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "py") && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err(ImportError::Nothing(path.to_owned())) } else { Ok(files) }
}

fn merge(into: &mut Dict, from: Dict) {
    for (key, new) in from {
        match (into.get_mut(&key), new) {
            (Some(Literal { value: Value::Dict(old), .. }), Literal { value: Value::Dict(new), .. }) => {
                merge(old, new);
            }
            (_, new) => drop(into.insert(key, new)),
        }
    }
}

/// A value in a few words, for a note.
fn words(value: &Value) -> String {
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Text(text) => format!("{text:?}"),
        Value::List(_) => "[…]".to_owned(),
        Value::Dict(_) => "{…}".to_owned(),
        Value::Opaque(source) => source.clone(),
    }
}

#[cfg(test)]
mod tests;
