//! The border with real shared objects: `cargo test` builds the plugins among the dev-dependencies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy does not see that helpers of tests are tests")]

mod batches;
mod calling;
mod files;
mod host;
mod loading;
mod logging;
mod panics;

use std::path::PathBuf;

use plugin_api::loader::{Declared, Library};

/// The shared object of a plugin, beside this test's own binary.
fn plugin(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.with_file_name(format!("lib{name}.so"))
}

/// A consumer of the library of misbehaving ones.
fn misbehaving(name: &str) -> Declared {
    let library = Library::open(plugin("misbehaving")).unwrap();
    library.consumers().iter().find(|consumer| consumer.name() == name).unwrap().clone()
}
