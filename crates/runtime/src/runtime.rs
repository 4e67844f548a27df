//! A runtime: agents are made, found, talked to and followed here.

use std::sync::Arc;
use std::time::Duration;

use seawall_base::id;
use seawall_engine::{
    Agent, AgentId, AgentState, Block, CallId, Channel, Command, Config, Decide, Interrupt, MessageId,
    MessageKind, NewAgent, NewFork, SendMessage, SetSchedule, Trigger, Unschedule, create, fork, spawn,
};
use seawall_store::AgentStore;
use seawall_store::agents::{Accepted, AgentRow, Census, Creation, Kept, Owner};
use seawall_types::RunId;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::equipment::{Equipment, Of};
use crate::feed::Events;
use crate::holder::{Done, Job, NotDone};
use crate::live::Place;
use crate::metrics::Counts;
use crate::perform::plan;
use crate::shared::{Parts, Shared};
use crate::{AgentError, Durations, Feed, Templates, census, outside, pressure, worker};

/// How often to look for an agent anew that was just let go of.
const TRIES: usize = 4;

/// Runs agents. Clones are the same runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

/// An agent that is to be.
#[derive(Debug, Clone, Default)]
pub struct CreateAgent {
    /// Its name. `None`: it is given one.
    pub id: Option<AgentId>,
    /// The template.
    pub template: String,
    /// The version that the template must have.
    pub template_version: Option<String>,
    /// What is changed of the template.
    pub overrides: Option<Value>,
    /// Whatever its maker wants to find again.
    pub metadata: Option<Value>,
    /// On whose behalf.
    pub owner: Owner,
}

/// What is held here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Agents that are held.
    pub held: usize,
    /// Those of them that rest.
    pub resting: usize,
    /// Those of them whose messages were put away until somebody talks to them.
    pub dozing: usize,
    /// What was counted.
    pub counts: Counts,
}

impl Runtime {
    /// A runtime of these parts. It takes up agents that are due, if it is one that works. Must be called within a tokio
    /// runtime, on which everything runs.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let shared = Shared::new(parts);
        // Who only accepts is one of those who are there, too: a store that is written to is left alone by whoever looks.
        drop(shared.tasks.spawn("agent worker", worker::stay_alive(Arc::clone(&shared))));
        if shared.settings.works {
            drop(shared.tasks.spawn("agent queue", worker::take_up(Arc::clone(&shared))));
        }
        drop(shared.tasks.spawn("agent census", census::keep_counting(Arc::clone(&shared))));
        drop(shared.tasks.spawn("agent hints", worker::listen(Arc::clone(&shared))));
        Self { shared }
    }

    /// The tokio runtime that everything runs on.
    #[must_use]
    pub fn home(&self) -> &tokio::runtime::Handle {
        &self.shared.home
    }

    /// Where agents live.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn AgentStore> {
        &self.shared.store
    }

    /// The templates.
    #[must_use]
    pub fn templates(&self) -> &Arc<Templates> {
        &self.shared.templates
    }

    /// Makes an agent. The same request with the same name again finds it (`false`).
    ///
    /// # Errors
    /// [`AgentError::Template`], [`AgentError::Exists`] where another request has made one of this name.
    pub async fn create(&self, request: CreateAgent) -> Result<(AgentRow, bool), AgentError> {
        self.make(request, None).await
    }

    /// The same, also for a call of another agent that it is to work for.
    pub(crate) async fn make(
        &self,
        request: CreateAgent,
        works_for: Option<(&Agent, CallId)>,
    ) -> Result<(AgentRow, bool), AgentError> {
        let shared = &self.shared;
        let template = shared.templates.get(&request.template)?;
        if let Some(wanted) = request.template_version.as_deref()
            && template.version.as_deref() != Some(wanted)
        {
            let (name, found) = (template.id.clone(), template.version.clone().unwrap_or_default());
            return Err(crate::TemplateError::Version { name, wanted: wanted.to_owned(), found }.into());
        }
        let changed = template.with(request.overrides.as_ref())?;
        let equipment = Equipment::of(shared, &changed, Of::New).await?;
        let tools = equipment.specs(&equipment.tools);
        let CreateAgent { id: name, template, template_version, overrides, metadata, owner } = request;
        let version = template_version.as_deref();
        let fingerprint = fingerprint(&template, version, overrides.as_ref(), metadata.as_ref());
        let config = changed.config(tools, overrides.map(Arc::new), metadata.map(Arc::new));
        let owner = Owner { request: Some(fingerprint.into()), ..owner };
        self.keep(name, |run| format!("agt-{run}"), config, owner, works_for).await
    }

    /// Writes down what is new.
    pub(crate) async fn keep(
        &self,
        id: Option<AgentId>,
        name: impl FnOnce(RunId) -> String,
        config: Config,
        owner: Owner,
        works_for: Option<(&Agent, CallId)>,
    ) -> Result<(AgentRow, bool), AgentError> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let run = id::new_run_at(now);
        let id = match id {
            Some(id) => id,
            None => name(run).parse().map_err(|error: seawall_engine::ParseAgentIdError| {
                AgentError::Refused(seawall_engine::Refused::Invalid(error.to_string()))
            })?,
        };
        let new = NewAgent { id, run, config };
        let decision = match works_for {
            Some((parent, call)) => spawn(parent, call, new, now)?,
            None => create(new, now)?,
        };
        let (kept, first) = Kept::create(owner, &decision.events)?;
        match shared.store.create(first).await? {
            Creation::Made => Ok((AgentRow::of(kept.agent(), kept.owner(), kept.seq()), true)),
            Creation::Exists(row) if row.owner == *kept.owner() => Ok((*row, false)),
            Creation::Exists(row) => Err(AgentError::Exists(row)),
        }
    }

    /// Makes an agent of another one: as that is, or as it was at a number of its log, or at a snapshot of it.
    ///
    /// # Errors
    /// [`AgentError::NotFound`], also where there is no such snapshot; [`AgentError::Exists`].
    pub async fn fork(
        &self,
        parent: &AgentId,
        new: Option<AgentId>,
        at: ForkAt,
    ) -> Result<AgentRow, AgentError> {
        let shared = &self.shared;
        let (agent, owner) = self.as_it_was(parent, at).await?;
        let now = shared.clock.now();
        let run = id::new_run_at(now);
        let name = match new {
            Some(name) => name,
            None => format!("fork-{run}").parse().map_err(|error: seawall_engine::ParseAgentIdError| {
                AgentError::Refused(seawall_engine::Refused::Invalid(error.to_string()))
            })?,
        };
        let decision = fork(&agent, NewFork { id: name, run, config: None }, now)?;
        let (kept, first) = Kept::create(Owner { request: None, ..owner }, &decision.events)?;
        match shared.store.create(first).await? {
            Creation::Made => Ok(AgentRow::of(kept.agent(), kept.owner(), kept.seq())),
            Creation::Exists(row) => Err(AgentError::Exists(row)),
        }
    }

    async fn as_it_was(&self, id: &AgentId, at: ForkAt) -> Result<(Agent, Owner), AgentError> {
        let kept = self.load(id).await?;
        let until = match at {
            ForkAt::Now => return Ok((kept.agent().clone(), kept.owner().clone())),
            ForkAt::Seq(seq) => seq,
            ForkAt::Snapshot(name) => {
                let snapshots = self.shared.store.snapshots(id).await?;
                let found = snapshots.into_iter().find(|snapshot| *snapshot.id == *name);
                let missing =
                    || seawall_store::StoreError::NotFound { what: format!("snapshot {name:?} of {id}") };
                found.ok_or_else(missing)?.seq.saturating_sub(1)
            }
        };
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let page = self.shared.store.events(id, after, 1_000).await?;
            let Some(last) = page.last() else { break };
            after = last.last_seq();
            let is_last = after > until;
            events.extend(page.into_iter().filter(|event| event.seq <= until));
            if is_last {
                break;
            }
        }
        let agent = Agent::fold(&events)
            .map_err(|error| seawall_store::StoreError::Corrupt { reason: error.to_string() })?;
        Ok((agent, kept.owner().clone()))
    }

    /// An agent as it is kept.
    ///
    /// # Errors
    /// [`AgentError::NotFound`].
    pub async fn load(&self, id: &AgentId) -> Result<Kept, AgentError> {
        let kept = self.shared.store.load(id).await?;
        kept.ok_or_else(|| AgentError::NotFound(id.clone()))
    }

    /// Accepts a message: it is durable when this returns. The same name again is the same message.
    ///
    /// # Errors
    /// [`AgentError::KeyReused`] where a message of this name says something else; [`AgentError::Busy`] where too much waits;
    /// what the engine refuses.
    pub async fn send(
        &self,
        id: &AgentId,
        message: MessageId,
        kind: MessageKind,
        content: Arc<[Block]>,
    ) -> Result<Done, AgentError> {
        // Who holds the agent finds by writing it down whether it was accepted before. More than the message itself comes only
        // of one that was not; else it may be that nothing came of it, and the number is that of something else.
        if self.shared.live.holds(id) {
            let sent = self.accept(id, message.clone(), kind, Arc::clone(&content)).await;
            if sent.as_ref().is_ok_and(|done| done.bookmark.seq > done.first) {
                return sent;
            }
            return match self.shared.store.accepted(id, &message).await {
                Ok(Some(accepted)) => known(&accepted, kind, &content),
                Ok(None) => sent,
                // Why it was refused says more than that this could not be looked up.
                Err(error) => sent.and_then(|_| Err(error.into())),
            };
        }
        if let Some(accepted) = self.shared.store.accepted(id, &message).await? {
            return known(&accepted, kind, &content);
        }
        if kind == MessageKind::User {
            pressure::admit(&self.shared, id).await?;
        }
        self.accept(id, message, kind, content).await
    }

    /// As [`send`](Self::send), for what belongs to work that goes on already: it is not turned away.
    pub(crate) async fn deliver(
        &self,
        id: &AgentId,
        message: MessageId,
        kind: MessageKind,
        content: Arc<[Block]>,
    ) -> Result<Done, AgentError> {
        match self.shared.store.accepted(id, &message).await? {
            Some(accepted) => known(&accepted, kind, &content),
            None => self.accept(id, message, kind, content).await,
        }
    }

    /// Accepts a message that nobody has accepted yet, as far as is known.
    async fn accept(
        &self,
        id: &AgentId,
        message: MessageId,
        kind: MessageKind,
        content: Arc<[Block]>,
    ) -> Result<Done, AgentError> {
        let sent =
            self.command(id, SendMessage { id: message.clone(), kind, content: Arc::clone(&content) }).await;
        match sent {
            // Another one with this name came in between.
            Err(AgentError::Store(seawall_store::StoreError::Conflict { .. })) => {
                match self.shared.store.accepted(id, &message).await? {
                    Some(accepted) => known(&accepted, kind, &content),
                    None => sent,
                }
            }
            sent => sent,
        }
    }

    /// Removes an agent with everything of it, its own folder on this machine among it. A folder that its template names stays.
    /// Whether there was one.
    ///
    /// # Errors
    /// A store that fails: then nothing is removed.
    pub async fn purge(&self, id: &AgentId) -> Result<bool, AgentError> {
        let row = self.shared.store.agent(id).await?;
        let was_there = self.shared.store.purge(id).await?;
        if let Some(row) = row {
            crate::place::remove(&self.shared, id, row.run).await;
        }
        Ok(was_there)
    }

    /// Stops what an agent does.
    ///
    /// # Errors
    /// As for every command.
    pub async fn interrupt(&self, id: &AgentId, by: &str, note: Option<&str>) -> Result<Done, AgentError> {
        self.command(id, Interrupt { by: by.into(), note: note.map(Into::into) }).await
    }

    /// Decides on a call that an agent waits for.
    ///
    /// # Errors
    /// As for every command.
    pub async fn decide(&self, id: &AgentId, decision: Decide) -> Result<Done, AgentError> {
        self.command(id, decision).await
    }

    /// Has an agent reminded.
    ///
    /// # Errors
    /// As for every command; also where a cron expression, or a pattern of files, can't be read.
    pub async fn schedule(&self, id: &AgentId, schedule: SetSchedule) -> Result<Done, AgentError> {
        if let Trigger::Cron { spec } = &schedule.trigger {
            plan::check(spec).map_err(seawall_engine::Refused::Invalid)?;
        }
        if let Trigger::Files { pattern } = &schedule.trigger {
            seawall_tools::Place::check_pattern(pattern).map_err(seawall_engine::Refused::Invalid)?;
        }
        self.command(id, schedule).await
    }

    /// Has an agent not reminded any more by the schedule of this name.
    ///
    /// # Errors
    /// As for every command.
    pub async fn unschedule(&self, id: &AgentId, schedule: &str) -> Result<Done, AgentError> {
        self.command(id, Unschedule { id: schedule.into() }).await
    }

    /// Reminds an agent of something: it reads the words with its next step, and they begin none.
    ///
    /// # Errors
    /// As for every command.
    pub async fn remind(&self, id: &AgentId, text: &str) -> Result<Done, AgentError> {
        let name = MessageId(format!("reminder-{}", seawall_base::id::new_run(&*self.shared.clock)).into());
        let words = format!("<system-reminder>\n{text}\n</system-reminder>");
        self.send(id, name, MessageKind::Reminder, [Block::text(words)].into()).await
    }

    /// Gives an agent a command: whoever holds it decides, or, where it is held elsewhere, it is written down for the holder.
    ///
    /// # Errors
    /// [`AgentError::NotFound`], what the engine refuses, a store that fails.
    pub async fn command(
        &self,
        id: &AgentId,
        command: impl Into<Command> + Send,
    ) -> Result<Done, AgentError> {
        let command = command.into();
        for _ in 0..TRIES {
            let Some(inbox) = self.inbox(id, &command) else { break };
            let (reply, answer) = oneshot::channel();
            if inbox.send(Job::Command(Box::new(command.clone()), Some(reply))).await.is_err() {
                tokio::task::yield_now().await;
                continue;
            }
            match answer.await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(NotDone::Refused(error))) => return Err(error),
                Ok(Err(NotDone::Elsewhere)) | Err(_) => {}
            }
        }
        outside::write(&self.shared, id, &command).await
    }

    /// Where the agent is held here, or is to be.
    fn inbox(&self, id: &AgentId, command: &Command) -> Option<tokio::sync::mpsc::Sender<Job>> {
        let shared = &self.shared;
        if !shared.settings.works || !begins_work(command) {
            return shared.live.find(id);
        }
        match shared.live.enter(id) {
            Place::Held(inbox) => Some(inbox),
            Place::ToHold(me, jobs) => {
                worker::start(shared, shared.member(), id.clone(), None, me.clone(), jobs);
                Some(me)
            }
            Place::Full(resting) => {
                if let Some(resting) = resting {
                    let _full = resting.try_send(Job::Hibernate);
                }
                None
            }
        }
    }

    /// Says that somebody else may have written to an agent: whoever holds it here looks. For stores that give no hints.
    pub fn look(&self, id: &AgentId) {
        self.shared.hub.nudge(id);
        if let Some(inbox) = self.shared.live.find(id) {
            let _full = inbox.try_send(Job::Look);
        }
        self.shared.due.notify_one();
    }

    /// Follows an agent from a number on, which itself is not told again.
    #[must_use]
    pub fn follow(&self, id: &AgentId, channels: &[Channel], since: u64) -> Feed {
        Feed::new(self.events(id, since), channels)
    }

    /// Follows an agent's events as they are written.
    pub(crate) fn events(&self, id: &AgentId, since: u64) -> Events {
        let (store, hub) = (Arc::clone(&self.shared.store), Arc::clone(&self.shared.hub));
        let events = Events::new(store, hub, id.clone(), since);
        if self.is_known(id, since) { events.trusts_the_hub() } else { events }
    }

    /// Whether what happens to an agent after this number is told here as soon as it is written.
    fn is_known(&self, id: &AgentId, since: u64) -> bool {
        self.shared.live.holds(id) && self.shared.hub.knows(id, since)
    }

    /// What an agent does, as far as it is known here without asking the store.
    pub(crate) fn known_state(&self, id: &AgentId, since: u64) -> Option<AgentState> {
        self.shared.hub.state(id, since).filter(|_| self.shared.live.holds(id))
    }

    /// What is held here.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let live = &self.shared.live;
        Gauges {
            held: live.len(),
            resting: live.resting(),
            dozing: live.dozing(),
            counts: self.shared.counters.read(),
        }
    }

    /// How long tools and models took here.
    #[must_use]
    pub fn durations(&self) -> &Arc<Durations> {
        &self.shared.durations
    }

    /// How many agents there were in the store some seconds ago. `None`: nobody has looked yet.
    #[must_use]
    pub fn census(&self) -> Option<Arc<Census>> {
        self.shared.census.get()
    }

    /// Lets go of all agents: what they did goes on wherever they are taken up next. Whether everything ended in time.
    pub async fn stop(&self, timeout: Duration) -> bool {
        self.shared.stopping.cancel();
        let ended = self.shared.tasks.drain(timeout).await;
        if let Err(error) = self.shared.store.retire(self.shared.member().id()).await {
            tracing::warn!(%error, "the worker could not be signed off; its agents are free once its lease has lapsed");
        }
        ended
    }
}

/// Where in its parent's log a fork begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForkAt {
    /// As it is.
    Now,
    /// After this number.
    Seq(u64),
    /// At the snapshot of this name.
    Snapshot(String),
}

/// Whether somebody has to hold the agent for what comes of a command.
fn begins_work(command: &Command) -> bool {
    match command {
        Command::SendMessage(message) => message.kind == MessageKind::User,
        Command::Decide(_)
        | Command::Resolve(_)
        | Command::Repair(_)
        | Command::Compress(_)
        | Command::SayInRoom(_) => true,
        _ => false,
    }
}

fn known(accepted: &Accepted, kind: MessageKind, content: &[Block]) -> Result<Done, AgentError> {
    if Accepted::hash(kind, content)? != accepted.content {
        return Err(AgentError::KeyReused);
    }
    let bookmark = seawall_engine::Bookmark { seq: accepted.seq, timestamp: accepted.at };
    Ok(Done { first: accepted.seq, bookmark })
}

/// The same for the same request.
pub(crate) fn fingerprint(
    template: &str,
    version: Option<&str>,
    overrides: Option<&Value>,
    metadata: Option<&Value>,
) -> String {
    let canonical = serde_json::json!([template, version, overrides, metadata]);
    let mut hasher = blake3::Hasher::new();
    let _never_fails = seawall_types::canonical::write(&canonical, &mut hasher);
    hasher.finalize().to_hex().to_string()
}
