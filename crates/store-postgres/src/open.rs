//! Opening a store: with tables that are made where they are missing, or only where they are there.

use std::future::Future;
use std::sync::{Arc, mpsc};

use seawall_store::StoreError;

use crate::append::Appends;
use crate::database::{Connector, Database};
use crate::failure::{closed, unavailable};
use crate::hints::{Listener, Notices};
use crate::lease::{Claims, Releases};
use crate::load::Loads;
use crate::room::Room;
use crate::together::{Together, Work};
use crate::{Options, PostgresStore, schema};

/// What becomes of a database without tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// They are made.
    Make,
    /// It is left as it is.
    Leave,
}

impl PostgresStore {
    /// Connects to a server, and brings its tables up to date where they are not.
    ///
    /// Blocks until that is done: for as long as connecting takes, then some milliseconds, and up to a minute while another
    /// program changes tables. A server that hangs is given up at the first question that it leaves unanswered for ten seconds,
    /// or for forty once transactions have begun.
    ///
    /// # Errors
    /// [`StoreError::Newer`] where a newer program has changed the tables; [`StoreError::Unavailable`] otherwise.
    pub fn open(options: &Options) -> Result<Self, StoreError> {
        Self::opened(options, Missing::Make)?.ok_or_else(closed)
    }

    /// The same for a store that is there. `None`: there is none, and none was made.
    ///
    /// # Errors
    /// As for [`PostgresStore::open`].
    pub fn existing(options: &Options) -> Result<Option<Self>, StoreError> {
        Self::opened(options, Missing::Leave)
    }

    fn opened(options: &Options, missing: Missing) -> Result<Option<Self>, StoreError> {
        let room = entered()?;
        let (group, wanted) = (room.group().clone(), options.clone());
        let opened = wait(&room, async move {
            let database = Database::open(&wanted, &group).await?;
            if missing == Missing::Leave && !schema::is_there(&database).await? {
                return Ok(None);
            }
            schema::migrate(&database).await?;
            Ok(Some((database, Connector::new(&wanted, &group)?)))
        })?;
        let Some((database, connector)) = opened else { return Ok(None) };
        let (notices, database) = (Notices::new(&database.schema), Arc::new(database));
        room.keep("telling PostgreSQL", Arc::clone(&notices).tell(connector.clone(), room.group().clone()));
        room.keep("idle connections", Arc::clone(&database).tidy(options.pool_idle, room.group().clone()));
        let appends = together(
            &room,
            options,
            Appends { database: Arc::clone(&database), notices: Arc::clone(&notices) },
        );
        let releases = together(
            &room,
            options,
            Releases { database: Arc::clone(&database), notices: Arc::clone(&notices) },
        );
        let claims = together(&room, options, Claims(Arc::clone(&database)));
        let loads = together(&room, options, Loads(Arc::clone(&database)));
        let (listener, options) = (Listener::new(), options.clone());
        Ok(Some(Self {
            database,
            connector,
            notices,
            appends,
            claims,
            releases,
            loads,
            listener,
            options,
            room,
        }))
    }
}

fn together<W: Work>(room: &Room, options: &Options, work: W) -> Together<W> {
    Together::new(work, room.group().clone(), options.pool_wait)
}

/// A thread for connections.
pub(crate) fn entered() -> Result<Room, StoreError> {
    Room::open().map_err(|error| unavailable(format!("a thread can't be started: {error}")))
}

/// Does something in the room, and blocks until it is done.
pub(crate) fn wait<T: Send + 'static>(
    room: &Room,
    task: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let (told, hear) = mpsc::sync_channel(1);
    room.keep("opening PostgreSQL", async move { drop(told.send(task.await)) });
    hear.recv().map_err(|_| closed())?
}
