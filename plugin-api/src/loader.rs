//! Opens libraries of plugins: file checks, then the API version, then the layout, then what they declare.
//! The host's side only; no plugin code runs before its file and the names in it have been looked at.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use abi_stable::abi_stability::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError, RootModuleError};
use abi_stable::std_types::RVec;
use abi_stable::type_layout::TypeLayout;
use libloading::os::unix::{Library as Image, RTLD_LOCAL, RTLD_NOW};
use message::Pattern;

use crate::abi;
use crate::consumer::Outbound;
use crate::elf;
use crate::error::{ConfigError, ConfigProblem, StartError};
use crate::export::SYMBOL;
use crate::host::{Adapter, Host};
use crate::instance::Instance;
use crate::version;

mod error;
mod files;
#[cfg(test)]
mod tests;

pub use error::{LoadError, LoadProblem};

/// A library of plugins, loaded for the rest of the process's life.
#[derive(Debug, Clone)]
pub struct Library {
    path: PathBuf,
    image: u64,
    name: &'static str,
    version: &'static str,
    api_version: &'static str,
    consumers: Vec<Declared>,
}

/// A consumer that a library has, not started.
#[derive(Clone)]
pub struct Declared {
    declaration: abi::DeclarationRef,
}

/// What a consumer asks for with a given configuration.
#[derive(Debug, Clone)]
pub struct Wants {
    /// It gets the messages whose topic matches one of them.
    pub topics: Vec<Pattern>,
    /// Endpoints that the hub binds for this consumer alone.
    pub inbound: Vec<String>,
    /// What it publishes by; nothing if it is built for plugin API 1.1 or older.
    pub outbound: Vec<Outbound>,
    /// How long it may be at one message, if it says so.
    pub patience: Option<Duration>,
}

impl Library {
    /// Loads the library at `path`.
    ///
    /// It stays loaded for ever: its threads, its thread-locals and every text it ever gave to the hub may
    /// outlive what the hub knows of. Loading the same file again gives the same library; a file that has taken its
    /// place, or was written anew, gives another one, of which a copy stays in memory.
    ///
    /// # Errors
    /// [`LoadError`] says why it is no library of plugins that this hub can use.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let library = open(path).map_err(|problem| LoadError::new(path, problem))?;
        Ok(Self { path: path.to_owned(), ..library })
    }

    /// Which loading of this process it comes from: another number is another library.
    pub fn image(&self) -> u64 {
        self.image
    }

    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of its crate.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The version of its crate.
    pub fn version(&self) -> &str {
        self.version
    }

    /// The version of the plugin API it was built for.
    pub fn api_version(&self) -> &str {
        self.api_version
    }

    /// The consumers in it; at least one, no two of the same name or key.
    pub fn consumers(&self) -> &[Declared] {
        &self.consumers
    }
}

impl Declared {
    pub(crate) fn new(declaration: abi::DeclarationRef) -> Self {
        Self { declaration }
    }

    /// The consumer's name.
    pub fn name(&self) -> &'static str {
        self.declaration.name().as_str()
    }

    /// The dotted key that switches it on; the table of its last part is the consumer's configuration.
    pub fn config_key(&self) -> &'static str {
        self.declaration.config_key().as_str()
    }

    /// What it asks for with this configuration: a JSON object, the consumer's table without its switch.
    /// Starts nothing.
    ///
    /// # Errors
    /// The configuration is not what the consumer expects.
    pub fn describe(&self, config: &str) -> Result<Wants, ConfigError> {
        let refused = |problems: RVec<abi::Problem>| {
            let problems = problems.into_iter().map(|problem| ConfigProblem {
                key_path: problem.key_path.into_string(),
                message: problem.message.into_string(),
            });
            ConfigError { problems: problems.collect() }
        };
        let wants = self.declaration.describe()(config.into()).into_result().map_err(refused)?;
        let outbound = self.declaration.outbound().map(|outbound| outbound(config.into()).into_result());
        let outbound = outbound.transpose().map_err(refused)?.unwrap_or_default();
        let [patience, ..] = wants.reserved;
        Ok(Wants {
            outbound: outbound.into_iter().filter_map(Option::from).collect(),
            patience: (patience > 0).then(|| Duration::from_millis(patience)),
            topics: wants.topics.iter().map(|topic| Pattern::from(topic.as_str())).collect(),
            inbound: wants.inbound.into_iter().map(Into::into).collect(),
        })
    }

    /// Starts it on the calling thread.
    ///
    /// # Errors
    /// The consumer's own, a configuration that doesn't fit (fatal), or a panic (fatal).
    pub fn start(&self, config: &str, host: Arc<dyn Host>) -> Result<Instance, StartError> {
        let host = abi::HostBox::from_value(Adapter(host), abi_stable::sabi_trait::TD_Opaque);
        let instance = self.declaration.start()(config.into(), host).into_result()?;
        Ok(Instance::new(instance))
    }
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declared")
            .field("name", &self.name())
            .field("config_key", &self.config_key())
            .finish()
    }
}

/// Loads it, unless it was loaded before.
fn open(path: &Path) -> Result<Library, LoadProblem> {
    // With an absolute path the linker looks at this very file and searches no folder for its name.
    let path = path.canonicalize()?;
    let identity = files::Identity::from(&path.metadata()?);
    let mut loaded = files::loaded();
    let library = match loaded.get(&path) {
        Some(Some((of, library))) if *of == identity => return Ok(library.clone()),
        Some(_) => {
            elf::check_kind(&path)?;
            load(&files::private_copy(&path)?, || {})?
        }
        None => load(&path, || drop(loaded.insert(path.clone(), None)))?,
    };
    loaded.insert(path, Some((identity, library.clone())));
    Ok(library)
}

/// Loads what is at an absolute path, and says before when that gets to the linker.
fn load(path: &Path, linking: impl FnOnce()) -> Result<Library, LoadProblem> {
    static IMAGES: AtomicU64 = AtomicU64::new(0);
    elf::check(path, SYMBOL)?;
    linking();
    let header = header(path)?;
    let stated = header.version_strings().version.as_str();
    let api_version = version::stated(stated).unwrap_or(stated);
    if !version::is_compatible(api_version) {
        return Err(LoadProblem::ApiVersion { theirs: api_version.to_owned() });
    }
    let plugin = root_module(header)?;
    Ok(Library {
        path: path.to_owned(),
        image: IMAGES.fetch_add(1, Relaxed),
        name: plugin.name().as_str(),
        version: plugin.version().as_str(),
        api_version,
        consumers: declared(plugin)?,
    })
}

/// The library's static that tells its version and layout and makes its root module.
fn header(path: &Path) -> Result<&'static LibHeader, LoadProblem> {
    let refused = |error: libloading::Error| LoadProblem::Refused(error.to_string());
    // All its symbols are resolved now: a missing one found later, in a call, would end the process.
    // SAFETY: initialisers of the library run. That is as safe as the library itself, which the operator put
    // into the plugin folder to run in this process; that it is a whole shared object was checked.
    let image = unsafe { Image::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(refused)?;
    // SAFETY: under this name `export_plugin!` writes a `LibHeader`, which begins with the `AbiHeader` that
    // an
    // `AbiHeaderRef` points to; `upgrade` checks its magic bytes before it looks any further.
    let header = *unsafe { image.get::<AbiHeaderRef>(SYMBOL.as_bytes()) }.map_err(refused)?;
    // Never unloaded: dlclose would not unmap a library with thread-locals, and would pull the ground from
    // under the others that a plugin's threads still run in.
    std::mem::forget(image);
    header.upgrade().map_err(|error| match error {
        LibraryError::InvalidAbiHeader(theirs) => LoadProblem::Refused(format!(
            "its abi_stable has version {}.{} of its ABI, the hub's another one",
            theirs.abi_major, theirs.abi_minor
        )),
        _ => LoadProblem::Layout { report: error.to_string() },
    })
}

fn root_module(header: &'static LibHeader) -> Result<abi::PluginRef, LoadProblem> {
    let theirs = header.layout().ok_or_else(|| LoadProblem::Layout { report: "it has none".to_owned() })?;
    check_layouts(abi::PluginRef::LAYOUT, theirs).map_err(|report| LoadProblem::Layout { report })?;
    // SAFETY: the layouts agree as far as the older of both goes, and what is behind that end of a prefix
    // type is only reached by accessors that look whether it is there.
    unsafe { header.unchecked_layout::<abi::PluginRef>() }.map_err(|error| match error {
        RootModuleError::Unwound => {
            LoadProblem::Refused("it panicked while it declared its consumers".to_owned())
        }
        RootModuleError::Returned(error) => LoadProblem::Refused(error.to_string()),
    })
}

/// Checks that one of both is a beginning of the other: an older plugin knows a beginning of our types, a
/// newer one has ours as its beginning.
fn check_layouts(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), String> {
    check_layout_compatibility(ours, theirs)
        .or_else(|report| check_layout_compatibility(theirs, ours).map_err(|_| report))
        .map_err(|report| report.to_string())
}

fn declared(plugin: abi::PluginRef) -> Result<Vec<Declared>, LoadProblem> {
    if !plugin.unwinds() {
        return Err(LoadProblem::PanicAbort);
    }
    let consumers: Vec<_> =
        plugin.consumers().iter().map(|declaration| Declared::new(*declaration)).collect();
    let (mut names, mut keys) = (HashSet::new(), HashSet::new());
    let problem = consumers.iter().find_map(|consumer| {
        let (name, key) = (consumer.name(), consumer.config_key());
        if name.is_empty() {
            Some("a consumer without a name".to_owned())
        } else if !key.contains('.') || key.split('.').any(str::is_empty) {
            Some(format!(
                "consumer `{name}` with the config key `{key}`, which is not of the form `table.key`"
            ))
        } else if !names.insert(name) {
            Some(format!("two consumers of the name `{name}`"))
        } else if !keys.insert(key) {
            Some(format!("two consumers with the config key `{key}`"))
        } else {
            None
        }
    });
    match problem {
        Some(problem) => Err(LoadProblem::Declaration(problem)),
        None if consumers.is_empty() => Err(LoadProblem::Declaration("no consumer".to_owned())),
        None => Ok(consumers),
    }
}
