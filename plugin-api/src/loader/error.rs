//! Why a file is no library of plugins.

use std::path::{Path, PathBuf};

use crate::export::SYMBOL;
use crate::version;

/// Why a file is no library of plugins. One line; [`LoadError::detail`] has the rest.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub struct LoadError {
    path: PathBuf,
    problem: LoadProblem,
}

/// What is wrong with a file that was to be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadProblem {
    /// It can't be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is no ELF shared object.
    #[error("is no shared object: {0}")]
    NotShared(String),
    /// It is one of another kind of machine.
    #[error("is built for another machine (ELF machine {theirs}, here {ours})")]
    OtherMachine {
        /// `e_machine` of the file.
        theirs: u16,
        /// `e_machine` of this machine.
        ours: u16,
    },
    /// Its end is missing; to load it would kill the process.
    #[error("is incomplete: {present} bytes of {needed}; is it still being copied?")]
    Incomplete {
        /// Bytes that its headers speak of.
        needed: u64,
        /// Bytes that there are.
        present: u64,
    },
    /// It doesn't use `export_plugin!`.
    #[error("is no plugin: it does not export `{SYMBOL}` (is `export_plugin!` missing?)")]
    NotAPlugin,
    /// The dynamic linker refuses it.
    #[error("cannot be loaded: {0}")]
    Refused(String),
    /// Its plugin API has another major version.
    #[error(
        "is built for plugin API {theirs}, this hub has {}: rebuild it with this hub's plugin-api",
        version::API_VERSION
    )]
    ApiVersion {
        /// The version that the library states.
        theirs: String,
    },
    /// The types at the border differ although the versions agree.
    #[error(
        "does not fit this hub, although both have plugin API {}: rebuild it with this hub's plugin-api",
        version::API_VERSION
    )]
    Layout {
        /// Every difference, on hundreds of lines.
        report: String,
    },
    /// It is built with `panic = "abort"`: its first panic would end the hub.
    #[error(
        "is built with panic=\"abort\", so that a panic in it would end the hub: build it with panic=\"unwind\""
    )]
    PanicAbort,
    /// What it declares makes no sense.
    #[error("declares {0}")]
    Declaration(String),
}

impl LoadError {
    pub(super) fn new(path: &Path, problem: LoadProblem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &LoadProblem {
        &self.problem
    }

    /// What else is known, on many lines, for the debug log.
    pub fn detail(&self) -> Option<&str> {
        match &self.problem {
            LoadProblem::Layout { report } => Some(report),
            _ => None,
        }
    }
}
