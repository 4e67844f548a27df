//! A store for a while: in a schema of its own, so that nobody's agents are in it and nobody sees its own.

use std::sync::Arc;
use std::time::Duration;

use seawall_store::StoreError;

use crate::database::{ANSWER, Connector, Own};
use crate::failure::{failed, unavailable};
use crate::open::{entered, wait};
use crate::{Options, PostgresStore};

/// The beginning of such a schema's name. When it was made follows, in seconds since 1970 by the server's clock.
const PREFIX: &str = "seawall_capacity_";

/// How long removing a schema may take: longer than it may wait for who still uses it.
const DROPPED: Duration = Duration::from_secs(60);

/// Schemas that were left by programs that were killed.
const LEFT: &str = "select nspname::text from pg_namespace where nspname ~ '^seawall_capacity_[0-9]{1,12}_[0-9]+$' \
    and case when nspname ~ '^seawall_capacity_[0-9]{1,12}_' then split_part(nspname, '_', 3)::bigint end \
    < extract(epoch from now()) - 3600";

/// A store in a schema of its own.
#[derive(Debug)]
pub struct Scratch {
    store: Arc<PostgresStore>,
    /// The server, without the schema.
    options: Options,
    schema: String,
}

impl Scratch {
    /// Makes a schema, and a store in it. Blocks. Such schemas are removed too that are more than an hour old.
    ///
    /// # Errors
    /// Where a pooler stands between: the connections of a schema can't be told from others there. Where the role may not
    /// make schemas.
    pub fn open(options: &Options) -> Result<Self, StoreError> {
        let (room, server) = (entered()?, options.clone());
        let group = room.group().clone();
        let schema = wait(&room, async move {
            let connector = Connector::new(&server, &group)?;
            if !connector.is_direct().await? {
                return Err(unavailable("a pooler stands between: name the server itself"));
            }
            let client = connector.own(|_| {}).await?;
            for left in client.ask(ANSWER, |client| client.query_typed(LEFT, &[])).await? {
                let left: String = left.try_get(0).map_err(|error| failed(&error))?;
                if let Err(error) = drop_schema(&client, &left).await {
                    tracing::debug!(schema = left, %error, "a schema that was left can't be removed");
                }
            }
            make_schema(&client).await
        })?;
        let mut within = options.clone();
        within.search(&schema);
        match PostgresStore::open(&within) {
            Ok(store) => Ok(Self { store: Arc::new(store), options: options.clone(), schema }),
            Err(error) => {
                let _the_first_error_tells_more = removed(options, schema);
                Err(error)
            }
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<PostgresStore> {
        &self.store
    }

    /// Removes the schema and all that is in it. Blocks.
    ///
    /// # Errors
    /// Where the server can't be reached, or something in the schema is still used.
    pub fn remove(self) -> Result<(), StoreError> {
        let Self { store, options, schema } = self;
        drop(store);
        removed(&options, schema)
    }
}

fn removed(options: &Options, schema: String) -> Result<(), StoreError> {
    let (room, server) = (entered()?, options.clone());
    let group = room.group().clone();
    wait(&room, async move {
        let client = Connector::new(&server, &group)?.own(|_| {}).await?;
        drop_schema(&client, &schema).await
    })
}

async fn make_schema(client: &Own) -> Result<String, StoreError> {
    let name = format!("select '{PREFIX}' || extract(epoch from now())::bigint || '_' || pg_backend_pid()");
    let row = client.ask(ANSWER, |client| client.query_typed_one(&name, &[])).await?;
    let name: String = row.try_get(0).map_err(|error| failed(&error))?;
    let create = format!("create schema {name}");
    client.ask(ANSWER, |client| client.batch_execute(&create)).await?;
    Ok(name)
}

/// The name is one of ours: letters, digits and lines.
async fn drop_schema(client: &Own, name: &str) -> Result<(), StoreError> {
    let drop = format!("set lock_timeout = '30s'; drop schema if exists {name} cascade");
    client.ask(DROPPED, |client| client.batch_execute(&drop)).await
}
