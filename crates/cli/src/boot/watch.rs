//! Noticing that a file of the configuration changed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Editors write a file in several steps; the last one counts.
const SETTLED: Duration = Duration::from_millis(200);

/// The files whose change means another configuration. Which they are may change with the configuration.
pub(crate) struct Watching(Mutex<Watched>);

struct Watched {
    /// `None` where the system has none to give; then only SIGHUP and a request reload.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    names: Names,
}

type Names = Arc<Mutex<BTreeSet<OsString>>>;

impl Watching {
    /// Begins to watch; each `recv` of the receiver means: read again.
    pub(crate) fn start() -> (Self, mpsc::Receiver<()>) {
        let (sender, receiver) = mpsc::channel(1);
        let names = Names::default();
        let ours = Arc::clone(&names);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if !event.kind.is_access() && event.paths.iter().any(|path| is_ours(path, &lock(&ours))) {
                let _one_is_waiting_already = sender.try_send(());
            }
        });
        let cannot = |error: &notify::Error| {
            tracing::warn!(%error, "configuration files can't be watched; use SIGHUP to reload");
        };
        let watcher = watcher.inspect_err(cannot).ok();
        (Self(Mutex::new(Watched { watcher, folders: BTreeSet::new(), names })), receiver)
    }

    /// Watches these files from now on, and none of the earlier ones.
    pub(crate) fn follow<'f>(&self, files: impl Iterator<Item = &'f Path>) {
        let mut watched = lock(&self.0);
        let mut names = BTreeSet::new();
        for file in files {
            names.extend(file.file_name().map(ToOwned::to_owned));
            watched.enter(folder_of(file));
        }
        *lock(&watched.names) = names;
    }
}

impl Watched {
    /// The folders are watched, not the files: Kubernetes and most editors put a new file into the place of the old.
    fn enter(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        if self.folders.contains(folder) {
            return;
        }
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => _ = self.folders.insert(folder.to_owned()),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "this folder can't be watched; use SIGHUP to reload");
            }
        }
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// A Kubernetes volume changes by a link beside the files.
fn is_ours(path: &Path, names: &BTreeSet<OsString>) -> bool {
    path.file_name().is_some_and(|name| names.contains(name) || name == "..data")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A set that a panic left behind is as good as any.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a change, and until nothing more has changed for a moment. Gives the receiver back for the next one.
pub(crate) async fn changed(mut receiver: mpsc::Receiver<()>) -> mpsc::Receiver<()> {
    if receiver.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
    while let Ok(Some(())) = tokio::time::timeout(SETTLED, receiver.recv()).await {}
    receiver
}
