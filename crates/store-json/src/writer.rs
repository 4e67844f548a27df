//! The one thread that writes logs: it takes what waits, writes each agent's append, waits for the disk once for all of
//! them, and only then answers.
//!
//! An agent takes part in a round once, so that no append begins before the one before it is on the disk: what is not whole
//! in a log can only be its end.

mod append;
mod create;
mod upkeep;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::thread;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Append, Appended, BlobId};
use tokio::sync::{mpsc, oneshot};

use crate::chores;
use crate::folder;
use crate::shared::Shared;

use append::Written;
use create::Drafted;

/// Requests that may wait; who has one more waits for a place.
pub(crate) const QUEUE: usize = 1024;

/// Requests in one round.
const ROUND: usize = 512;

/// Threads that wait for the disk at once. A journaling file system makes one commit of what they wait for.
const SYNCS: usize = 16;

/// Where an answer goes. Nobody may be there any more.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is to be written.
#[derive(Debug)]
pub(crate) enum Request {
    /// Make an agent.
    Create(Box<Append>, Answer<seawall_store::agents::Creation>),
    /// Write to its log.
    Append(Box<Append>, Answer<Appended>),
    /// Keep bytes for it.
    Put(AgentId, Vec<u8>, Answer<BlobId>),
    /// Bring its files in line with its log.
    Mend(AgentId, Answer<()>),
    /// Remove it.
    Purge(AgentId, Answer<bool>),
    /// Write everything and end.
    Close(Answer<()>),
}

impl Request {
    fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Create(append, _) | Self::Append(append, _) => Some(&append.agent),
            Self::Put(id, ..) | Self::Mend(id, _) | Self::Purge(id, _) => Some(id),
            Self::Close(_) => None,
        }
    }
}

/// The thread. Ends when it is told to, or when nobody can tell it anything any more.
pub(crate) fn run(
    shared: &Arc<Shared>,
    mut requests: mpsc::Receiver<Request>,
    lock: seawall_base::lock::DataDirLock,
) {
    let chores = {
        let shared = Arc::clone(shared);
        thread::Builder::new().name("seawall-json-chores".to_owned()).spawn(move || chores::run(&shared))
    };
    let closing = serve(shared, &mut requests);
    shared.chores.finish();
    match chores {
        Ok(chores) => _ = chores.join(),
        // The machine had no thread for it: what waits is done here.
        Err(_) => chores::run(shared),
    }
    drop(lock);
    if let Some(answer) = closing {
        let _ = answer.send(Ok(()));
    }
}

fn serve(shared: &Shared, requests: &mut mpsc::Receiver<Request>) -> Option<Answer<()>> {
    let mut waiting = VecDeque::new();
    let mut closing = None;
    while closing.is_none() || !waiting.is_empty() {
        if waiting.is_empty() {
            waiting.push_back(requests.blocking_recv()?);
        }
        while closing.is_none() && waiting.len() < ROUND {
            let Ok(request) = requests.try_recv() else { break };
            waiting.push_back(request);
        }
        if let Some(at) = waiting.iter().position(|request| matches!(request, Request::Close(_))) {
            // What came after it is refused, by being dropped.
            waiting.truncate(at.saturating_add(1));
            if let Some(Request::Close(answer)) = waiting.pop_back() {
                closing = Some(answer);
            }
        }
        waiting = Round::default().go(shared, waiting);
    }
    closing
}

/// Requests that are answered together.
#[derive(Default)]
struct Round {
    busy: BTreeSet<AgentId>,
    written: Vec<(Written, Answer<Appended>)>,
    drafted: Vec<(Drafted, Answer<seawall_store::agents::Creation>)>,
}

impl Round {
    /// Does what can be done in this round, and gives back the rest.
    fn go(mut self, shared: &Shared, waiting: VecDeque<Request>) -> VecDeque<Request> {
        let mut later = VecDeque::new();
        for request in waiting {
            let is_new = request.agent().is_none_or(|id| self.busy.insert(id.clone()));
            if is_new { self.begin(shared, request) } else { later.push_back(request) }
        }
        self.finish(shared);
        later
    }

    fn begin(&mut self, shared: &Shared, request: Request) {
        match request {
            Request::Append(append, answer) => match append::begin(shared, *append) {
                Ok(append::Begun::Written(written)) => self.written.push((*written, answer)),
                Ok(append::Begun::Answered(appended)) => _ = answer.send(Ok(appended)),
                Err(error) => _ = answer.send(Err(error)),
            },
            Request::Create(append, answer) => match create::begin(shared, *append) {
                Ok(create::Begun::Drafted(drafted)) => self.drafted.push((*drafted, answer)),
                Ok(create::Begun::Exists(row)) => {
                    _ = answer.send(Ok(seawall_store::agents::Creation::Exists(row)));
                }
                Err(error) => _ = answer.send(Err(error)),
            },
            Request::Put(id, bytes, answer) => _ = answer.send(upkeep::put(shared, &id, &bytes)),
            Request::Mend(id, answer) => _ = answer.send(upkeep::mend_found(shared, &id)),
            Request::Purge(id, answer) => _ = answer.send(upkeep::purge(shared, &id)),
            // Taken out before.
            Request::Close(_) => {}
        }
    }

    /// Waits for the disk, and answers.
    fn finish(self, shared: &Shared) {
        let Self { written, drafted, .. } = self;
        let files = written.iter().map(|(written, _)| &written.file);
        let new = drafted.iter().flat_map(|(drafted, _)| [&drafted.log, &drafted.names]);
        let files: Vec<_> = files.chain(new).collect();
        let mut synced = sync_all(&files).into_iter();
        for (written, answer) in written {
            let synced = synced.next().unwrap_or_else(nothing_synced);
            let _ = answer.send(written.finish(shared, synced));
        }
        let mut published = Vec::new();
        for (drafted, answer) in drafted {
            let log = synced.next().unwrap_or_else(nothing_synced);
            let names = synced.next().unwrap_or_else(nothing_synced);
            match drafted.publish(shared, log.and(names)) {
                Ok(card) => published.push((card, answer)),
                Err(error) => _ = answer.send(Err(error)),
            }
        }
        if published.is_empty() {
            return;
        }
        let names = folder::agents(&shared.root);
        let synced = folder::sync(&names).map_err(folder::failed(&names));
        for (card, answer) in published {
            let _ = answer.send(create::finish(shared, card, synced.clone()));
        }
    }
}

fn nothing_synced() -> std::io::Result<()> {
    Err(std::io::Error::other("it was not waited for the disk"))
}

/// Waits until these files are on the disk; for each whether that is so.
fn sync_all(files: &[&std::fs::File]) -> Vec<std::io::Result<()>> {
    let sync = |file: &&std::fs::File| file.sync_data();
    if files.len() < 2 {
        return files.iter().map(sync).collect();
    }
    let share = files.len().div_ceil(SYNCS);
    thread::scope(|scope| {
        let shares: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(move || files.iter().map(sync).collect::<Vec<_>>()))
            .collect();
        let mut results = Vec::with_capacity(files.len());
        for (share, files) in shares.into_iter().zip(files.chunks(share)) {
            match share.join() {
                Ok(synced) => results.extend(synced),
                Err(_) => results.extend(files.iter().map(|_| nothing_synced())),
            }
        }
        results
    })
}
