//! Whether what a store has of an agent is what the agent's log makes of it.

use std::collections::{BTreeMap, BTreeSet};

use seawall_engine::{AgentId, CallId, Event};
use serde::Serialize;

use super::media::mentioned;
use super::{
    Accepted, AgentRow, AgentStore, BlobId, CallQuery, CallRow, Kept, MessageQuery, MessageRow, Right,
    SnapshotRow,
};
use crate::StoreError;

/// Rows that are read at once.
const PAGE: u32 = 256;

/// How often an agent is looked at that is written meanwhile.
const TRIES: usize = 5;

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consistency {
    /// The last number of the log that was checked.
    pub seq: u64,
    /// What does not fit; with a log that is broken nothing beyond it was looked at.
    pub issues: Vec<Issue>,
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Where.
    pub part: Part,
    /// What it is and what is wrong with it.
    pub message: String,
}

/// What a store has of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Events. Everything else can be made from them; they from nothing.
    Log,
    /// The index entry.
    Entry,
    /// Messages.
    Messages,
    /// Calls of tools.
    Calls,
    /// Names of messages that were accepted.
    Accepted,
    /// Named points.
    Snapshots,
    /// The state that is kept so that not the whole log has to be folded.
    State,
    /// Pictures, sounds and files that messages speak of.
    Blobs,
}

impl Part {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Entry => "entry",
            Self::Messages => "messages",
            Self::Calls => "calls",
            Self::Accepted => "accepted",
            Self::Snapshots => "snapshots",
            Self::State => "state",
            Self::Blobs => "blobs",
        }
    }
}

impl Consistency {
    /// Whether everything fits.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.issues.is_empty()
    }
}

/// Reads an agent's whole log, folds it, and compares everything that the store has of the agent with what comes out.
///
/// # Errors
/// [`StoreError::NotFound`] where there is no such agent, [`StoreError::Unavailable`] where the store can't be read or the
/// agent is written too busily to be looked at. What is damaged is no error but an issue.
pub async fn check_consistency<S: AgentStore + ?Sized>(
    store: &S,
    id: &AgentId,
) -> Result<Consistency, StoreError> {
    for _ in 0..TRIES {
        let Some(row) = store.agent(id).await? else {
            return Err(StoreError::NotFound { what: format!("agent {id}") });
        };
        let consistency = check(store, &row).await?;
        if store.agent(id).await?.is_some_and(|now| now.seq == row.seq) {
            return Ok(consistency);
        }
    }
    let reason = format!("agent {id} is written all the time; check it again when it rests");
    Err(StoreError::Unavailable { reason })
}

async fn check<S: AgentStore + ?Sized>(store: &S, row: &AgentRow) -> Result<Consistency, StoreError> {
    let mut issues = Issues(Vec::new());
    let log = issues.take(Part::Log, Log::read(store, row).await)?;
    if let Some(Some(log)) = log {
        log.compare(store, row, &mut issues).await?;
    } else if log.is_some() {
        issues.add(Part::Log, "there are no events");
    }
    Ok(Consistency { seq: row.seq, issues: issues.0 })
}

struct Issues(Vec<Issue>);

impl Issues {
    fn add(&mut self, part: Part, message: impl Into<String>) {
        self.0.push(Issue { part, message: message.into() });
    }

    /// What was read. Damage is an issue; that the store can't be read is not.
    fn take<T>(&mut self, part: Part, read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Corrupt { reason }) => {
                self.add(part, reason);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Compares rows, in their order, and names the first that differs.
    fn compare<T: PartialEq>(&mut self, part: Part, is: &[T], expected: &[T], name: impl Fn(&T) -> String) {
        let differs = is.iter().zip(expected).find(|(is, expected)| is != expected);
        if let Some((_, expected)) = differs {
            self.add(part, format!("{} is not what the log makes of it", name(expected)));
        } else if let Some(missing) = expected.get(is.len()) {
            let count = expected.len().saturating_sub(is.len());
            self.add(part, format!("{count} are missing, from {} on", name(missing)));
        } else if let Some(unheard) = is.get(expected.len()) {
            let count = is.len().saturating_sub(expected.len());
            self.add(part, format!("{count} are not in the log, from {} on", name(unheard)));
        }
    }
}

/// What the log makes of everything.
struct Log {
    kept: Kept,
    messages: Vec<MessageRow>,
    calls: BTreeMap<CallId, CallRow>,
    accepted: Vec<Accepted>,
    snapshots: Vec<SnapshotRow>,
    blobs: BTreeSet<BlobId>,
}

impl Log {
    /// `None`: there are no events.
    async fn read<S: AgentStore + ?Sized>(store: &S, row: &AgentRow) -> Result<Option<Self>, StoreError> {
        let mut log: Option<Self> = None;
        loop {
            let after = log.as_ref().map_or(0, |log| log.kept.seq());
            let events = store.events(&row.id, after, PAGE).await?;
            if events.is_empty() {
                return Ok(log);
            }
            for event in &events {
                match &mut log {
                    Some(log) => log.follow(event)?,
                    None => log = Some(Self::begin(row, event)?),
                }
            }
        }
    }

    fn begin(row: &AgentRow, event: &Event) -> Result<Self, StoreError> {
        let (kept, _) = Kept::create(row.owner.clone(), std::slice::from_ref(event))?;
        let (messages, calls, accepted) = (Vec::new(), BTreeMap::new(), Vec::new());
        Ok(Self { kept, messages, calls, accepted, snapshots: Vec::new(), blobs: mentioned(event) })
    }

    fn follow(&mut self, event: &Event) -> Result<(), StoreError> {
        let (kept, append) = self.kept.append(Right::Outsider, std::slice::from_ref(event))?;
        self.kept = kept;
        self.messages.extend(append.messages);
        self.calls.extend(append.calls.into_iter().map(|row| (row.call.id, row)));
        self.accepted.extend(append.accepted);
        self.snapshots.extend(append.snapshots);
        self.blobs.extend(mentioned(event));
        Ok(())
    }

    async fn compare<S: AgentStore + ?Sized>(
        &self,
        store: &S,
        row: &AgentRow,
        issues: &mut Issues,
    ) -> Result<(), StoreError> {
        let id = &row.id;
        let expected = AgentRow::of(self.kept.agent(), &row.owner, self.kept.seq());
        issues.compare(Part::Entry, &[row], &[&expected], |row| format!("the entry of {}", row.id));
        if let Some(messages) = issues.take(Part::Messages, messages(store, id).await)? {
            let name = |row: &MessageRow| format!("message {}", row.place);
            issues.compare(Part::Messages, &messages, &self.messages, name);
        }
        if let Some(calls) = issues.take(Part::Calls, calls(store, id).await)? {
            let expected: Vec<_> = self.calls.values().cloned().collect();
            issues.compare(Part::Calls, &calls, &expected, |row| row.call.id.to_string());
        }
        if let Some(snapshots) = issues.take(Part::Snapshots, store.snapshots(id).await)? {
            issues
                .compare(Part::Snapshots, &snapshots, &self.snapshots, |row| format!("snapshot {}", row.id));
        }
        self.compare_names(store, id, issues).await?;
        self.compare_state(store, id, issues).await?;
        self.find_blobs(store, id, issues).await
    }

    async fn compare_names<S: AgentStore + ?Sized>(
        &self,
        store: &S,
        id: &AgentId,
        issues: &mut Issues,
    ) -> Result<(), StoreError> {
        for expected in &self.accepted {
            let is = store.accepted(id, &expected.message).await;
            if let Some(is) = issues.take(Part::Accepted, is)? {
                let name = |row: &&Accepted| format!("message {:?}", row.message);
                issues.compare(Part::Accepted, &is.iter().collect::<Vec<_>>(), &[expected], name);
            }
        }
        Ok(())
    }

    async fn compare_state<S: AgentStore + ?Sized>(
        &self,
        store: &S,
        id: &AgentId,
        issues: &mut Issues,
    ) -> Result<(), StoreError> {
        if let Some(Some(loaded)) = issues.take(Part::State, store.load(id).await)? {
            let is_same = *loaded.agent() == self.kept.agent().clone().settle()
                && loaded.window() == self.kept.window();
            if !is_same {
                issues.add(Part::State, "what is loaded is not what the whole log makes");
            }
        }
        Ok(())
    }

    async fn find_blobs<S: AgentStore + ?Sized>(
        &self,
        store: &S,
        id: &AgentId,
        issues: &mut Issues,
    ) -> Result<(), StoreError> {
        for blob in &self.blobs {
            let found = issues.take(Part::Blobs, store.blob(id, blob).await)?;
            match found {
                Some(None) => issues.add(Part::Blobs, format!("{blob} is missing")),
                Some(Some(bytes)) if BlobId::of(&bytes) != *blob => {
                    issues.add(
                        Part::Blobs,
                        format!("{blob} has other bytes than those that it is named after"),
                    );
                }
                Some(Some(_)) | None => {}
            }
        }
        Ok(())
    }
}

async fn messages<S: AgentStore + ?Sized>(store: &S, id: &AgentId) -> Result<Vec<MessageRow>, StoreError> {
    let mut rows: Vec<MessageRow> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.place);
        let query = MessageQuery { agent: Some(id.clone()), after, most: PAGE, ..MessageQuery::default() };
        let page = store.messages(&query).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

async fn calls<S: AgentStore + ?Sized>(store: &S, id: &AgentId) -> Result<Vec<CallRow>, StoreError> {
    let mut rows: Vec<CallRow> = Vec::new();
    loop {
        let skip = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let query = CallQuery { agent: Some(id.clone()), skip, most: PAGE, ..CallQuery::default() };
        let page = store.calls(&query).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}
