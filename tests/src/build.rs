//! The programs and plugins under test, built from this tree.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// The folder with the binaries and libraries of this build, brought up to date once, so that no test runs
/// against an older one.
fn target() -> &'static Path {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(|| {
        // target/<profile>/deps/e2e-…, or target/<profile>/bench
        let program = std::env::current_exe().expect("a running program has a file");
        let folder = program.parent().expect("a file lies in a folder");
        let target =
            if folder.ends_with("deps") { folder.parent().expect("target/") } else { folder }.to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--workspace", "--quiet"]).current_dir(workspace());
        cargo.env("CARGO_TARGET_DIR", target.parent().expect("target/"));
        if target.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "the workspace does not build");
        target
    })
}

/// A program of the workspace.
pub fn binary(name: &str) -> PathBuf {
    target().join(name)
}

/// The library of a plugin of the workspace.
pub fn library(plugin: &str) -> PathBuf {
    target().join(format!("lib{plugin}.so"))
}
