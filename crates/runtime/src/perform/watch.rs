//! Waiting for files: an agent that has a schedule for them is held, and is told what has changed.
//!
//! The system tells that something has happened beneath the root; what it was is found by looking. Where the system has no
//! such thing to give, or says nothing (shared disks), there is a look every few seconds all the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher};
use seawall_engine::{AgentId, FilesChanged, Note, Tell};
use seawall_tools::{Look, Place};
use seawall_types::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::files::as_words;
use crate::session::Session;

/// Programs write files in several steps; the last one counts. What goes on for longer, as a log does, is not waited for.
const SETTLED: Duration = Duration::from_millis(200);
const SETTLED_AT_MOST: Duration = Duration::from_secs(2);
/// How often to look, whatever the system tells.
const EVERY: Duration = Duration::from_secs(5);
/// So many files are named to the model.
const NAMED: usize = 50;

/// For which schedule, and which files.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) id: Arc<str>,
    pub(super) pattern: Arc<str>,
    pub(super) text: Arc<str>,
    pub(super) since: Option<Timestamp>,
}

/// Watches for as long as the schedule is there: whoever drops this ends it.
pub(super) async fn watch(session: &Arc<Session>, watch: Watch) {
    let place = loop {
        match session.place().await {
            Ok(place) => break place,
            Err(error) => {
                tracing::warn!(agent = %session.agent, %error, "the files of an agent can't be watched");
                sleep(Duration::from_mins(1)).await;
            }
        }
    };
    let (tell, mut told) = mpsc::channel(1);
    let mut beginning = std::pin::pin!(begin(place.root(), tell));
    let mut watcher = None;
    let mut complains = true;
    loop {
        // Before the first look as well: what has woken the agent may be half written.
        let latest = Instant::now() + SETTLED_AT_MOST;
        while let Ok(Some(())) = timeout(SETTLED, told.recv()).await
            && Instant::now() < latest
        {}
        if let Err(error) = look(session, &place, &watch).await
            && std::mem::take(&mut complains)
        {
            let message =
                format!("the files of the schedule {} can't be looked at: {error}", watch.id).into();
            session.report(Tell { note: Note::Error { message } }).await;
        }
        tokio::select! {
            // A large tree takes its time.
            begun = &mut beginning, if watcher.is_none() => watcher = Some(begun),
            Some(()) = told.recv() => {}
            () = sleep(EVERY) => {}
        }
    }
}

/// Has the system tell that something has happened beneath a folder. None where it can't. Links are not followed: they may
/// lead anywhere, and the system has not many watches to give. Begins at once, whether or not it is waited for.
fn begin(root: &Path, tell: mpsc::Sender<()>) -> impl Future<Output = Option<RecommendedWatcher>> + use<> {
    let root = root.to_owned();
    let beginning = tokio::task::spawn_blocking(move || {
        let hear = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _one_is_waiting_already = tell.try_send(());
            }
        };
        let mut watcher = RecommendedWatcher::new(hear, Config::default().with_follow_symlinks(false))?;
        watcher.watch(&root, RecursiveMode::Recursive)?;
        Ok::<_, notify::Error>(watcher)
    });
    async {
        let begun = beginning.await.ok()?;
        begun
            .inspect_err(
                |error| tracing::warn!(%error, "files can't be watched; they are looked at now and then"),
            )
            .ok()
    }
}

/// Looks, and has the agent told of what has changed. Why nothing can be looked at, if so.
async fn look(session: &Arc<Session>, place: &Arc<Place>, watch: &Watch) -> Result<(), String> {
    let (place, wanted, stop) = (Arc::clone(place), watch.clone(), session.ending.clone());
    let looking =
        tokio::task::spawn_blocking(move || place.look(&wanted.id, &wanted.pattern, wanted.since, &stop));
    let Ok(looked) = looking.await else { return Ok(()) };
    let look = looked?;
    let (id, pattern) = (Arc::clone(&watch.id), Arc::clone(&watch.pattern));
    if look.changed.is_empty() {
        keep(look, pattern, session.agent.clone()).await;
        return Ok(());
    }
    let text = words(&watch.text, &look.changed).into();
    let told = FilesChanged { id, pattern: Arc::clone(&pattern), text };
    // While the last change waits to be read, this one is refused, and found again by the next look.
    session.ask_and_then(told, keep(look, pattern, session.agent.clone())).await;
    Ok(())
}

/// Keeps that an agent was told of what was seen. Where the process is killed before, it is told again.
async fn keep(look: Look, pattern: Arc<str>, agent: AgentId) {
    let keeping = tokio::task::spawn_blocking(move || look.keep(&pattern));
    if let Ok(Err(error)) = keeping.await {
        tracing::warn!(%agent, %error, "it is not kept which files an agent was told of");
    }
}

fn words(text: &str, changed: &[String]) -> String {
    let mut named: Vec<String> = changed.iter().take(NAMED).map(|path| as_words(path)).collect();
    if changed.len() > NAMED {
        named.push(format!("and {} more", changed.len() - NAMED));
    }
    format!("{text}\n\nFiles that have changed: {}", named.join(", "))
}
