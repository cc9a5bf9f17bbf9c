//! What is installed: the plugins in the plugin folders and the consumers in them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugin_api::loader::{Declared, Library, LoadError};
use settings::ConfigKey;

use crate::consumer::ConsumerName;
use crate::plan::Plan;

/// A consumer that is installed, switched on or not.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its name.
    pub name: ConsumerName,
    /// The key that switches it on.
    pub key: ConfigKey,
    /// What starts it.
    pub declared: Declared,
    /// The library it is in.
    pub library: Arc<Path>,
    /// The version of the library.
    pub version: String,
    /// The version of the plugin API that it is built for.
    pub api_version: String,
    /// Which loading of the library it comes from: another number is another library.
    pub image: u64,
}

/// Every installed consumer, by name, and what could not be loaded.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By name.
    pub consumers: BTreeMap<ConsumerName, Installed>,
    /// Files in the plugin folders that are no plugins for this hub.
    pub problems: Vec<CatalogueProblem>,
}

/// Why something in a plugin folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueProblem {
    /// The folder can't be listed.
    #[error("plugin folder {}: {error}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A library is no plugin, or one of another version.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Two libraries declare the same consumer.
    #[error("{}: consumer `{name}` is already in {}; remove one of the two files", .second.display(), .first.display())]
    SameName {
        /// The consumer's name.
        name: ConsumerName,
        /// Where it was found first, and is used from.
        first: Arc<Path>,
        /// Where it was found again.
        second: Arc<Path>,
    },
    /// Two consumers are switched on by the same key.
    #[error("{}: consumer `{name}` has the config_key {key} of consumer `{other}`", .library.display())]
    SameKey {
        /// The one that is left out.
        name: ConsumerName,
        /// The one that has the key.
        other: ConsumerName,
        /// The key.
        key: ConfigKey,
        /// The library of the one that is left out.
        library: Arc<Path>,
    },
    /// A `config_key` that is none.
    #[error("{}: consumer `{name}`: {error}", .library.display())]
    Key {
        /// The consumer.
        name: ConsumerName,
        /// Its library.
        library: Arc<Path>,
        /// What is wrong with the key.
        error: settings::ConfigKeyError,
    },
}

impl CatalogueProblem {
    /// Whether it leaves open which consumer is meant that is to run.
    #[must_use]
    pub fn is_about(&self, plan: &Plan) -> bool {
        let runs = |name: &ConsumerName| plan.consumers.iter().any(|planned| planned.installed.name == *name);
        match self {
            Self::SameName { name, .. } | Self::SameKey { other: name, .. } => runs(name),
            Self::Folder { .. } | Self::Load(_) | Self::Key { .. } => false,
        }
    }
}

impl Catalogue {
    /// Loads every `*.so` in the folders, in the order of folders and names. Folders that don't exist are
    /// skipped. A name that was already found in an earlier folder is a problem, not a replacement: which of
    /// two versions runs must not hang on an order.
    #[must_use]
    pub fn scan<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut catalogue = Self::default();
        for folder in folders {
            match libraries(folder) {
                Ok(paths) => {
                    for path in paths {
                        match Library::open(&path) {
                            Ok(library) => catalogue.add(&library),
                            Err(error) => {
                                if let Some(detail) = error.detail() {
                                    tracing::debug!(library = %path.display(), "{detail}");
                                }
                                catalogue.problems.push(error.into());
                            }
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    catalogue.problems.push(CatalogueProblem::Folder { folder: folder.to_owned(), error });
                }
            }
        }
        catalogue
    }

    /// The keys of every installed consumer.
    #[must_use]
    pub fn keys(&self) -> Vec<ConfigKey> {
        self.consumers.values().map(|consumer| consumer.key.clone()).collect()
    }

    fn add(&mut self, library: &Library) {
        let path: Arc<Path> = library.path().into();
        for declared in library.consumers() {
            if let Err(problem) = self.add_consumer(declared, &path, library) {
                self.problems.push(problem);
            }
        }
    }

    fn add_consumer(
        &mut self,
        declared: &Declared,
        path: &Arc<Path>,
        of: &Library,
    ) -> Result<(), CatalogueProblem> {
        let name = ConsumerName::from(declared.name());
        let library = Arc::clone(path);
        let key: ConfigKey = match declared.config_key().parse() {
            Ok(key) => key,
            Err(error) => return Err(CatalogueProblem::Key { name, library, error }),
        };
        if let Some(there) = self.consumers.get(&name) {
            let first = Arc::clone(&there.library);
            return Err(CatalogueProblem::SameName { name, first, second: library });
        }
        if let Some(there) = self.consumers.values().find(|there| there.key == key) {
            let other = there.name.clone();
            return Err(CatalogueProblem::SameKey { name, other, key, library });
        }
        let (version, api_version) = (of.version().to_owned(), of.api_version().to_owned());
        let (image, declared) = (of.image(), declared.clone());
        let installed =
            Installed { name: Arc::clone(&name), key, declared, library, version, api_version, image };
        self.consumers.insert(name, installed);
        Ok(())
    }
}

fn libraries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "so") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
