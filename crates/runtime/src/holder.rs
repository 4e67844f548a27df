//! Holding an agent: the one task that decides for it, writes what was decided, and sees to it that it is done.
//!
//! ```text
//! commands ──► decide ──► append ──► tell the hub, answer the callers ──► begin what is outstanding, stop what is not
//!    ▲                                                                              │
//!    └──────────────────────── what effects come to ◄───────────────────────────────┘
//! ```
//!
//! Commands that wait at the same time are decided one after the other and written in one append. Nothing is told before it is
//! written, and nothing that changes the world is begun; what changes nothing may be ([`ahead`]), and the agent's own folder is
//! made. Who can't write any more, because the lease is another's, stops at once.

mod ahead;
mod batch;
mod doing;
mod doze;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    AgentId, Authority, Bookmark, Claim, Command, EffectKey, Event, Interrupt, Note, SetTools, Tell, Wake,
};
use seawall_store::StoreError;
use seawall_store::agents::{Appended, Kept, Lease, Right};
use seawall_types::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::member::Member;
use crate::session::Session;
use crate::shared::Shared;
use crate::{AgentError, files, outside, subagents};
use batch::{Batch, Decided};
use doing::Doing;

/// Commands that are decided on at once, at the most.
const BATCH: usize = 64;

/// How long a write that failed is waited for before it is tried again, at first and at the most.
const AGAIN: Duration = Duration::from_millis(20);
const AGAIN_AT_MOST: Duration = Duration::from_secs(2);

/// What is put before a holder. Small: every holder has room for some tens of them, whether or not any waits.
#[derive(Debug)]
pub(crate) enum Job {
    /// Decide on this, and tell the caller once it is written.
    Command(Box<Command>, Option<Reply>),
    /// Somebody else has written: read it.
    Look,
    /// The agent was claimed for whoever holds it, because it was due.
    Claimed(u64),
    /// An effect is not performed any more; what came of it was said before.
    Ended(Box<Begun>),
    /// Let go of the agent, if it rests. The holder's end is the answer.
    Hibernate,
}

/// One performance of an effect. What is wanted again after it was not, such as judging a call that was approved, is begun
/// again under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    key: EffectKey,
    number: u64,
}

/// Who asked, and waits.
pub(crate) type Reply = oneshot::Sender<Result<Done, NotDone>>;

/// A command was decided on and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The number of the first event that came of it; of the last one before, where nothing came of it.
    pub first: u64,
    /// Where the agent is by now.
    pub bookmark: Bookmark,
}

/// A command was not.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// And will not be.
    Refused(AgentError),
    /// Not by this holder: the agent is another's, or at rest. Look for it again.
    Elsewhere,
}

/// Why a holder ends.
#[derive(Debug)]
enum End {
    /// Nobody needs the agent here.
    Rests,
    /// The process ends.
    Stopping,
    /// Another worker has it.
    Lost,
    /// It was claimed under this number, and not for this holder: its lease has lapsed, or the agent is another one of its name.
    Anew(u64),
    /// It can't be read.
    Broken(StoreError),
}

/// A batch was decided on and written.
#[derive(Debug, Default)]
struct Settled {
    /// An effect has ended, and is still wanted.
    leaves_undone: bool,
}

/// Holds one agent until it rests or is lost.
#[derive(Debug)]
pub(crate) struct Holder {
    shared: Arc<Shared>,
    member: Arc<Member>,
    session: Arc<Session>,
    kept: Kept,
    /// Whether its messages were put away.
    dozes: bool,
    epoch: u64,
    inbox: mpsc::Receiver<Job>,
    /// What came while answers were taken in, and is next.
    put_by: VecDeque<Job>,
    doing: Doing,
}

/// How an agent comes to be held.
pub(crate) async fn hold(
    shared: Arc<Shared>,
    member: Arc<Member>,
    id: AgentId,
    claimed: Option<u64>,
    mut inbox: mpsc::Receiver<Job>,
    me: mpsc::Sender<Job>,
) {
    let mut put_by = VecDeque::new();
    // Ten thousand agents rest here at once: what they need only while they work is not kept for them.
    let ended = match Box::pin(begin(&shared, &member, &id, claimed)).await {
        Ok((kept, epoch)) => {
            shared.counters.taken_up.add();
            let session = Box::pin(Session::open(&shared, &member, &kept, epoch, me)).await;
            let doing = Doing::default();
            let member = Arc::clone(&member);
            let shared = Arc::clone(&shared);
            let mut holder =
                Holder { shared, member, session, kept, dozes: false, epoch, inbox, put_by, doing };
            let end = holder.run().await;
            (inbox, put_by) = (holder.inbox, holder.put_by);
            (end, Some(epoch))
        }
        Err(end) => (end, claimed),
    };
    let (end, held) = ended;
    let epoch = if let End::Anew(claimed) = end { Some(claimed) } else { held };
    match &end {
        End::Rests | End::Stopping | End::Anew(_) => {}
        End::Lost => tracing::info!(agent = %id, "the agent is held elsewhere; its work here has stopped"),
        End::Broken(error) => tracing::error!(agent = %id, %error, "the agent can't be run"),
    }
    // Given up before anybody here can claim it again: who claims what it holds has it under the same epoch.
    if let (Some(epoch), true) = (epoch, end.may_go_on_elsewhere()) {
        Box::pin(give_up(&shared, &member, &id, epoch)).await;
    }
    // From here on whoever looks for the agent finds no holder, and those who found this one are told to look again.
    shared.live.leave(&id);
    inbox.close();
    while let Some(job) = next_job(&mut put_by, &mut inbox).await {
        match job {
            Job::Command(_, Some(reply)) => _ = reply.send(Err(refusal(&end))),
            // It was claimed in between for a holder that is no more.
            Job::Claimed(epoch) => Box::pin(give_up(&shared, &member, &id, epoch)).await,
            Job::Command(_, None) | Job::Look | Job::Ended(_) | Job::Hibernate => {}
        }
    }
    shared.due.notify_one();
}

/// What those are told who still waited for a holder.
fn refusal(end: &End) -> NotDone {
    match end {
        End::Rests | End::Lost | End::Anew(_) => NotDone::Elsewhere,
        End::Stopping => NotDone::Refused(AgentError::Stopping),
        End::Broken(error) => NotDone::Refused(error.clone().into()),
    }
}

/// Lets others claim the agent. As long as this process is alive nobody else would: so it is tried until it is done.
async fn give_up(shared: &Shared, member: &Member, id: &AgentId, epoch: u64) {
    let mut again = AGAIN;
    while let Err(error) = shared.store.release(id, epoch).await {
        tracing::warn!(agent = %id, %error, "the agent could not be given up; trying again");
        tokio::select! {
            // The process is gone soon, and its lease with it.
            () = shared.stopping.cancelled() => return,
            () = member.lapsed() => return,
            () = tokio::time::sleep(again) => again = again.saturating_mul(2).min(AGAIN_AT_MOST),
        }
    }
}

impl End {
    /// Whether somebody may take the agent up next, here or elsewhere. One that can't be read would only come back.
    const fn may_go_on_elsewhere(&self) -> bool {
        match self {
            Self::Rests | Self::Stopping | Self::Anew(_) => true,
            Self::Lost => false,
            Self::Broken(error) => !matches!(error, StoreError::Corrupt { .. }),
        }
    }
}

/// Claims the agent unless it is claimed, and reads it.
async fn begin(
    shared: &Shared,
    member: &Member,
    id: &AgentId,
    claimed: Option<u64>,
) -> Result<(Kept, u64), End> {
    let epoch = match claimed {
        Some(epoch) => epoch,
        None => match shared.store.claim(id, member.id()).await {
            Ok(Lease::Held { epoch }) => epoch,
            Ok(Lease::Elsewhere(_) | Lease::Gone | Lease::Lapsed) => return Err(End::Lost),
            Err(error) => {
                shared.doubt.raise(shared.settings.lease);
                return Err(End::Broken(error));
            }
        },
    };
    match shared.store.load(id).await.map_err(End::Broken)? {
        Some(kept) => Ok((kept, epoch)),
        None => Err(End::Lost),
    }
}

impl Holder {
    async fn run(&mut self) -> End {
        let end = match Box::pin(self.take_up()).await {
            Ok(()) => self.work().await,
            Err(end) => end,
        };
        self.doing.stop().await;
        self.session.close().await;
        // Others may write from now on, of whom the hub does not hear.
        self.shared.hub.forget(self.kept.id());
        end
    }

    /// The first thing: whatever was left undone is from now on ours to do.
    async fn take_up(&mut self) -> Result<(), End> {
        let mut batch = Batch::default();
        batch.add(Claim { owner: self.member.id().0.clone() }.into(), None);
        if let Some(tools) = self.session.tools_now() {
            batch.add(SetTools { tools }.into(), None);
        }
        for message in &self.session.equipment.told {
            batch.add(Tell { note: Note::Error { message: message.as_str().into() } }.into(), None);
        }
        if subagents::works_for_nobody(&self.shared, self.kept.agent()).await {
            let note = Some("the call that it worked for was given up".into());
            batch.add(Interrupt { by: "seawall".into(), note }.into(), None);
        }
        // Whoever has woken the agent waits for one write then, and not for two. Where files may have changed, they are told with
        // the step, which must not begin with the taking up then.
        if !self.inbox.is_empty() && self.session.place_with_files().await.is_none() {
            self.take_what_waits(&mut batch)?;
        }
        self.settle(batch).await.map(drop)
    }

    async fn work(&mut self) -> End {
        loop {
            let batch = match self.next().await {
                Ok(batch) => batch,
                Err(end) => return end,
            };
            let settled = match Box::pin(self.settle(batch)).await {
                Ok(Settled { leaves_undone: true }) => Box::pin(self.stop_turn()).await,
                Ok(Settled { leaves_undone: false }) => Ok(()),
                Err(end) => Err(end),
            };
            if let Err(end) = settled {
                return end;
            }
        }
    }

    /// What was to be done broke off by a fault of ours, and would do so again: people have to see it.
    async fn stop_turn(&mut self) -> Result<(), End> {
        tracing::error!(agent = %self.kept.id(), "an effect of the agent ended without an answer; its turn is stopped");
        let mut batch = Batch::default();
        let note = Some("a fault of the runtime, see the server's log; send a message to go on".into());
        batch.add(Interrupt { by: "seawall".into(), note }.into(), None);
        self.settle(batch).await.map(drop)
    }

    /// What is to be decided on next: waits for it.
    async fn next(&mut self) -> Result<Batch, End> {
        let mut batch = Batch::default();
        let rests = self.kept.agent().rests() && self.doing.is_empty();
        self.shared.live.mark(self.kept.id(), rests);
        let idle = Instant::now().checked_add(self.shared.settings.idle_after);
        let wake = self.kept.agent().wake_at().map(|at| at.since(self.shared.clock.now()));
        let wake = wake.and_then(|wake| Instant::now().checked_add(wake));
        let settled = Instant::now().checked_add(self.shared.settings.doze_after);
        let mut settles = rests && !self.dozes;
        loop {
            tokio::select! {
                biased;
                () = self.shared.stopping.cancelled() => return Err(End::Stopping),
                () = self.member.lapsed() => return Err(End::Lost),
                job = next_job(&mut self.put_by, &mut self.inbox) => self.take(job, &mut batch)?,
                () = sleep_until(wake) => batch.add(Wake.into(), None),
                () = sleep_until(idle), if rests => return Err(End::Rests),
                () = sleep_until(settled), if settles => {
                    settles = false;
                    self.doze();
                    continue;
                }
            }
            break;
        }
        self.take_what_waits(&mut batch)?;
        Ok(batch)
    }

    fn take_what_waits(&mut self, batch: &mut Batch) -> Result<(), End> {
        while batch.len() < BATCH {
            let Some(job) = self.put_by.pop_front().or_else(|| self.inbox.try_recv().ok()) else { break };
            self.take(Some(job), batch)?;
        }
        Ok(())
    }

    fn take(&self, job: Option<Job>, batch: &mut Batch) -> Result<(), End> {
        match job {
            Some(Job::Command(command, reply)) => batch.add(*command, reply),
            Some(Job::Look) => batch.looks = true,
            Some(Job::Ended(begun)) => batch.ended.push(*begun),
            Some(Job::Hibernate) if self.kept.agent().rests() && batch.is_empty() => return Err(End::Rests),
            Some(Job::Claimed(epoch)) if epoch != self.epoch => {
                batch.turn_away();
                return Err(End::Anew(epoch));
            }
            Some(Job::Hibernate | Job::Claimed(_)) => {}
            None => return Err(End::Stopping),
        }
        Ok(())
    }

    /// Decides, writes, tells, and begins. A batch is decided on anew when somebody has written in between.
    async fn settle(&mut self, mut batch: Batch) -> Result<Settled, End> {
        if self.dozes_on(&batch).await {
            return Ok(Settled::default());
        }
        self.wake_up(&mut batch).await?;
        if std::mem::take(&mut batch.looks) {
            self.catch_up(&mut batch).await?;
        }
        let (mut again, mut changes) = (AGAIN, None);
        let mut decided = Decided::nothing(self.kept.agent());
        loop {
            batch.decide(&mut decided, Authority::Holder { epoch: self.epoch }, self.now());
            if decided.is_stale {
                return Err(End::Lost);
            }
            // The model is told with the very step that its files have changed before.
            if !batch.has_looked && decided.steps() > 0 {
                batch.has_looked = true;
                changes = self.tell_of_files(&mut batch).await?;
                if changes.is_some() {
                    decided = Decided::nothing(self.kept.agent());
                    continue;
                }
            }
            if self.go_ahead(&mut batch, &mut decided).await {
                continue;
            }
            if decided.steps() > 0 {
                self.session.prepare_place();
            }
            match self.write(&decided).await {
                Ok(Appended::Done) => {
                    let ended = batch.answer(decided);
                    self.go_on();
                    if let Some(changes) = changes {
                        changes.told().await;
                    }
                    return Ok(self.settled(&ended));
                }
                Ok(Appended::Moved) => {
                    batch.holds_back = true;
                    self.come_back(&mut batch).await;
                    self.catch_up(&mut batch).await?;
                }
                Ok(Appended::Fenced | Appended::Gone) => {
                    batch.turn_away();
                    return Err(End::Lost);
                }
                Err(error @ StoreError::Corrupt { .. }) => {
                    batch.fail(&error);
                    return Err(End::Broken(error));
                }
                // A name is taken. Only whoever uses it is to hear of that.
                Err(StoreError::Conflict { .. }) if batch.len() > 1 => {
                    self.come_back(&mut batch).await;
                    let ended = std::mem::take(&mut batch.ended);
                    for single in batch.apart() {
                        Box::pin(self.settle(single)).await?;
                    }
                    if let Some(changes) = changes {
                        changes.told().await;
                    }
                    return Ok(self.settled(&ended));
                }
                Err(error @ StoreError::Conflict { .. }) if batch.is_asked() => {
                    batch.fail(&error);
                    return Ok(self.settled(&batch.ended));
                }
                Err(error) => {
                    tracing::warn!(agent = %self.kept.id(), %error, "the agent's events can't be written; trying again");
                    // Callers are not kept waiting: what they asked for is not done, or they will see that it was.
                    batch.fail(&error);
                    batch.holds_back = true;
                    self.come_back(&mut batch).await;
                    self.pause(&mut again).await?;
                    self.catch_up(&mut batch).await?;
                }
            }
            decided = Decided::nothing(self.kept.agent());
        }
    }

    fn settled(&self, ended: &[Begun]) -> Settled {
        Settled { leaves_undone: self.doing.left_undone(ended, self.kept.agent()) }
    }

    /// Looks for files that the agent has seen and that are others by now, and has it told of them first.
    async fn tell_of_files(&mut self, batch: &mut Batch) -> Result<Option<files::Changes>, End> {
        let Some(changes) = files::changed(&self.session).await else { return Ok(None) };
        if self.kept.agent().epoch() == self.epoch {
            batch.tell_first(changes.notes.iter().cloned());
            return Ok(Some(changes));
        }
        // Taking the agent up begins the step: what goes along with it has to be there before.
        for note in &changes.notes {
            let told =
                outside::write(&self.shared, self.kept.id(), &Tell { note: note.clone() }.into()).await;
            if let Err(error) = told {
                tracing::warn!(agent = %self.kept.id(), %error, "the agent is not told of files that have changed");
                return Ok(None);
            }
        }
        self.catch_up(batch).await?;
        Ok(Some(changes))
    }

    /// Writes what was decided, and moves on to it.
    async fn write(&mut self, decided: &Decided) -> Result<Appended, StoreError> {
        let (next, append) = self.kept.append(Right::Holder { epoch: self.epoch }, &decided.events)?;
        if !append.events.is_empty() {
            let appended = self.shared.store.append(append).await?;
            if appended != Appended::Done {
                return Ok(appended);
            }
        }
        self.kept = next;
        self.shared.counters.written(&self.shared.durations, &decided.events);
        self.publish(&decided.events).await;
        Ok(Appended::Done)
    }

    async fn publish(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        subagents::abandon(&self.shared, self.kept.agent().run(), events);
        let told: Vec<_> = events.iter().cloned().map(Arc::new).collect();
        self.shared.hub.publish(self.kept.id(), &told);
        let pieces: Vec<_> = events.iter().filter(|event| event.expires()).cloned().collect();
        if !pieces.is_empty()
            && let Err(error) = self.shared.store.show(self.kept.id(), &pieces).await
        {
            tracing::debug!(agent = %self.kept.id(), %error, "pieces of an answer are not shown elsewhere");
        }
    }

    /// Reads what others have written. Where that is what this holder has tried to write, it was written after all.
    async fn catch_up(&mut self, batch: &mut Batch) -> Result<(), End> {
        const PAGE: u32 = 256;
        let mut again = AGAIN;
        loop {
            let events = match self.shared.store.events(self.kept.id(), self.kept.seq(), PAGE).await {
                Ok(events) => events,
                Err(error @ StoreError::Corrupt { .. }) => return Err(End::Broken(error)),
                Err(error) => {
                    batch.fail(&error);
                    self.pause(&mut again).await?;
                    continue;
                }
            };
            let Some(last) = events.last() else { return Ok(()) };
            // What others have written down is for the holder to go on with.
            batch.wake();
            if last.epoch > self.epoch {
                batch.turn_away();
                return Err(End::Lost);
            }
            for event in &events {
                self.kept.follow(event).map_err(End::Broken)?;
            }
            if self.kept.agent().epoch() == self.epoch {
                batch.drop_claim();
            }
            subagents::abandon(&self.shared, self.kept.agent().run(), &events);
            let told: Vec<_> = events.into_iter().map(Arc::new).collect();
            self.shared.hub.publish(self.kept.id(), &told);
        }
    }

    async fn pause(&self, again: &mut Duration) -> Result<(), End> {
        tokio::select! {
            () = self.shared.stopping.cancelled() => Err(End::Stopping),
            () = self.member.lapsed() => Err(End::Lost),
            () = tokio::time::sleep(*again) => {
                *again = again.saturating_mul(2).min(AGAIN_AT_MOST);
                Ok(())
            }
        }
    }

    /// Begins what is outstanding and not begun, and stops what is begun and not outstanding any more.
    fn go_on(&mut self) {
        self.session.follow(self.kept.agent());
        self.doing.go_on(self.kept.agent(), &self.session);
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

async fn next_job(put_by: &mut VecDeque<Job>, inbox: &mut mpsc::Receiver<Job>) -> Option<Job> {
    match put_by.pop_front() {
        Some(job) => Some(job),
        None => inbox.recv().await,
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}
