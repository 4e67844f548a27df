//! The store of many machines: durable agents in PostgreSQL 15 or newer.
//!
//! The agent's row is queue, timer and lease in one. A write is one statement, which checks epoch and number on that row
//! and writes the log and all that follows from it, in a transaction of one round trip with its own limits of time. What is
//! wanted of different agents at the same time is one statement. It depends on no state of a session: a pooler that
//! hands connections on between transactions is no trouble.
//!
//! Nothing here decides anything about agents; what a store promises is said in [`seawall_store::agents`].

mod append;
mod database;
mod failure;
mod hints;
mod home;
mod keep;
mod lease;
mod load;
mod open;
mod options;
mod query;
mod queue;
mod room;
mod row;
mod schema;
mod scratch;
mod statement;
mod tls;
mod together;
mod value;

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, Event, MessageId};
use seawall_store::agents::{
    Accepted, AgentQuery, AgentRow, Append, Appended, BlobId, CallQuery, CallRow, Census, Claimed, Creation,
    Health, Held, Hints, Kept, Lease, MessageQuery, MessageRow, Pending, SnapshotRow, Stats, Worker,
    WorkerId,
};
use seawall_store::{AgentStore, StoreError};

use crate::append::{Appends, Write};
use crate::database::{Connector, Database};
use crate::hints::{Hearing, Listener, Notices};
use crate::lease::{Claim, Claims, Release, Releases};
use crate::load::Loads;
use crate::room::Room;
use crate::together::Together;

pub use options::{Options, OptionsError};
pub use scratch::Scratch;

/// Durable agents in PostgreSQL.
///
/// Its connections live on a thread of its own, which ends with it. A call that is dropped goes on there by itself.
pub struct PostgresStore {
    database: Arc<Database>,
    connector: Connector,
    notices: Arc<Notices>,
    appends: Together<Appends>,
    claims: Together<Claims>,
    releases: Together<Releases>,
    loads: Together<Loads>,
    listener: Listener,
    options: Options,
    // Last: what is under way ends when everything else was let go of.
    room: Room,
}

impl PostgresStore {
    /// Whether connections keep statements that were parsed once: nobody stands between who would hand them on.
    #[must_use]
    pub fn keeps_statements(&self) -> bool {
        self.database.keeps_statements()
    }

    /// Does something with the database where its connections live.
    fn on<T, F>(&self, task: impl FnOnce(Arc<Database>) -> F) -> Pending<'static, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Box::pin(self.room.run(task(Arc::clone(&self.database))))
    }

    /// The same for what others are to hear of, where it is news.
    fn tell<T, F>(
        &self,
        agent: &AgentId,
        is_news: fn(&T) -> bool,
        task: impl FnOnce(Arc<Database>) -> F,
    ) -> Pending<'static, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (notices, agent) = (Arc::clone(&self.notices), agent.clone());
        let task = task(Arc::clone(&self.database));
        Box::pin(self.room.run(async move {
            let done = task.await?;
            if is_news(&done) {
                notices.wrote(&agent);
            }
            Ok(done)
        }))
    }
}

impl AgentStore for PostgresStore {
    fn create(&self, first: Append) -> Pending<'_, Creation> {
        let is_made = |creation: &Creation| *creation == Creation::Made;
        self.tell(
            &first.agent.clone(),
            is_made,
            |database| async move { append::create(&database, first).await },
        )
    }

    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>> {
        Box::pin(self.loads.want(&self.room, id.clone()))
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>> {
        let id = id.clone();
        self.on(|database| async move { load::agent(&database, &id).await })
    }

    fn append(&self, append: Append) -> Pending<'_, Appended> {
        match Write::of(append) {
            Ok(write) => Box::pin(self.appends.want(&self.room, write)),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>> {
        let id = id.clone();
        self.on(move |database| async move { load::events(&database, &id, after, most).await })
    }

    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>> {
        let (id, message) = (id.clone(), message.clone());
        self.on(|database| async move { load::accepted(&database, &id, &message).await })
    }

    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>> {
        let query = query.clone();
        self.on(|database| async move { query::agents(&database, &query).await })
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>> {
        let query = query.clone();
        self.on(|database| async move { query::messages(&database, &query).await })
    }

    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>> {
        let query = query.clone();
        self.on(|database| async move { query::calls(&database, &query).await })
    }

    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>> {
        let id = id.clone();
        self.on(|database| async move { load::snapshots(&database, &id).await })
    }

    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats> {
        let id = id.cloned();
        self.on(|database| async move { query::stats(&database, id.as_ref()).await })
    }

    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId> {
        let (id, bytes) = (id.clone(), bytes.to_vec());
        self.on(|database| async move { keep::put_blob(&database, &id, &bytes).await })
    }

    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>> {
        let (id, blob) = (id.clone(), *blob);
        self.on(move |database| async move { load::blob(&database, &id, &blob).await })
    }

    fn has_blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, bool> {
        let (id, blob) = (id.clone(), *blob);
        self.on(move |database| async move { load::has_blob(&database, &id, &blob).await })
    }

    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool> {
        let own = id.clone();
        self.tell(id, |was_there| *was_there, |database| async move { keep::purge(&database, &own).await })
    }

    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool> {
        let worker = worker.clone();
        self.on(|database| async move { lease::renew(&database, &worker).await })
    }

    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()> {
        let (worker, notices) = (worker.clone(), Arc::clone(&self.notices));
        self.on(|database| async move {
            lease::retire(&database, &worker).await?;
            notices.wrote_much();
            Ok(())
        })
    }

    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease> {
        Box::pin(self.claims.want(&self.room, Claim { agent: id.clone(), worker: worker.clone() }))
    }

    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>> {
        let worker = worker.clone();
        self.on(move |database| async move { queue::claim_due(&database, &worker, most).await })
    }

    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()> {
        Box::pin(self.releases.want(&self.room, Release { agent: id.clone(), epoch }))
    }

    fn held<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, Vec<Held>> {
        let worker = worker.clone();
        self.on(move |database| async move { lease::held_by(&database, &worker).await })
    }

    fn next_due(&self) -> Pending<'_, Option<Duration>> {
        self.on(|database| async move { queue::next_due(&database).await })
    }

    fn census(&self) -> Pending<'_, Census> {
        self.on(|database| async move { queue::census(&database).await })
    }

    fn workers(&self) -> Pending<'_, Vec<Worker>> {
        self.on(|database| async move { lease::workers(&database).await })
    }

    fn show<'a>(&'a self, id: &'a AgentId, pieces: &'a [Event]) -> Pending<'a, ()> {
        let (own, pieces) = (id.clone(), pieces.to_vec());
        self.tell(id, |()| true, |database| async move { keep::show(&database, &own, &pieces).await })
    }

    fn shown<'a>(&'a self, id: &'a AgentId, after: u64) -> Pending<'a, Vec<Event>> {
        let id = id.clone();
        self.on(move |database| async move { keep::shown(&database, &id, after).await })
    }

    fn listen(&self) -> Option<Box<dyn Hints>> {
        let hearing = || Hearing {
            database: Arc::clone(&self.database),
            connector: self.connector.clone(),
            notices: Arc::clone(&self.notices),
        };
        Some(Box::new(self.listener.ear(&self.room, hearing)))
    }

    fn health(&self) -> Pending<'_, Health> {
        self.on(|database| async move { Ok(keep::health(&database).await) })
    }

    fn close(&self) -> Pending<'_, ()> {
        self.database.close();
        let gone = self.room.close();
        Box::pin(async {
            gone.await;
            Ok(())
        })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("options", &self.options).finish_non_exhaustive()
    }
}
