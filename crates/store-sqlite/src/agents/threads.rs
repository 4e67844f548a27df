//! Who writes and who reads: threads with a connection each, and channels to them.
//!
//! Whoever waits for an answer holds no thread meanwhile, and no runtime is needed for any of it. The channels are bounded:
//! where thousands wait already, the next one is refused.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use futures_channel::oneshot;
use rusqlite::{Connection, TransactionBehavior};
use seawall_store::StoreError;

use super::mover::Mover;
use crate::{DURABLE, connect, failed};

/// Writes that are committed together at the most.
const GROUP: usize = 1024;

/// Writes, and reads, that wait at the most.
const WAITING: usize = 8192;

/// Connections that read.
const READERS: usize = 3;

/// Statements that a connection keeps prepared; there are fewer.
const STATEMENTS: usize = 128;

/// How much a connection that writes keeps in memory, in KiB as SQLite has it (negative).
const WRITER_CACHE: i64 = -65_536;

/// Pages of the write-ahead log at which the writer itself moves into the database what was not moved beside it.
const CHECKPOINT: u32 = 8_000;

/// What a write is waited for: that every process sees it, or that it outlives the machine as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Until {
    Seen,
    Durable,
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The threads, while they run.
#[derive(Debug)]
pub(super) struct Threads {
    door: Door,
    /// Each is answered when its thread has ended.
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// The way to the threads, closed when they are to end.
#[derive(Debug, Clone)]
pub(super) struct Door(Arc<Mutex<Option<Channels>>>);

impl Door {
    pub(super) fn open(&self) -> Result<Channels, StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)
    }

    fn close(&self) -> Option<Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[derive(Clone)]
pub(super) struct Channels {
    writer: mpsc::SyncSender<Box<dyn Write>>,
    readers: mpsc::SyncSender<Read>,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels").finish_non_exhaustive()
    }
}

impl Threads {
    pub(super) fn start(file: &Path, writer: Connection) -> Result<Self, StoreError> {
        let (writes, to_write) = mpsc::sync_channel(WAITING);
        let (reads, to_read) = mpsc::sync_channel(WAITING);
        let to_read = Arc::new(Mutex::new(to_read));
        let mut ended = Vec::with_capacity(READERS + 1);
        for number in 1..=READERS {
            let connection = connect(file)?;
            remember_statements(&connection);
            connection.pragma_update(None, "query_only", true).map_err(failed)?;
            let to_read = Arc::clone(&to_read);
            ended.push(spawn(&format!("agents-read-{number}"), move || read_all(&connection, &to_read))?);
        }
        remember_statements(&writer);
        writer.pragma_update(None, "cache_size", WRITER_CACHE).map_err(failed)?;
        writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT).map_err(failed)?;
        let mover = Mover::start(file)?;
        ended.push(spawn("agents-write", move || write_all(writer, mover, &to_write))?);
        let door = Door(Arc::new(Mutex::new(Some(Channels { writer: writes, readers: reads }))));
        Ok(Self { door, ended: Mutex::new(ended) })
    }

    /// Writes all or nothing, together with whatever else waits to be written. Answered when it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_until(Until::Durable, act).await
    }

    /// Writes what means nothing any more when the machine stops, such as who of its processes holds an agent. Every process
    /// sees it when this is answered; the disk has it, at the latest, with the next thing that is to be durable.
    pub(super) async fn write_for_the_living<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_until(Until::Seen, act).await
    }

    async fn write_until<T: Send + 'static>(
        &self,
        until: Until,
        act: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let writing = Writing::boxed(until, act, move |written| {
            // Whoever has gone looks at what there is when it comes back.
            let _ = reply.send(written);
        });
        hand(&self.door.open()?.writer, writing)?;
        answer.await.map_err(|_| closed())?
    }

    /// Reads, from one moment.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let read = move |connection: &Connection| {
            // Nobody waits for the answer any more where this fails.
            let _ = reply.send(at_one_moment(connection, act));
        };
        hand(&self.door.open()?.readers, Box::new(read))?;
        answer.await.map_err(|_| closed())?
    }

    /// For a thread of ours.
    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Lets the threads do what they were asked, and end: the writing one last. Two connections that close at the same time
    /// take each other for somebody who goes on, and neither puts the log into the file.
    pub(super) async fn end(&self) {
        let channels = self.door.close();
        let mut ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        let writing = ended.pop();
        let writer = channels.map(|Channels { writer, readers }| {
            drop(readers);
            writer
        });
        for reading in ended {
            // Dropped with the thread, whatever it ended by.
            let _ = reading.await;
        }
        drop(writer);
        if let Some(writing) = writing {
            let _ = writing.await;
        }
    }
}

impl Drop for Threads {
    /// They end when they have done what they were asked.
    fn drop(&mut self) {
        drop(self.door.close());
    }
}

impl Channels {
    /// Writes for a thread that waits for the answer.
    pub(super) fn write_and_wait<T: Send + 'static>(
        self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let writing = Writing::boxed(Until::Durable, act, move |written| {
            // It waits, as nothing but the end of the process ends it.
            let _ = reply.send(written);
        });
        hand(&self.writer, writing)?;
        drop(self);
        answer.recv().map_err(|_| closed())?
    }
}

/// Hands something to a thread, or refuses where too much waits.
fn hand<T>(thread: &mpsc::SyncSender<T>, work: T) -> Result<(), StoreError> {
    thread.try_send(work).map_err(|error| match error {
        TrySendError::Disconnected(_) => closed(),
        TrySendError::Full(_) => {
            StoreError::Unavailable { reason: format!("{WAITING} others wait already; ask again in a while") }
        }
    })
}

fn closed() -> StoreError {
    StoreError::Unavailable { reason: "it was closed".to_owned() }
}

fn remember_statements(connection: &Connection) {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<oneshot::Receiver<()>, StoreError> {
    let (running, ended) = oneshot::channel();
    let run = move || {
        run();
        drop(running);
    };
    named(name, run)?;
    Ok(ended)
}

/// A thread of this name.
pub(super) fn named(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, StoreError> {
    let refused = |error| StoreError::Unavailable { reason: format!("no thread can be started: {error}") };
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(refused)
}

/// One after the other waits for something to read; the lock is held while waiting and not while reading.
fn read_all(connection: &Connection, reads: &Mutex<mpsc::Receiver<Read>>) {
    let next = || reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(read) = next() {
        read(connection);
    }
}

fn at_one_moment<T>(
    connection: &Connection,
    act: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let read = act(&transaction)?;
    transaction.commit().map_err(failed)?;
    Ok(read)
}

/// Something that is to be written.
trait Write: Send {
    fn until(&self) -> Until;

    fn write(&mut self, connection: &Connection);

    /// Tells whoever waits for it.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Writing<T, F, R> {
    until: Until,
    act: Option<F>,
    written: Option<Result<T, StoreError>>,
    reply: R,
}

impl<T, F, R> Writing<T, F, R>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    R: FnOnce(Result<T, StoreError>) + Send + 'static,
{
    fn boxed(until: Until, act: F, reply: R) -> Box<dyn Write> {
        Box::new(Self { until, act: Some(act), written: None, reply })
    }
}

impl<T, F, R> Write for Writing<T, F, R>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    R: FnOnce(Result<T, StoreError>) + Send,
{
    fn until(&self) -> Until {
        self.until
    }

    fn write(&mut self, connection: &Connection) {
        self.written = self.act.take().map(|act| alone(connection, act));
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.written, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(written), Ok(())) => written,
            (None, Ok(())) => Err(closed()),
        };
        (self.reply)(result);
    }
}

/// Writes under a savepoint: what is refused leaves nothing behind.
fn alone<T>(
    connection: &Connection,
    act: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let run = |statement| connection.prepare_cached(statement)?.execute(()).map(|_| ());
    run("SAVEPOINT alone").map_err(failed)?;
    let written = act(connection);
    if written.is_err() && !connection.is_autocommit() {
        run("ROLLBACK TO alone").map_err(failed)?;
    }
    if !connection.is_autocommit() {
        run("RELEASE alone").map_err(failed)?;
    }
    written
}

fn write_all(connection: Connection, mut mover: Mover, writes: &mpsc::Receiver<Box<dyn Write>>) {
    let mut writer = Writer { connection, until: Until::Durable };
    while let Ok(first) = writes.recv() {
        let mut group: Vec<_> = std::iter::once(first).chain(writes.try_iter().take(GROUP)).collect();
        let committed = writer.commit(&mut group);
        let count = group.len();
        group.into_iter().for_each(|write| write.answer(committed.clone()));
        mover.wrote(count);
    }
    drop(mover);
    drop(writer);
}

/// The connection that writes.
struct Writer {
    connection: Connection,
    /// What its commits wait for.
    until: Until,
}

impl Writer {
    fn commit(&mut self, group: &mut [Box<dyn Write>]) -> Result<(), StoreError> {
        self.wait_until(group.iter().map(|write| write.until()).max().unwrap_or(Until::Durable))?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        for write in group {
            write.write(&transaction);
            if transaction.is_autocommit() {
                // A full disk may end the whole transaction, with everything that was written before.
                let reason = "the disk refused what was written at the same time".to_owned();
                return Err(StoreError::Unavailable { reason });
            }
        }
        transaction.commit().map_err(failed)
    }

    fn wait_until(&mut self, until: Until) -> Result<(), StoreError> {
        if self.until != until {
            let level = match until {
                Until::Seen => "NORMAL",
                Until::Durable => DURABLE,
            };
            self.connection.pragma_update(None, "synchronous", level).map_err(failed)?;
            self.until = until;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_waits_for_the_disk_where_something_in_it_is_to_be_durable() {
        use Until::{Durable, Seen};
        let folder = tempfile::tempdir().unwrap();
        let connection = connect(&folder.path().join("a.db")).unwrap();
        let mut writer = Writer { connection, until: Durable };
        for (group, level) in
            [(&[Durable][..], 2), (&[Seen], 1), (&[Seen, Durable, Seen], 2), (&[Seen, Seen], 1)]
        {
            let (tell, told) = mpsc::channel();
            let waits = |until: &Until| {
                let tell = tell.clone();
                let look = |connection: &Connection| {
                    connection
                        .pragma_query_value(None, "synchronous", |row| row.get::<_, u8>(0))
                        .map_err(failed)
                };
                Writing::boxed(*until, look, move |level| tell.send(level.unwrap()).unwrap())
            };
            let mut group: Vec<_> = group.iter().map(waits).collect();
            let committed = writer.commit(&mut group);
            let count = group.len();
            group.into_iter().for_each(|write| write.answer(committed.clone()));
            assert_eq!(told.try_iter().collect::<Vec<_>>(), vec![level; count]);
        }
    }
}
