//! Who runs which agent. The only clock is the server's.
//!
//! A lease that lapsed never comes back under its name, so whoever reads that a worker is dead stays right; and if it should
//! be wrong all the same, the epoch keeps the worker's writes out.

use std::time::Duration;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Holder, Lease, Worker, WorkerId};
use tokio_postgres::Row;

use crate::append::queued;
use crate::database::{Begin, Database};
use crate::failure::{damaged, unavailable};
use crate::keep;
use crate::row::get;
use crate::statement::Statement;
use crate::value::{Number, Text};

/// How often a claim that another one came before is tried again.
const TRIES: usize = 5;

/// Workers that are alive, with the columns of [`seen`].
pub(crate) const ALIVE: &str =
    "select id, lease_micros, max_agents from seawall_agent_worker where lease_until > now() order by id";

/// Whether the worker of this name is alive, as a condition.
pub(crate) const IS_ALIVE: &str =
    "exists (select from seawall_agent_worker where id = $1 and lease_until > now())";

/// What is removed now and then. What workers held who have been dead for an hour is nobody's: by then whatever was to be
/// done for it has been taken over. Workers that lapsed are remembered for a week, in which they can still find out.
fn sweep() -> [Statement<'static>; 3] {
    let free = format!(
        "update seawall_agent set holder = null, queued_at = {} where number = any (array(select number \
         from seawall_agent where holder = any (array(select id from seawall_agent_worker \
         where lease_until < now() - interval '1 hour')) limit 1000 for update skip locked))",
        queued("due", "updated_at")
    );
    let forget = "delete from seawall_agent_worker where lease_until < now() - interval '7 days' \
         and not exists (select from seawall_agent where holder = id)";
    [Statement::new(&free), Statement::new(forget), keep::expired(1_000)]
}

/// A worker begins, or is still alive.
pub(crate) async fn renew(database: &Database, worker: &Worker) -> Result<bool, StoreError> {
    let micros = u64::try_from(worker.lease.as_micros()).unwrap_or(u64::MAX);
    // An interval of more than a century would not fit into the column.
    let micros = micros.min(100 * 365 * 86_400 * 1_000_000);
    let renewal = Statement::new(
        "insert into seawall_agent_worker as known (id, lease_micros, lease_until, max_agents) \
         values ($1, $2, now() + $2 * interval '1 microsecond', $3) on conflict (id) do update \
         set lease_micros = excluded.lease_micros, lease_until = excluded.lease_until, max_agents = excluded.max_agents \
         where known.lease_until > now() returning true",
    );
    let renewal =
        renewal.with(Text::new(&worker.id.0)).with(Number(micros)).with(Number(worker.max_agents.into()));
    let is_alive = !database.one(Begin::Write, renewal).await?.is_empty();
    // Who is alive sweeps. A broom that breaks is no reason to drop everything.
    if let Err(error) = database.transact(Begin::WriteLoosely, &sweep()).await {
        tracing::debug!(%error, "what has expired was not removed");
    }
    Ok(is_alive)
}

/// A worker ends.
pub(crate) async fn retire(database: &Database, worker: &WorkerId) -> Result<(), StoreError> {
    let free = format!(
        "update seawall_agent set holder = null, queued_at = {} where holder = $1",
        queued("due", "updated_at")
    );
    let statements = [
        Statement::new("update seawall_agent_worker set lease_until = now() where id = $1"),
        Statement::new(&free),
    ];
    let statements = statements.map(|statement| statement.with(Text::new(&worker.0)));
    database.transact(Begin::Write, &statements).await.map(drop)
}

/// Gives an agent up.
pub(crate) async fn release(database: &Database, id: &AgentId, epoch: u64) -> Result<(), StoreError> {
    let free = format!(
        "update seawall_agent set holder = null, queued_at = {} where name = $1 and epoch = $2 and holder is not null",
        queued("due", "updated_at")
    );
    let free = Statement::new(&free).with(Text::new(id.as_str())).with(Number::capped(epoch));
    database.one(Begin::Write, free).await.map(drop)
}

/// Claims one agent.
pub(crate) async fn claim(database: &Database, id: &AgentId, worker: &WorkerId) -> Result<Lease, StoreError> {
    let claim = format!(
        "update seawall_agent set epoch = case when holder = $1 then epoch else epoch + 1 end, holder = $1, \
         queued_at = null where name = $2 and {IS_ALIVE} and (holder is null or holder = $1 or not exists \
         (select from seawall_agent_worker where id = holder and lease_until > now())) returning epoch"
    );
    let look = format!(
        "select {IS_ALIVE}, epoch, holder from (select $2::text as wanted) as question \
         left join seawall_agent on name = wanted"
    );
    for _ in 0..TRIES {
        let statements = [&claim, &look]
            .map(|text| Statement::new(text).with(Text::new(&worker.0)).with(Text::new(id.as_str())));
        let rows = database.transact(Begin::Write, &statements).await?;
        let [claimed, there] = &rows[..] else { return Err(damaged("the server answered something else")) };
        if let Some(row) = claimed.first() {
            return Ok(Lease::Held { epoch: get::<Number>(row, 0)?.0 });
        }
        let row = there.first().ok_or_else(|| damaged("the server answered something else"))?;
        let Some(epoch) = get::<Option<Number>>(row, 1)? else { return Ok(Lease::Gone) };
        if !get::<bool>(row, 0)? {
            return Ok(Lease::Lapsed);
        }
        if let Some(holder) = get::<Option<&str>>(row, 2)? {
            return Ok(Lease::Elsewhere(Holder { worker: WorkerId(holder.into()), epoch: epoch.0 }));
        }
        // Given up between the two looks.
    }
    Err(unavailable(format!("the agent {id} is claimed and given up all the time")))
}

/// Workers that are alive.
pub(crate) async fn workers(database: &Database) -> Result<Vec<Worker>, StoreError> {
    database.one(Begin::Read, Statement::new(ALIVE)).await?.iter().map(seen).collect()
}

/// A worker, as it is listed.
pub(crate) fn seen(row: &Row) -> Result<Worker, StoreError> {
    Ok(Worker {
        id: WorkerId(get::<&str>(row, 0)?.into()),
        lease: Duration::from_micros(get::<Number>(row, 1)?.0),
        max_agents: u32::try_from(get::<Number>(row, 2)?.0).unwrap_or(u32::MAX),
    })
}
