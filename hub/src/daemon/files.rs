//! Watches the files of the configuration and the plugins. Whatever an editor or a package manager does to one of them in a
//! row counts as one change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use settings::Configuration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::Instant;

use crate::selection::Selection;

/// A change counts when nothing has followed for so long,
const QUIET: Duration = Duration::from_millis(250);

/// and after this time at the latest.
const LATEST: Duration = Duration::from_secs(2);

/// The files that matter.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Wanted {
    files: Vec<PathBuf>,
    /// Folders, and how the names of the files end that matter in them.
    folders: Vec<(PathBuf, &'static str)>,
}

/// Watches.
pub(super) struct Files {
    /// None if nothing is watched.
    watcher: Option<RecommendedWatcher>,
    wanted: Arc<RwLock<Wanted>>,
    watched: BTreeSet<PathBuf>,
    changes: Receiver<()>,
    /// When the first and when the last change was that has not counted yet.
    pending: Option<(Instant, Instant)>,
}

impl Files {
    /// Watches nothing yet.
    pub(super) fn new() -> Self {
        let wanted = Arc::<RwLock<Wanted>>::default();
        // One is enough to be told.
        let (tell, changes) = channel(1);
        let matters = Arc::clone(&wanted);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let wanted = matters.read().unwrap_or_else(PoisonError::into_inner);
            // What went wrong may have hidden a change.
            if event.is_ok_and(|event| !wanted.matters(&event)) {
                return;
            }
            // If it is full, somebody has been told.
            tell.try_send(()).ok();
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "files are not watched: reload by SIGHUP"))
            .ok();
        Self { watcher, wanted, watched: BTreeSet::new(), changes, pending: None }
    }

    /// Watches what this configuration says, and forgets what has changed until now: it is about to be read, or was.
    pub(super) fn follow(&mut self, selection: &Selection, configuration: &Configuration) {
        let wanted = if configuration.settings().hub.watch {
            Wanted::new(selection, configuration)
        } else {
            Wanted::default()
        };
        let folders: BTreeSet<PathBuf> = wanted.to_watch().collect();
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = wanted;
        if let Some(watcher) = &mut self.watcher {
            for folder in self.watched.difference(&folders) {
                // It may be gone.
                watcher.unwatch(folder).ok();
            }
            let watched = folders.into_iter().filter(|folder| {
                // One that was replaced by another of its name is watched anew; a change in between is about to be read.
                let done = watcher.watch(folder, RecursiveMode::NonRecursive);
                if let Err(error) = &done {
                    tracing::warn!(folder = %folder.display(), %error, "not watched: reload by SIGHUP");
                }
                done.is_ok()
            });
            self.watched = watched.collect();
        }
    }

    /// Forgets what has changed until now: it is about to be read.
    pub(super) fn forget(&mut self) {
        self.changes.try_recv().ok();
        self.pending = None;
    }

    /// Waits for a change. May be given up and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            let Some((first, last)) = self.pending else {
                match self.changes.recv().await {
                    Some(()) => self.pending = Some((Instant::now(), Instant::now())),
                    None => std::future::pending().await,
                }
                continue;
            };
            let due = (last + QUIET).min(first + LATEST);
            match tokio::time::timeout_at(due, self.changes.recv()).await {
                Ok(Some(())) => self.pending = Some((first, Instant::now())),
                Ok(None) | Err(_) => {
                    self.pending = None;
                    return;
                }
            }
        }
    }
}

impl Wanted {
    fn new(selection: &Selection, configuration: &Configuration) -> Self {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let (files, folders) = selection.sources().places();
        let files = files.into_iter().chain(configuration.files().map(Path::to_owned));
        let mut files: Vec<_> = files.flat_map(|file| trail(absolute(file))).collect();
        let plugins = selection.plugin_folders(configuration);
        files.extend(plugins.iter().flat_map(|folder| linked(folder)).flat_map(|link| trail(absolute(link))));
        let folders = folders.into_iter().map(|folder| (folder, "toml"));
        let folders = folders.chain(plugins.into_iter().map(|folder| (folder, "so"))).map(|(folder, end)| {
            let mut trail = trail(absolute(folder.clone()));
            let target = trail.pop().unwrap_or(folder);
            files.append(&mut trail);
            (target, end)
        });
        let folders = folders.collect();
        Self { files, folders }
    }

    /// The folders to watch: where one is missing, the one where it or what leads to it would appear.
    fn to_watch(&self) -> impl Iterator<Item = PathBuf> {
        let of_files = self.files.iter().filter_map(|file| file.parent());
        let all = of_files.chain(self.folders.iter().map(|(folder, _)| &**folder));
        all.filter_map(|folder| folder.ancestors().find(|folder| folder.is_dir())).map(Path::to_owned)
    }

    fn matters(&self, event: &Event) -> bool {
        let is_change = match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            // Whoever writes has not ended, and what stands there is half of it.
            EventKind::Modify(ModifyKind::Data(_)) => false,
            _ => true,
        };
        // Without a path, events were lost.
        is_change && (event.paths.is_empty() || event.paths.iter().any(|path| self.has(path)))
    }

    fn has(&self, path: &Path) -> bool {
        let in_folder = |(folder, end): &(PathBuf, &str)| {
            folder.starts_with(path)
                || path.parent() == Some(folder)
                    && path.extension().is_some_and(|extension| extension == *end)
        };
        self.files.iter().any(|file| file.starts_with(path)) || self.folders.iter().any(in_folder)
    }
}

/// The libraries in a folder that are links.
fn linked(folder: &Path) -> Vec<PathBuf> {
    // What is missing or cannot be read is watched as a folder.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "so") && path.is_symlink()).collect()
}

/// The links on the way to a file, and at last what they lead to: a link is changed where it lies, as Kubernetes does it
/// with the folder of a whole configuration.
fn trail(mut path: PathBuf) -> Vec<PathBuf> {
    /// As many as the kernel follows.
    const MOST: usize = 40;
    let mut found = Vec::new();
    while found.len() < MOST {
        let ancestors: Vec<_> = path.ancestors().collect();
        let mut links = ancestors.into_iter().rev().filter_map(|link| Some((link, link.read_link().ok()?)));
        let Some((link, target)) = links.next() else { break };
        let target = link.parent().unwrap_or(link).join(target);
        let rest = path.strip_prefix(link).unwrap_or(Path::new(""));
        let next = target.components().chain(rest.components()).collect();
        found.push(link.to_owned());
        path = next;
    }
    found.push(path);
    found
}

#[cfg(test)]
mod tests;
