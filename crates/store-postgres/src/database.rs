//! Connections, and transactions on them that take one round trip.

mod connect;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Client, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use seawall_base::tasks::Group;
use seawall_store::StoreError;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;

use crate::failure::{answered, failed, no_connection, silent, spoils, unavailable};
use crate::options::Options;
use crate::statement::Statement;

pub(crate) use crate::failure::Undone;
pub(crate) use connect::{ANSWER, Connector, Own};

/// How often idle connections are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// How a transaction begins. The limits hold for it alone, since a pooler may give the connection to somebody else next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Writes, each statement seeing what was committed before it.
    Write,
    /// Writes of many that wait for each other: none of them is to wait long for anybody else.
    Together,
    /// Writes that may be lost with the server's machine.
    WriteLoosely,
    /// Writes much: an agent's whole log.
    WriteMuch,
    /// Reads, all of it from one moment.
    Read,
}

impl Begin {
    /// How long the server lets a statement take.
    const fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Write | Self::Together | Self::WriteLoosely => 10,
            Self::Read => 30,
            Self::WriteMuch => 60,
        })
    }

    /// How long an answer is waited for: longer than that, so that it is the server that says no where it can.
    const fn patience(self) -> Duration {
        self.limit().saturating_add(Duration::from_secs(10))
    }

    /// What it means that no answer came.
    fn unanswered(self) -> StoreError {
        match self {
            Self::Read => silent(),
            Self::Write | Self::Together | Self::WriteLoosely | Self::WriteMuch => {
                unavailable("PostgreSQL gave no answer; whether the last write was done is not known")
            }
        }
    }

    /// As SQL. `durably`: the server would not wait for its disk by itself.
    fn sql(self, durably: bool) -> String {
        let kind = match self {
            Self::Write | Self::Together | Self::WriteLoosely | Self::WriteMuch => {
                "isolation level read committed read write"
            }
            Self::Read => "isolation level repeatable read read only",
        };
        let sync = match self {
            Self::WriteLoosely => "; set local synchronous_commit = off",
            Self::Write | Self::Together | Self::WriteMuch if durably => {
                "; set local synchronous_commit = on"
            }
            Self::Write | Self::Together | Self::WriteMuch | Self::Read => "",
        };
        // How to go about a group does not depend on who is in it, and finding out costs more than doing it.
        let (lock, plan) = match self {
            Self::Together => ("200ms", "; set local plan_cache_mode = force_generic_plan"),
            _ => ("5s", ""),
        };
        let limit = self.limit().as_secs();
        format!(
            "begin {kind}; set local statement_timeout = '{limit}s'; set local lock_timeout = '{lock}'; \
             set local idle_in_transaction_session_timeout = '10s'{sync}{plan}"
        )
    }
}

/// The server, as all of the store sees it.
#[derive(Debug)]
pub(crate) struct Database {
    pool: Pool,
    /// Whether connections keep statements.
    prepared: bool,
    /// The schema that tables without one are in.
    pub(crate) schema: String,
    /// The server would not wait for its disk by itself.
    durably: bool,
}

impl Database {
    /// Connects, and finds out what there is.
    pub(crate) async fn open(options: &Options, group: &Group) -> Result<Self, StoreError> {
        let connector = Connector::new(options, group)?;
        let is_direct = match options.prepared {
            Some(prepared) => prepared,
            None => connector.is_direct().await?,
        };
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let patience = connector.patience();
        let manager = deadpool_postgres::Manager::from_connect(options.server.clone(), connector, config);
        let pool = Pool::builder(manager)
            .max_size(options.pool_max)
            .wait_timeout(Some(options.pool_wait))
            .create_timeout(Some(patience))
            .runtime(Runtime::Tokio1);
        let pool = pool.build().map_err(|error| unavailable(error.to_string()))?;
        let facts = Facts::ask(&pool).await?;
        Ok(Self { pool, prepared: is_direct, schema: facts.schema, durably: facts.durably })
    }

    /// Whether connections keep statements.
    pub(crate) fn keeps_statements(&self) -> bool {
        self.prepared
    }

    /// A connection of the pool.
    pub(crate) async fn client(&self) -> Result<Client, StoreError> {
        self.pool.get().await.map_err(|error| no_connection(&error))
    }

    /// Does these statements in one transaction: the rows of each, or nothing was done at all. Where the connection breaks
    /// before the answer is there, nobody knows which of the two.
    pub(crate) async fn transact(
        &self,
        begin: Begin,
        statements: &[Statement<'_>],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.attempt(begin, statements).await.map_err(|undone| undone.error)
    }

    /// The same, and whose fault it is where nothing was done.
    pub(crate) async fn attempt(
        &self,
        begin: Begin,
        statements: &[Statement<'_>],
    ) -> Result<Vec<Vec<Row>>, Undone> {
        let beginning = begin.sql(self.durably);
        let client = self.client().await?;
        let trip = in_one_trip(&client, self.prepared, &beginning, statements);
        match timeout(begin.patience(), trip).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                if spoils(&error) {
                    drop(Object::take(client));
                }
                Err(Undone::by(&error))
            }
            Err(_) => {
                drop(Object::take(client));
                Err(begin.unanswered().into())
            }
        }
    }

    /// The rows of one statement that is a transaction.
    pub(crate) async fn one(&self, begin: Begin, statement: Statement<'_>) -> Result<Vec<Row>, StoreError> {
        self.attempt_one(begin, statement).await.map_err(|undone| undone.error)
    }

    /// The same, and whose fault it is where nothing was done.
    pub(crate) async fn attempt_one(
        &self,
        begin: Begin,
        statement: Statement<'_>,
    ) -> Result<Vec<Row>, Undone> {
        Ok(self.attempt(begin, &[statement]).await?.pop().unwrap_or_default())
    }

    /// Lets go of connections that nobody has used for a while, for ever.
    pub(crate) async fn tidy(self: Arc<Self>, idle: Duration, group: Group) {
        loop {
            tokio::select! {
                () = group.shutdown().cancelled() => return,
                () = sleep(TIDY_EVERY) => {}
            }
            self.pool.retain(|_, metrics| metrics.last_used() < idle);
        }
    }

    /// Lets go of all connections as soon as they are free.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// What a server is like.
struct Facts {
    schema: String,
    durably: bool,
}

impl Facts {
    async fn ask(pool: &Pool) -> Result<Self, StoreError> {
        const SETTINGS: &str = "select current_setting('server_version_num')::int, current_setting('server_encoding'), \
            current_setting('synchronous_commit') = 'off', coalesce(current_schema()::text, ''), current_setting('fsync') = 'off'";
        let client = pool.get().await.map_err(|error| no_connection(&error))?;
        let row = answered(ANSWER, client.query_typed_one(SETTINGS, &[])).await?;
        let read = |error: tokio_postgres::Error| failed(&error);
        let (version, encoding): (i32, String) =
            (row.try_get(0).map_err(read)?, row.try_get(1).map_err(read)?);
        let (is_loose, schema): (bool, String) =
            (row.try_get(2).map_err(read)?, row.try_get(3).map_err(read)?);
        if version < 150_000 {
            return Err(unavailable(format!("PostgreSQL {} is too old: use 15 or newer", version / 10_000)));
        }
        if encoding != "UTF8" {
            return Err(unavailable(format!("the database is encoded in {encoding}: make one in UTF8")));
        }
        if schema.is_empty() {
            return Err(unavailable(
                "no schema of the role's search_path exists: create one, or set search_path",
            ));
        }
        if row.try_get(4).map_err(read)? {
            tracing::warn!(
                "PostgreSQL runs with fsync = off: what it acknowledges does not survive its machine"
            );
        }
        Ok(Self { schema, durably: is_loose })
    }
}

type Step<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, tokio_postgres::Error>> + Send + 'a>>;

/// Sends the beginning, the statements and the end before it waits for anything. If one fails the server skips the rest,
/// and the end undoes the transaction.
async fn in_one_trip(
    client: &Client,
    prepared: bool,
    begin: &str,
    statements: &[Statement<'_>],
) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    let mut steps: Vec<Step<'_>> = vec![simple(client, begin)];
    for statement in statements {
        steps.push(if prepared {
            let known = client.prepare_typed_cached(statement.text(), statement.types()).await?;
            Box::pin(async move { client.query(&known, &statement.values()).await })
        } else {
            Box::pin(async move { client.query_typed(statement.text(), &statement.typed_values()).await })
        });
    }
    steps.push(simple(client, "commit"));
    let mut rows = in_order(steps).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    rows.pop();
    rows.drain(..1);
    Ok(rows)
}

fn simple<'a>(client: &'a Client, text: &'a str) -> Step<'a> {
    Box::pin(async move { client.batch_execute(text).await.map(|()| Vec::new()) })
}

/// Polls all, the first first: each sends its request when it is polled for the first time.
async fn in_order<T>(steps: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut steps: Vec<_> = steps.into_iter().map(|step| (step, None)).collect();
    poll_fn(move |context| {
        let mut is_done = true;
        for (step, answer) in &mut steps {
            if answer.is_none() {
                match step.as_mut().poll(context) {
                    Poll::Ready(value) => *answer = Some(value),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if is_done {
            Poll::Ready(steps.drain(..).filter_map(|(_, answer)| answer).collect())
        } else {
            Poll::Pending
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transaction_has_its_limits() {
        for begin in [Begin::Write, Begin::Together, Begin::WriteLoosely, Begin::WriteMuch, Begin::Read] {
            let sql = begin.sql(true);
            for limit in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
                assert!(sql.contains(&format!("set local {limit} = '")), "{sql}");
            }
        }
        assert!(Begin::Write.sql(true).ends_with("synchronous_commit = on"));
        assert!(!Begin::Write.sql(false).contains("synchronous_commit"));
        assert!(Begin::WriteLoosely.sql(false).ends_with("synchronous_commit = off"));
    }
}
