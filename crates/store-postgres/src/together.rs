//! Doing together what is wanted at the same time: one transaction, so one round trip and one flush, for many agents.
//!
//! Who comes while others are under way waits for the next group that goes. Each wish keeps its own verdict: what may not be
//! done changes nothing and is answered for itself. What keeps the others from being done, because its row is locked or its
//! name taken, has the group fall apart, and each goes on alone, on another connection.

mod queue;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_base::tasks::Group;
use seawall_engine::AgentId;
use seawall_store::StoreError;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::Row;

use crate::failure::{Undone, closed, damaged, unavailable};
use crate::room::Room;
use crate::row::get;
use crate::value::Number;
use queue::{Answer, Queue, Waiting};

/// How soon what still waits is looked at again while the store is being closed.
const SOON: Duration = Duration::from_millis(20);

/// Something that is done to agents, of which one transaction does many.
pub(crate) trait Work: Send + Sync + 'static {
    /// What is wanted of one agent.
    type Wish: Send + Sync + 'static;

    /// What it comes to.
    type Answer: Send + 'static;

    /// What wishes are called when too many wait.
    const NAME: &'static str;

    /// Groups that are under way at once: while one waits for the server's disk the next one is worked on.
    const AT_ONCE: usize;

    /// Wishes in a group, at the most.
    const MOST: usize;

    /// Whether an agent is in one group at a time, so that no two groups wait for each other.
    const IS_EXCLUSIVE: bool = true;

    /// Whom a wish is about.
    fn agent(wish: &Self::Wish) -> &AgentId;

    /// Bytes that are sent for it, about.
    fn weight(wish: &Self::Wish) -> usize;

    /// Grants those that need not wait for anybody, of different agents if that is exclusive. `None` stands for one that was left
    /// as it was.
    fn together(
        &self,
        wishes: &[Self::Wish],
    ) -> impl Future<Output = Result<Vec<Option<Self::Answer>>, Undone>> + Send;

    /// Grants one, or says why not. `was_left`: it was tried with others, and was not to be.
    fn alone(
        &self,
        wish: Self::Wish,
        was_left: bool,
    ) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;
}

/// Answers in the order of the wishes, from rows whose first column is the wish's place from 1.
pub(crate) fn in_place<T>(
    wishes: usize,
    rows: &[Row],
    answer: impl Fn(usize, &Row) -> Result<T, StoreError>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut answers: Vec<_> = std::iter::repeat_with(|| None).take(wishes).collect();
    for row in rows {
        let place = place(row)?;
        let slot = answers.get_mut(place).ok_or_else(|| damaged("the server answered something else"))?;
        *slot = Some(answer(place, row)?);
    }
    Ok(answers)
}

/// The wish that a row belongs to, counted from 0.
pub(crate) fn place(row: &Row) -> Result<usize, StoreError> {
    let place = usize::try_from(get::<Number>(row, 0)?.0).map_err(damaged)?;
    place.checked_sub(1).ok_or_else(|| damaged("the server counts from 0"))
}

/// Work of one kind that is wanted of a store.
pub(crate) struct Together<W: Work>(Arc<Shared<W>>);

struct Shared<W: Work> {
    work: W,
    tasks: Group,
    /// How long a wish waits for a group that has room.
    patience: Duration,
    queue: Mutex<Queue<W>>,
}

impl<W: Work> Together<W> {
    pub(crate) fn new(work: W, tasks: Group, patience: Duration) -> Self {
        Self(Arc::new(Shared { work, tasks, patience, queue: Mutex::default() }))
    }

    /// Grants a wish, whether or not anybody waits for the answer.
    pub(crate) fn want(
        &self,
        room: &Room,
        wish: W::Wish,
    ) -> impl Future<Output = Result<W::Answer, StoreError>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        room.within(|| self.0.add(Waiting { wish, answer, until: Instant::now() + self.0.patience }));
        async { answered.await.unwrap_or_else(|_| Err(unavailable("the call was cut off"))) }
    }
}

impl<W: Work> Shared<W> {
    /// Of changes here none is half-done.
    fn queue(&self) -> MutexGuard<'_, Queue<W>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, waiting: Waiting<W>) {
        let mut queue = self.queue();
        if self.tasks.shutdown().is_cancelled() {
            drop(waiting.answer.send(Err(closed())));
            return;
        }
        queue.waiting.push_back(waiting);
        self.begin(queue);
    }

    /// Has what waits done as soon as there is room for a group, and turned away where there is none for too long.
    fn begin(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue<W>>) {
        if queue.waiting.is_empty() {
            return;
        }
        let has_room = queue.groups < W::AT_ONCE;
        queue.groups += usize::from(has_room);
        let is_watched = std::mem::replace(&mut queue.is_watched, true);
        drop(queue);
        if has_room {
            drop(self.tasks.spawn(W::NAME, Arc::clone(self).go_on()));
        }
        if !is_watched {
            drop(self.tasks.spawn(W::NAME, Arc::clone(self).watch()));
        }
    }

    /// Does groups until nothing waits.
    async fn go_on(self: Arc<Self>) {
        let mut place = Place { shared: Arc::clone(&self), agents: Vec::new(), is_left: false };
        // Whatever else is on its way here goes along.
        tokio::task::yield_now().await;
        while let Some(group) = place.next() {
            let alone = self.grant(group).await;
            place.agents.retain(|agent| !alone.contains(agent));
        }
    }

    /// Does a group. Those are given that go on alone, and are under way for longer.
    async fn grant(self: &Arc<Self>, group: Vec<Waiting<W>>) -> HashSet<AgentId> {
        let (wishes, answers): (Vec<_>, Vec<_>) =
            group.into_iter().map(|Waiting { wish, answer, .. }| (wish, answer)).unzip();
        let granted = self.work.together(&wishes).await;
        let is_single = wishes.len() == 1;
        let mut alone = HashSet::new();
        let mut apart = |wish: W::Wish, answer, was_left| {
            alone.insert(W::agent(&wish).clone());
            self.spawn_alone(wish, answer, was_left);
        };
        let each = wishes.into_iter().zip(answers);
        match granted {
            Ok(granted) => {
                for ((wish, answer), granted) in each.zip(granted) {
                    match granted {
                        Some(granted) => drop(answer.send(Ok(granted))),
                        None => apart(wish, answer, true),
                    }
                }
            }
            Err(undone) if undone.is_locked || undone.is_of_one && !is_single => {
                each.for_each(|(wish, answer)| apart(wish, answer, false));
            }
            Err(undone) => each.for_each(|(_, answer)| drop(answer.send(Err(undone.error.clone())))),
        }
        alone
    }

    /// Turns those away who have waited too long, while anybody waits. Who closes the store does not wait for that.
    async fn watch(self: Arc<Self>) {
        let closing = self.tasks.shutdown();
        loop {
            let late: Vec<_>;
            let next = {
                let mut queue = self.queue();
                let now = Instant::now();
                let count = queue.waiting.partition_point(|waiting| waiting.until <= now);
                late = queue.waiting.drain(..count).collect();
                queue.is_watched = !queue.waiting.is_empty();
                queue.waiting.front().map(|waiting| waiting.until)
            };
            for waiting in late {
                let slow = format!("pool exhausted: too many {} wait for PostgreSQL", W::NAME);
                drop(waiting.answer.send(Err(unavailable(slow))));
            }
            let Some(mut next) = next else { return };
            if closing.is_cancelled() {
                next = next.min(Instant::now() + SOON);
            }
            tokio::select! {
                () = sleep_until(next) => {}
                () = closing.cancelled(), if !closing.is_cancelled() => {}
            }
        }
    }

    fn spawn_alone(self: &Arc<Self>, wish: W::Wish, answer: Answer<W>, was_left: bool) {
        let own = Arc::clone(self);
        let busy = Busy { shared: Arc::clone(self), agent: W::agent(&wish).clone() };
        let task = async move {
            let _until_it_is_done = busy;
            drop(answer.send(own.work.alone(wish, was_left).await));
        };
        drop(self.tasks.spawn(W::NAME, task));
    }
}

/// An agent whose wish goes on alone: nothing else of it is under way meanwhile.
struct Busy<W: Work> {
    shared: Arc<Shared<W>>,
    agent: AgentId,
}

impl<W: Work> Drop for Busy<W> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.busy.remove(&self.agent);
        self.shared.begin(queue);
    }
}

/// One of the few places for groups under way.
struct Place<W: Work> {
    shared: Arc<Shared<W>>,
    /// Those in the group that is under way.
    agents: Vec<AgentId>,
    is_left: bool,
}

impl<W: Work> Place<W> {
    /// What waits, oldest first: one wish of an agent, and none of agents that are under way elsewhere. The place is left
    /// where there is nothing.
    fn next(&mut self) -> Option<Vec<Waiting<W>>> {
        let mut queue = self.shared.queue();
        for agent in self.agents.drain(..) {
            queue.busy.remove(&agent);
        }
        let group = queue.take();
        if group.is_empty() {
            queue.groups -= 1;
            self.is_left = true;
            return None;
        }
        self.agents = group.iter().map(|waiting| W::agent(&waiting.wish).clone()).collect();
        Some(group)
    }
}

impl<W: Work> Drop for Place<W> {
    /// Who leaves otherwise than by finding nothing has panicked: those who waited for it are told.
    fn drop(&mut self) {
        if !self.is_left {
            let mut queue = self.shared.queue();
            queue.groups -= 1;
            for agent in self.agents.drain(..) {
                queue.busy.remove(&agent);
            }
            self.shared.begin(queue);
        }
    }
}
