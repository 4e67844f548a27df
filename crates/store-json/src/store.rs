//! The folder as an [`AgentStore`]: what is written goes to the writer, what is read to the readers, and what the index knows
//! is answered at once.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, Event, MessageId};
use seawall_store::agents::{
    Accepted, AgentQuery, AgentRow, Append, Appended, BlobId, CallQuery, CallRow, Census, Claimed, Creation,
    Health, Held, Kept, Lease, MessageQuery, MessageRow, Pending, SnapshotRow, Stats, Worker, WorkerId,
};
use seawall_store::{AgentStore, StoreError};

use crate::fault::Fault;
use crate::folder::Folder;
use crate::index::size;
use crate::load;
use crate::log;
use crate::names::Extent;
use crate::reading::{self, Moment, Tried};
use crate::writer::Request;
use crate::{JsonStore, Shared};

impl JsonStore {
    /// Reads of an agent. Where its files are not in line with its log they are mended.
    async fn read<T: Send + 'static>(
        &self,
        id: &AgentId,
        read: impl Fn(&Shared, &Folder, &Moment) -> Result<T, Fault> + Clone + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        self.shared.check_open()?;
        // What is known to be behind is mended first, and what is found to be wrong then, whole.
        let mut mended = 0_u32;
        loop {
            let (shared, its, read) = (Arc::clone(&self.shared), id.clone(), read.clone());
            let trying =
                move || reading::try_read(&shared, &its, |folder, moment| read(&shared, folder, moment));
            match self.readers.read(trying).await? {
                Tried::Read(value) => return Ok(Some(value)),
                Tried::Gone => return Ok(None),
                Tried::Mend(error) if mended == 2 => return Err(error),
                Tried::Mend(_) => self.ask(|answer| Request::Mend(id.clone(), answer)).await?,
            }
            mended = mended.saturating_add(1);
        }
    }

    /// Agents by their names, or the one that is asked for.
    fn names(&self, only: Option<&AgentId>, is_meant: impl Fn(&AgentRow) -> bool) -> Vec<AgentId> {
        if let Some(id) = only {
            return vec![id.clone()];
        }
        let index = self.shared.index();
        index.iter().filter(|(_, entry)| is_meant(&entry.row)).map(|(id, _)| id.clone()).collect()
    }

    fn elapsed(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    async fn find_messages(&self, query: &MessageQuery) -> Result<Vec<MessageRow>, StoreError> {
        let is_meant = |row: &AgentRow| {
            query.tenant.as_ref().is_none_or(|tenant| row.owner.tenant.as_ref() == Some(tenant))
        };
        let (mut found, mut skip) = (Vec::new(), query.skip);
        for id in self.names(query.agent.as_ref(), is_meant) {
            if found.len() >= size(query.most) {
                break;
            }
            let mut query = query.clone();
            query.most = query.most.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            let left = skip;
            let read = move |_: &Shared, folder: &Folder, moment: &Moment| {
                let (mut found, mut skip) = (Vec::new(), left);
                reading::messages(folder, moment, &query, &mut skip, &mut found)?;
                Ok((found, skip))
            };
            if let Some((more, left)) = self.read(&id, read).await? {
                found.extend(more);
                skip = left;
            }
        }
        Ok(found)
    }

    async fn find_calls(&self, query: &CallQuery) -> Result<Vec<CallRow>, StoreError> {
        let is_meant = |row: &AgentRow| {
            query.tenant.as_ref().is_none_or(|tenant| row.owner.tenant.as_ref() == Some(tenant))
        };
        let (mut found, mut skip) = (Vec::new(), size(query.skip));
        for id in self.names(query.agent.as_ref(), is_meant) {
            if found.len() >= size(query.most) {
                break;
            }
            let read = move |_: &Shared, folder: &Folder, moment: &Moment| {
                Ok((moment.row.owner.tenant.clone(), reading::calls(folder, &moment.lengths)?))
            };
            let (tenant, calls) = self.read(&id, read).await?.unwrap_or_default();
            for call in calls.into_iter().filter(|call| query.admits(call, tenant.as_deref())) {
                if skip > 0 {
                    skip = skip.saturating_sub(1);
                } else {
                    found.push(call);
                }
            }
        }
        found.truncate(size(query.most));
        Ok(found)
    }

    async fn count(&self, only: Option<&AgentId>) -> Result<Stats, StoreError> {
        let mut stats = Stats { bytes: Some(0), ..Stats::default() };
        for id in self.names(only, |_| true) {
            let before = stats.clone();
            let read = move |_: &Shared, folder: &Folder, moment: &Moment| {
                let mut stats = before.clone();
                reading::add(&mut stats, folder, &moment.lengths).map(|()| stats)
            };
            if let Some(after) = self.read(&id, read).await? {
                stats = after;
            }
        }
        Ok(stats)
    }

    async fn look(&self) -> Result<Health, StoreError> {
        let began = self.elapsed();
        let shared = Arc::clone(&self.shared);
        let probe = self.readers.read(move || {
            let path = shared.root.join(".health");
            let connected = std::fs::read_dir(crate::folder::agents(&shared.root)).map(|_| ());
            let written = seawall_base::atomic::write(&path, b"ok\n", 0o600);
            let _ = std::fs::remove_file(&path);
            Ok((connected, written))
        });
        let (connected, written) = match self.shared.check_open() {
            Ok(()) => probe.await?,
            Err(error) => {
                let (latency, reason) = (Duration::ZERO, Some(error.to_string()));
                return Ok(Health { connected: false, writable: false, latency, reason });
            }
        };
        let latency = self.elapsed().saturating_sub(began);
        let (is_read, is_written) = (connected.is_ok(), written.is_ok());
        let reason = connected.and(written).err().map(|error| error.to_string());
        Ok(Health { connected: is_read, writable: is_written, latency, reason })
    }
}

impl AgentStore for JsonStore {
    fn create(&self, first: Append) -> Pending<'_, Creation> {
        Box::pin(self.ask(|answer| Request::Create(Box::new(first), answer)))
    }

    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>> {
        Box::pin(self.read(id, |_, folder, moment| load::load(folder, &moment.row, &moment.lengths)))
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>> {
        Box::pin(async {
            self.shared.check_open()?;
            let index = self.shared.index();
            match (index.get(id), index.lost(id)) {
                (Some(entry), _) => Ok(Some(entry.row.clone())),
                (None, Some(error)) => Err(error.clone()),
                (None, None) => Ok(None),
            }
        })
    }

    fn append(&self, append: Append) -> Pending<'_, Appended> {
        Box::pin(self.ask(|answer| Request::Append(Box::new(append), answer)))
    }

    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>> {
        let read = move |_: &Shared, folder: &Folder, moment: &Moment| {
            Ok(log::events(folder, moment.lengths.log, after, most)?)
        };
        Box::pin(async move { Ok(self.read(id, read).await?.unwrap_or_default()) })
    }

    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>> {
        let (its, message) = (id.clone(), message.clone());
        let read = move |shared: &Shared, folder: &Folder, moment: &Moment| {
            let extent = Extent { generation: moment.generation, length: moment.lengths.accepted };
            shared.names.find(folder, &its, &message, extent)
        };
        Box::pin(async move { Ok(self.read(id, read).await?.flatten()) })
    }

    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>> {
        Box::pin(async {
            self.shared.check_open()?;
            Ok(self.shared.index().list(query))
        })
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>> {
        Box::pin(self.find_messages(query))
    }

    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>> {
        Box::pin(self.find_calls(query))
    }

    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>> {
        let read = |_: &Shared, folder: &Folder, moment: &Moment| reading::snapshots(folder, &moment.lengths);
        Box::pin(async move { Ok(self.read(id, read).await?.unwrap_or_default()) })
    }

    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats> {
        Box::pin(self.count(id))
    }

    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId> {
        Box::pin(self.ask(|answer| Request::Put(id.clone(), bytes.to_vec(), answer)))
    }

    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>> {
        let blob = *blob;
        let read = move |_: &Shared, folder: &Folder, _: &Moment| Ok(folder.blob(&blob)?);
        Box::pin(async move { Ok(self.read(id, read).await?.flatten()) })
    }

    fn has_blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, bool> {
        let blob = *blob;
        let look = move |_: &Shared, folder: &Folder, _: &Moment| Ok(folder.has_blob(&blob)?);
        Box::pin(async move { Ok(self.read(id, look).await?.unwrap_or(false)) })
    }

    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool> {
        Box::pin(self.ask(|answer| Request::Purge(id.clone(), answer)))
    }

    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool> {
        Box::pin(async {
            self.shared.check_open()?;
            Ok(self.shared.index().renew(worker, self.elapsed()))
        })
    }

    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()> {
        Box::pin(async {
            self.shared.check_open()?;
            self.shared.index().retire(worker);
            Ok(())
        })
    }

    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease> {
        Box::pin(async {
            self.shared.check_open()?;
            Ok(self.shared.index().claim(id, worker, self.elapsed()))
        })
    }

    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>> {
        Box::pin(async move {
            self.shared.check_open()?;
            let (now, elapsed) = (self.shared.clock.now(), self.elapsed());
            Ok(self.shared.index().claim_due(worker, size(most), now, elapsed))
        })
    }

    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()> {
        Box::pin(async move {
            self.shared.check_open()?;
            self.shared.index().release(id, epoch);
            Ok(())
        })
    }

    fn next_due(&self) -> Pending<'_, Option<Duration>> {
        Box::pin(async {
            self.shared.check_open()?;
            Ok(self.shared.index().next_due(self.shared.clock.now(), self.elapsed()))
        })
    }

    fn census(&self) -> Pending<'_, Census> {
        Box::pin(async {
            self.shared.check_open()?;
            Ok(self.shared.index().census(self.shared.clock.now(), self.elapsed()))
        })
    }

    fn held<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, Vec<Held>> {
        Box::pin(async {
            self.shared.check_open()?;
            Ok(self.shared.index().held_by(worker))
        })
    }

    fn workers(&self) -> Pending<'_, Vec<Worker>> {
        Box::pin(async {
            self.shared.check_open()?;
            Ok(self.shared.index().workers(self.elapsed()))
        })
    }

    fn health(&self) -> Pending<'_, Health> {
        Box::pin(self.look())
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.shut())
    }
}
