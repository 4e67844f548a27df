//! What is due, and claiming it.
//!
//! Claiming takes two short transactions: one that only reads makes a list of whom to take, in order; one that writes takes
//! the first of them that nobody else has taken meanwhile. A list that were locked while it is made would slide past whomever
//! another worker looks at, and its order with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seawall_store::StoreError;
use seawall_store::agents::{Candidate, Census, Claimed, WorkerId, in_turn};
use tokio_postgres::Row;

use crate::append::queued;
use crate::database::{Begin, Database};
use crate::failure::damaged;
use crate::home::{COURTESY, may_take};
use crate::lease::{ALIVE, is_alive, seen};
use crate::row::get;
use crate::statement::Statement;
use crate::value::{Number, Text, Time};

/// How many of the longest due are looked at. Where more wait, each tenant's are looked at by themselves.
const WINDOW: u32 = 256;

/// How often is looked again where others were quicker.
const TRIES: usize = 5;

/// More agents of a tenant than this are not counted: all who have so many wait their turn alike.
const COUNTED: u32 = 1_000;

/// Agents that nobody holds and that are due.
const FREE: &str = "select number, name, tenant, queued_at as due, now() - queued_at as free_for \
     from seawall_agent where queued_at <= now() order by queued_at, number limit ";

/// Those of workers that died. Nobody waits for them to come back: they have been waited for already. Worker by worker, since
/// few are dead and the living hold much. What is due at once is so whatever time it was by their clocks.
const LEFT: &str = "select abandoned.*, interval '1 day' as free_for from seawall_agent_worker as dead \
     cross join lateral (select number, name, tenant, due from seawall_agent where holder = dead.id \
     and (due <= now() or due <= updated_at) order by due, number limit 256) as abandoned where lease_until <= now() order by due, number limit ";

/// As the first, for each tenant by itself: from one tenant to the next through the index, however many of one's wait.
const BY_TENANT: &str = "with recursive tenants as ( \
     (select coalesce(tenant, '') as known from seawall_agent where queued_at is not null order by 1 limit 1) union all \
     select (select coalesce(next.tenant, '') from seawall_agent as next where queued_at is not null \
     and coalesce(next.tenant, '') > known order by 1 limit 1) from tenants where known is not null) \
     select agent.* from tenants cross join lateral (select number, name, tenant, queued_at as due, \
     now() - queued_at as free_for from seawall_agent where coalesce(tenant, '') = known \
     and queued_at <= now() order by queued_at, number limit $1) as agent";

/// How many agents of each of these tenants run, with these workers.
const HELD: &str = "select known, count from unnest($1) as known cross join lateral (select count(*) from \
     (select from seawall_agent where holder = any ($2) and coalesce(tenant, '') = known limit $3) as held) as counted";

/// How many agents are in which state.
const STATES: &str = "select state, count(*) from seawall_agent where not is_archived group by state";

/// How many agents of each tenant wait, and since when the first of them does.
const WAITING: &str = "select tenant, count(*), (extract(epoch from greatest(now() - min(due), interval '0')) * 1000000)::bigint from ( \
     select tenant, queued_at as due from seawall_agent where queued_at <= now() union all \
     select tenant, due from seawall_agent_worker as dead join seawall_agent on holder = dead.id \
     where lease_until <= now() and (due <= now() or due <= updated_at)) as waiting group by tenant";

/// The columns of candidates.
fn candidates_of(table: &str) -> String {
    format!(
        "select number, name, tenant, due, (extract(epoch from free_for) * 1000000)::bigint from ({table}) as waiting"
    )
}

/// Claims agents that are due.
pub(crate) async fn claim_due(
    database: &Database,
    worker: &WorkerId,
    most: u32,
) -> Result<Vec<Claimed>, StoreError> {
    let mut claimed = Vec::new();
    // Again for those that somebody else took in between, while there are others.
    for _ in 0..TRIES {
        let wanted = most.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
        if wanted == 0 {
            break;
        }
        let line = line_up(database, worker, wanted).await?;
        if line.is_empty() {
            break;
        }
        let taken = take(database, worker, &line, wanted).await?;
        let is_all = taken.len() >= line.len();
        claimed.extend(taken);
        if is_all {
            break;
        }
    }
    Ok(claimed)
}

/// Those whom the worker may take, in order, and some more than it wants.
async fn line_up(database: &Database, worker: &WorkerId, wanted: u32) -> Result<Vec<u64>, StoreError> {
    let [free, left] = [FREE, LEFT].map(|table| candidates_of(&format!("{table} {WINDOW}")));
    let statements = [ALIVE, &free, &left].map(Statement::new);
    let rows = database.transact(Begin::Read, &statements).await?;
    let [alive, free, left] = &rows[..] else { return Err(damaged("the server answered something else")) };
    let alive = alive.iter().map(seen).collect::<Result<Vec<_>, _>>()?;
    if !alive.iter().any(|other| other.id == *worker) {
        return Ok(Vec::new());
    }
    let is_full = u32::try_from(free.len()).is_ok_and(|found| found >= WINDOW);
    let more = if is_full { by_tenant(database, wanted).await? } else { Vec::new() };
    let able: Vec<_> =
        alive.iter().filter(|other| other.max_agents > 0).map(|other| other.id.clone()).collect();
    let mut candidates = BTreeMap::new();
    for row in free.iter().chain(left).chain(&more) {
        let (number, candidate, free_for) = candidate(row)?;
        if may_take(&candidate.item.0, free_for, worker, &able) {
            candidates.insert(number, candidate);
        }
    }
    let candidates: Vec<_> = candidates.into_values().collect();
    let all: Vec<_> = alive.into_iter().map(|other| other.id).collect();
    let held = held(database, &candidates, &all, wanted).await?;
    let some_more = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_mul(4).saturating_add(16);
    Ok(in_turn(candidates, held, some_more).into_iter().map(|(_, number)| number).collect())
}

async fn by_tenant(database: &Database, wanted: u32) -> Result<Vec<Row>, StoreError> {
    let most = Number(wanted.saturating_mul(4).min(WINDOW).into());
    database.one(Begin::Read, Statement::new(&candidates_of(BY_TENANT)).with(most)).await
}

/// By its name and its number.
type Waiting = Candidate<(String, u64)>;

fn candidate(row: &Row) -> Result<(u64, Waiting, Duration), StoreError> {
    let (number, name) = (get::<Number>(row, 0)?.0, get::<String>(row, 1)?);
    let (tenant, due) = (get::<Option<&str>>(row, 2)?, get::<Time>(row, 3)?.0);
    let free_for = Duration::from_micros(u64::try_from(get::<i64>(row, 4)?).unwrap_or(0));
    Ok((number, Candidate { due, item: (name, number), tenant: tenant.map(Into::into) }, free_for))
}

/// How many agents of the candidates' tenants run, where that makes a difference.
async fn held(
    database: &Database,
    candidates: &[Waiting],
    alive: &[WorkerId],
    wanted: u32,
) -> Result<BTreeMap<Option<Arc<str>>, u64>, StoreError> {
    let mut tenants: BTreeMap<&str, &Option<Arc<str>>> = BTreeMap::new();
    for candidate in candidates {
        tenants.insert(candidate.tenant.as_deref().unwrap_or_default(), &candidate.tenant);
    }
    let is_enough = u32::try_from(candidates.len()).is_ok_and(|waiting| waiting <= wanted);
    if is_enough || tenants.len() < 2 {
        return Ok(BTreeMap::new());
    }
    let count = Statement::new(HELD)
        .with(tenants.keys().map(|tenant| Text::new(tenant)).collect::<Vec<_>>())
        .with(alive.iter().map(|worker| Text::new(&worker.0)).collect::<Vec<_>>())
        .with(Number(COUNTED.into()));
    let mut held = BTreeMap::new();
    for row in &database.one(Begin::Read, count).await? {
        if let Some(tenant) = tenants.get(get::<&str>(row, 0)?) {
            held.insert((*tenant).clone(), get::<Number>(row, 1)?.0);
        }
    }
    Ok(held)
}

/// Takes the first of them that nobody else has taken, nor is about to.
async fn take(
    database: &Database,
    worker: &WorkerId,
    line: &[u64],
    wanted: u32,
) -> Result<Vec<Claimed>, StoreError> {
    let claim = format!(
        "with chosen as (select number, holder from seawall_agent where number = any ($2) and (queued_at <= now() \
         or holder is not null and (due <= now() or due <= updated_at) and not {}) \
         order by array_position($2, number) limit $3 for update skip locked) \
         update seawall_agent as agent set epoch = epoch + 1, holder = $1, queued_at = null from chosen \
         where agent.number = chosen.number and {} \
         returning agent.number, agent.name, agent.epoch, chosen.holder is not null",
        is_alive("holder"),
        is_alive("$1")
    );
    let numbers: Vec<_> = line.iter().map(|number| Number(*number)).collect();
    let claim = Statement::new(&claim).with(Text::new(&worker.0)).with(numbers).with(Number(wanted.into()));
    let rows = database.one(Begin::Write, claim).await?;
    let mut claimed = rows.iter().map(taken).collect::<Result<Vec<_>, _>>()?;
    claimed.sort_by_key(|(number, _)| line.iter().position(|next| next == number));
    Ok(claimed.into_iter().map(|(_, claimed)| claimed).collect())
}

fn taken(row: &Row) -> Result<(u64, Claimed), StoreError> {
    let agent = get::<&str>(row, 1)?.parse().map_err(damaged)?;
    let (epoch, taken_over) = (get::<Number>(row, 2)?.0, get(row, 3)?);
    Ok((get::<Number>(row, 0)?.0, Claimed { agent, epoch, taken_over }))
}

/// How many agents are in which state, and how many wait.
pub(crate) async fn census(database: &Database) -> Result<Census, StoreError> {
    let rows = database.transact(Begin::Read, &[STATES, WAITING].map(Statement::new)).await?;
    let [states, waiting] = &rows[..] else { return Err(damaged("the server answered something else")) };
    let mut census = Census::default();
    for row in states {
        census.count(get(row, 0)?, get::<Number>(row, 1)?.0);
    }
    for row in waiting {
        let tenant = get::<Option<&str>>(row, 0)?.map(Into::into);
        let oldest = Duration::from_micros(get::<Number>(row, 2)?.0);
        census.count_waiting(tenant, get::<Number>(row, 1)?.0, oldest);
    }
    Ok(census)
}

/// When the next agent is due. One that is due already is left to its worker for a moment: if there are several, anybody
/// else is told when that moment is over.
pub(crate) async fn next_due(database: &Database) -> Result<Option<Duration>, StoreError> {
    let text = format!(
        "select (extract(epoch from case when free_at > now() then free_at - now() \
         when (select count(*) from seawall_agent_worker where lease_until > now()) > 1 \
         then greatest(free_at + interval '{} milliseconds' - now(), interval '0') else interval '0' end) * 1000000)::bigint \
         from (select least((select min(queued_at) from seawall_agent where queued_at is not null), \
         (select min(greatest(abandoned.due, lease_until)) from seawall_agent_worker as dead cross join lateral \
         (select min({}) as due from seawall_agent where holder = dead.id) as abandoned \
         where lease_until <= now() and abandoned.due is not null)) as free_at) as next where free_at is not null",
        COURTESY.as_millis(),
        queued("due", "updated_at")
    );
    let rows = database.one(Begin::Read, Statement::new(&text)).await?;
    rows.first().map(|row| Ok(Duration::from_micros(get::<Number>(row, 0)?.0))).transpose()
}
