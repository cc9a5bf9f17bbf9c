//! Which files, variables and arguments make up the configuration, and in which order.

use std::io;
use std::path::{Path, PathBuf};

use crate::layer::Layer;
use crate::{Origin, Problem, Problems, Settings};

const SYSTEM: &str = "/etc/fedmsg";
const MAIN: &str = "hub.toml";
const MORE: &str = "hub.d";
const VARIABLE_PREFIX: &str = "FEDMSG_HUB__";

/// Where to look for configuration. [`Sources::from_environment`] is what every program uses; tests build
/// their own, so that none depends on the machine it runs on.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Folders that may hold `hub.toml` and `hub.d/*.toml`; what is absent is skipped.
    pub folders: Vec<PathBuf>,
    /// Files, or folders of `*.toml`, that must exist (`--config`), merged after the folders.
    pub required: Vec<PathBuf>,
    /// Environment variables; those that begin with `FEDMSG_HUB__` count, `__` stands for the dot.
    pub variables: Vec<(String, String)>,
    /// `KEY=VALUE` that the program itself brings: they count over files, and under variables and command line.
    pub presets: Vec<String>,
    /// `KEY=VALUE` from the command line (`--set`).
    pub assignments: Vec<String>,
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct ReadFile {
    pub(crate) path: PathBuf,
    /// Nothing stands in it.
    pub(crate) is_blank: bool,
}

impl ReadFile {
    /// It is no fragment, of which others may come and go.
    fn is_main(&self) -> bool {
        let in_more = self.path.parent().is_some_and(|folder| folder.ends_with(MORE));
        self.path.ends_with(MAIN) && !in_more
    }

    /// What has become of it that hardly anybody means: a main file has gone, or, if that is asked, it has been emptied.
    pub(crate) fn lost(&self, now: &[Self], or_emptied: bool) -> Option<Problem> {
        let message = match now.iter().find(|file| file.path == self.path) {
            None if self.is_main() => "has gone; put it back, or an empty file in its place",
            Some(now) if or_emptied && now.is_blank && !self.is_blank => {
                "is empty now; if that is meant, say `fedmsg-hub reload`"
            }
            _ => return None,
        };
        Some(Problem::new(Origin::File(self.path.clone(), None), "", message))
    }
}

impl Sources {
    /// `/etc/fedmsg`, the current folder, the process's environment, and what the command line adds.
    ///
    /// `FEDMSG_CONFIG` names one file or folder that is read in place of `/etc/fedmsg` and the current
    /// folder, as in Python's fedmsg (`fedmsg/config.py`).
    #[must_use]
    pub fn from_environment(required: Vec<PathBuf>, assignments: Vec<String>) -> Self {
        // What is no UTF-8 in a value of ours fails as that key's value, and so is not silently left out.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .collect();
        match std::env::var_os("FEDMSG_CONFIG").filter(|only| !only.is_empty()) {
            Some(only) => {
                let required = std::iter::once(PathBuf::from(only)).chain(required).collect();
                Self { required, variables, assignments, ..Self::default() }
            }
            None => {
                let folders = vec![PathBuf::from(SYSTEM), PathBuf::from(".")];
                Self { folders, required, variables, assignments, ..Self::default() }
            }
        }
    }

    /// The files that may be read, there or not, and the folders of which every `*.toml` is: what to watch.
    #[must_use]
    pub fn places(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut folders, mut files): (Vec<_>, Vec<_>) =
            self.required.iter().cloned().partition(|path| path.is_dir());
        files.extend(self.folders.iter().map(|folder| folder.join(MAIN)));
        folders.extend(self.folders.iter().map(|folder| folder.join(MORE)));
        (files, folders)
    }

    /// Every layer above the built-in defaults, in order, and the files among them.
    pub(crate) fn layers(&self) -> Result<(Vec<Layer>, Vec<ReadFile>), Problems> {
        let (layers, files, problems) = self.read();
        if problems.is_empty() { Ok((layers, files)) } else { Err(Problems(problems)) }
    }

    /// What `hub.state_dir` is as far as the layers can be read, for those who look for a hub that runs, when
    /// [`Configuration::load`](crate::Configuration::load) fails.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        let (layers, ..) = self.read();
        let said = layers.iter().rev().find_map(|layer| layer.text(&["hub", "state_dir"]));
        said.map_or_else(|| Settings::default().hub.state_dir, PathBuf::from)
    }

    /// What can be read, and why the rest cannot.
    fn read(&self) -> (Vec<Layer>, Vec<ReadFile>, Vec<Problem>) {
        let mut files = Vec::new();
        let mut problems = Vec::new();
        for folder in &self.folders {
            // Only what is really not there is skipped: a file that can't be read was meant to count.
            let main = folder.join(MAIN);
            match main.symlink_metadata() {
                Err(error) if is_absent(&error) => {}
                _ => files.push(main),
            }
            let folder = folder.join(MORE);
            match toml_files(&folder) {
                Ok(found) => files.extend(found),
                Err(error) if is_absent(&error) => {}
                Err(error) => problems.push(unreadable(&folder, &error)),
            }
        }
        for path in &self.required {
            match if path.is_dir() { toml_files(path) } else { Ok(vec![path.clone()]) } {
                Ok(found) => files.extend(found),
                Err(error) => problems.push(unreadable(path, &error)),
            }
        }
        let (mut layers, mut read) = (Vec::new(), Vec::new());
        for path in files {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error));
            match text.and_then(|text| Ok((Layer::from_file(&path, &text)?, text.trim().is_empty()))) {
                Ok((layer, is_blank)) => {
                    layers.push(layer);
                    read.push(ReadFile { path, is_blank });
                }
                Err(problem) => problems.push(problem),
            }
        }
        let mut assign = |assignments: &[String], layers: &mut Vec<Layer>| {
            for assignment in assignments {
                match assigned(assignment) {
                    Ok(layer) => layers.push(layer),
                    Err(problem) => problems.push(problem),
                }
            }
        };
        assign(&self.presets, &mut layers);
        layers.extend(self.variable_layers());
        assign(&self.assignments, &mut layers);
        (layers, read, problems)
    }

    fn variable_layers(&self) -> impl Iterator<Item = Layer> {
        let mut ours: Vec<_> =
            self.variables.iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect();
        ours.sort();
        ours.into_iter().map(|(name, value)| {
            let key = name[VARIABLE_PREFIX.len()..].to_lowercase();
            let path = key.split("__").map(str::to_owned).collect();
            Layer::from_assignment(path, value, &Origin::Environment(name.clone()))
        })
    }
}

fn assigned(assignment: &str) -> Result<Layer, Problem> {
    match assignment.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            let path = key.trim().split('.').map(str::to_owned).collect();
            Ok(Layer::from_assignment(path, value.trim(), &Origin::CommandLine))
        }
        _ => Err(Problem::new(
            Origin::CommandLine,
            "",
            format!("`{assignment}` is not KEY=VALUE; write for example `--set hub.drain_deadline=30s`"),
        )),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let mend = match error.kind() {
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => "; make it readable for the user the program runs as",
        io::ErrorKind::InvalidData => "; TOML is UTF-8",
        _ => "",
    };
    Problem::new(Origin::File(path.to_owned(), None), "", format!("cannot be read: {error}{mend}"))
}
