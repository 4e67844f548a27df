//! Noticing that a file of the configuration changed.

use std::path::PathBuf;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Editors write a file in several steps; the last one counts.
const SETTLED: Duration = Duration::from_millis(200);

/// Waits for changes of `files`; each `recv` of the receiver means: read again. Keep the watcher.
///
/// The folders are watched, not the files: Kubernetes and most editors put a new file into the place of the old.
pub(crate) fn watch(files: &[PathBuf]) -> notify::Result<(RecommendedWatcher, mpsc::Receiver<()>)> {
    let (sender, receiver) = mpsc::channel(1);
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name().map(ToOwned::to_owned)).collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let is_ours = |path: &PathBuf| {
            // A Kubernetes volume changes by a link beside the files.
            path.file_name().is_some_and(|name| names.iter().any(|ours| ours == name) || name == "..data")
        };
        if !event.kind.is_access() && event.paths.iter().any(is_ours) {
            let _one_is_waiting_already = sender.try_send(());
        }
    })?;
    let mut folders: Vec<PathBuf> = files
        .iter()
        .filter_map(|file| file.parent())
        .map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
        .collect();
    folders.sort();
    folders.dedup();
    for folder in folders {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    Ok((watcher, receiver))
}

/// Waits for a change, and until nothing more has changed for a moment. Gives the receiver back for the next one.
pub(crate) async fn changed(mut receiver: mpsc::Receiver<()>) -> mpsc::Receiver<()> {
    if receiver.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
    while let Ok(Some(())) = tokio::time::timeout(SETTLED, receiver.recv()).await {}
    receiver
}
