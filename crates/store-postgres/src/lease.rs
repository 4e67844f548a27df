//! Who runs which agent. The only clock is the server's.
//!
//! A lease that lapsed never comes back under its name, so whoever reads that a worker is dead stays right; and if it should
//! be wrong all the same, the epoch keeps the worker's writes out.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Held, Holder, Lease, Worker, WorkerId};
use tokio_postgres::Row;

use crate::append::queued;
use crate::database::{Begin, Database};
use crate::failure::{Undone, damaged, unavailable};
use crate::hints::Notices;
use crate::keep;
use crate::row::get;
use crate::statement::Statement;
use crate::together::{Work, in_place};
use crate::value::{Number, Text};

/// How often a claim that another one came before is tried again.
const TRIES: usize = 5;

/// Workers that are alive, with the columns of [`seen`].
pub(crate) const ALIVE: &str =
    "select id, lease_micros, max_agents from seawall_agent_worker where lease_until > now() order by id";

/// Whether a worker is alive, as a condition.
pub(crate) fn is_alive(worker: &str) -> String {
    format!("exists (select from seawall_agent_worker where id = {worker} and lease_until > now())")
}

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

/// Claims, each of an agent for a worker.
pub(crate) struct Claims(pub(crate) Arc<Database>);

/// A worker wants an agent.
pub(crate) struct Claim {
    pub(crate) agent: AgentId,
    pub(crate) worker: WorkerId,
}

impl Work for Claims {
    type Answer = Lease;
    type Wish = Claim;

    const AT_ONCE: usize = 2;
    const MOST: usize = 256;
    const NAME: &'static str = "claims";

    fn agent(claim: &Claim) -> &AgentId {
        &claim.agent
    }

    fn weight(claim: &Claim) -> usize {
        claim.agent.as_str().len() + claim.worker.0.len()
    }

    async fn together(&self, claims: &[Claim]) -> Result<Vec<Option<Lease>>, Undone> {
        let text = format!(
            "with free as (select place, worker, number, holder from unnest($1, $2) with ordinality as wanted (name, worker, place) \
             join seawall_agent as agent on agent.name = wanted.name where {} and (holder is null or holder = worker or not {}) \
             order by number for update of agent skip locked) \
             update seawall_agent as agent set epoch = case when free.holder = worker then epoch else epoch + 1 end, \
             holder = worker, queued_at = null from free where agent.number = free.number returning place, epoch",
            is_alive("worker"),
            is_alive("holder")
        );
        let agents: Vec<_> = claims.iter().map(|claim| Text::new(claim.agent.as_str())).collect();
        let workers: Vec<_> = claims.iter().map(|claim| Text::new(&claim.worker.0)).collect();
        let claiming = Statement::new(&text).with(agents).with(workers);
        let rows = self.0.attempt_one(Begin::Together, claiming).await?;
        let held = |_, row: &Row| Ok(Lease::Held { epoch: get::<Number>(row, 1)?.0 });
        Ok(in_place(claims.len(), &rows, held)?)
    }

    async fn alone(&self, Claim { agent, worker }: Claim, _was_left: bool) -> Result<Lease, StoreError> {
        claim(&self.0, &agent, &worker).await
    }
}

/// Agents that are given up, of which others are told.
pub(crate) struct Releases {
    pub(crate) database: Arc<Database>,
    pub(crate) notices: Arc<Notices>,
}

/// An agent is given up by whoever holds it under a number.
pub(crate) struct Release {
    pub(crate) agent: AgentId,
    pub(crate) epoch: u64,
}

impl Work for Releases {
    type Answer = ();
    type Wish = Release;

    const AT_ONCE: usize = 1;
    const MOST: usize = 256;
    const NAME: &'static str = "releases";

    fn agent(release: &Release) -> &AgentId {
        &release.agent
    }

    fn weight(release: &Release) -> usize {
        release.agent.as_str().len()
    }

    async fn together(&self, releases: &[Release]) -> Result<Vec<Option<()>>, Undone> {
        let text = format!(
            "with held as (select place, number from unnest($1, $2) with ordinality as given (name, epoch, place) \
             join seawall_agent as agent on agent.name = given.name and agent.epoch = given.epoch where holder is not null \
             order by number for update of agent skip locked) \
             update seawall_agent as agent set holder = null, queued_at = {} from held \
             where agent.number = held.number returning place",
            queued("due", "updated_at")
        );
        let agents: Vec<_> = releases.iter().map(|release| Text::new(release.agent.as_str())).collect();
        let epochs: Vec<_> = releases.iter().map(|release| Number::capped(release.epoch)).collect();
        let releasing = Statement::new(&text).with(agents).with(epochs);
        let rows = self.database.attempt_one(Begin::Together, releasing).await?;
        let free = |place, _: &Row| {
            releases.get(place).into_iter().for_each(|release: &Release| self.notices.wrote(&release.agent));
            Ok(())
        };
        Ok(in_place(releases.len(), &rows, free)?)
    }

    async fn alone(&self, Release { agent, epoch }: Release, _was_left: bool) -> Result<(), StoreError> {
        release(&self.database, &agent, epoch).await?;
        self.notices.wrote(&agent);
        Ok(())
    }
}

/// Gives one agent up, where it is held under this number.
async fn release(database: &Database, id: &AgentId, epoch: u64) -> Result<(), StoreError> {
    let free = format!(
        "update seawall_agent set holder = null, queued_at = {} where name = $1 and epoch = $2 and holder is not null",
        queued("due", "updated_at")
    );
    let free = Statement::new(&free).with(Text::new(id.as_str())).with(Number::capped(epoch));
    database.one(Begin::Write, free).await.map(drop)
}

/// Claims one agent, or says why not.
async fn claim(database: &Database, id: &AgentId, worker: &WorkerId) -> Result<Lease, StoreError> {
    let claim = format!(
        "update seawall_agent set epoch = case when holder = $1 then epoch else epoch + 1 end, holder = $1, \
         queued_at = null where name = $2 and {} and (holder is null or holder = $1 or not {}) returning epoch",
        is_alive("$1"),
        is_alive("holder")
    );
    let look = format!(
        "select {}, epoch, holder from (select $2::text as wanted) as question left join seawall_agent on name = wanted",
        is_alive("$1")
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

/// What a worker holds.
pub(crate) async fn held_by(database: &Database, worker: &WorkerId) -> Result<Vec<Held>, StoreError> {
    let held = Statement::new("select name, epoch from seawall_agent where holder = $1");
    let rows = database.one(Begin::Read, held.with(Text::new(&worker.0))).await?;
    let read = |row: &Row| {
        let agent = get::<&str>(row, 0)?.parse().map_err(damaged)?;
        Ok(Held { agent, epoch: get::<Number>(row, 1)?.0 })
    };
    rows.iter().map(read).collect()
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
