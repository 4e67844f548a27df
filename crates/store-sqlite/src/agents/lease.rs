//! Who holds which agent, and who is alive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Params, Result as SqlResult, Row, params};
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Candidate, Census, Claimed, Held, Holder, Lease, Worker, WorkerId, in_turn};
use seawall_types::Timestamp;

use super::columns::AgentColumns;
use crate::column::{Columns, count, integer, micros};
use crate::failed;

/// How long after its lease has lapsed the name of a worker that holds nothing is used up.
const REMEMBERED: Duration = Duration::from_hours(24);

const UNTIL: &str = "SELECT until FROM agent_worker WHERE id = ?1";

const KEEP: &str = "REPLACE INTO agent_worker (id, until, lease, max_agents) VALUES (?1, ?2, ?3, ?4)";

const FORGET: &str = "DELETE FROM agent_worker WHERE until < ?1 AND id NOT IN (SELECT holder FROM agent WHERE holder IS NOT NULL)";

const ALIVE: &str = "SELECT * FROM agent_worker WHERE until > ?1 ORDER BY id";

const HELD: &str =
    "SELECT lease_epoch, holder, until FROM agent LEFT JOIN agent_worker ON agent_worker.id = holder
  WHERE agent.id = ?1";

/// No lease lasts longer than its length from the time `?1`, as one does whose end was reckoned before the clock was put back.
const SHORTEN: &str = "UPDATE agent_worker SET until = ?1 + lease WHERE until > ?1 + lease";

/// What is due since it was written is due at once, also where the clock was put back since; what sleeps is due at its
/// time. They are looked for apart, each in an index of its own. Nobody holds it who is alive at the time `?1`.
const NEXT_DUE: &str = "SELECT min(due) FROM (
  SELECT min(min(due), ?1) AS due FROM agent WHERE due <= updated_at
    AND (holder IS NULL OR holder NOT IN (SELECT id FROM agent_worker WHERE until > ?1))
  UNION ALL SELECT due FROM (SELECT due FROM agent WHERE due > updated_at
    AND (holder IS NULL OR holder NOT IN (SELECT id FROM agent_worker WHERE until > ?1)) ORDER BY due LIMIT 1))";

/// Tenants of whom an agent is due, the nameless one among them.
const TENANTS: &str = "SELECT tenant FROM agent WHERE due <= updated_at
  UNION SELECT tenant FROM agent INDEXED BY agent_timer WHERE due > updated_at AND due <= ?1";

const DUE: &str = "SELECT id, due FROM agent WHERE tenant IS ?2 AND due <= updated_at
    AND (holder IS NULL OR holder NOT IN (SELECT id FROM agent_worker WHERE until > ?1))
  UNION ALL SELECT id, due FROM agent WHERE tenant IS ?2 AND due > updated_at AND due <= ?1
    AND (holder IS NULL OR holder NOT IN (SELECT id FROM agent_worker WHERE until > ?1))
  ORDER BY due, id LIMIT ?3";

const RUNNING: &str = "SELECT tenant, count(*) FROM agent
  WHERE holder IN (SELECT id FROM agent_worker WHERE until > ?1) GROUP BY tenant";

const STATES: &str = "SELECT state, count(*) FROM agent WHERE NOT archived GROUP BY state";

const WAITING: &str = "SELECT tenant, count(*), min(due) FROM (
  SELECT tenant, due, holder FROM agent WHERE due <= updated_at
  UNION ALL SELECT tenant, due, holder FROM agent WHERE due > updated_at AND due <= ?1)
  WHERE holder IS NULL OR holder NOT IN (SELECT id FROM agent_worker WHERE until > ?1) GROUP BY tenant";

fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> SqlResult<T>,
) -> Result<Vec<T>, StoreError> {
    let mut query = connection.prepare_cached(sql).map_err(failed)?;
    query.query_map(values, read).and_then(Iterator::collect).map_err(failed)
}

fn execute(connection: &Connection, sql: &str, values: impl Params) -> Result<usize, StoreError> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(failed)
}

/// When a worker's lease lapses or has lapsed; nothing of one that never said anything.
fn until(connection: &Connection, worker: &WorkerId) -> Result<Option<Timestamp>, StoreError> {
    let until = connection.prepare_cached(UNTIL);
    let read = |row: &Row<'_>| row.time("until");
    until.and_then(|mut until| until.query_row([&*worker.0], read).optional()).map_err(failed)
}

fn is_alive(connection: &Connection, worker: &WorkerId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(until(connection, worker)?.is_some_and(|until| until > now))
}

pub(super) fn renew(connection: &Connection, worker: &Worker, now: Timestamp) -> Result<bool, StoreError> {
    match until(connection, &worker.id)? {
        Some(until) if until <= now => return Ok(false),
        Some(_) => {}
        None => {
            let long_ago = now.as_micros().saturating_sub(micros_of(REMEMBERED));
            execute(connection, FORGET, [integer(long_ago)])?;
        }
    }
    let until = now.saturating_add(worker.lease);
    let lease = integer(micros_of(worker.lease));
    execute(connection, KEEP, params![&*worker.id.0, micros(until), lease, worker.max_agents])?;
    Ok(true)
}

fn micros_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Has leases end that were given before the clock was put back.
pub(super) fn shorten(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    execute(connection, SHORTEN, [micros(now)]).map(|_| ())
}

pub(super) fn retire(connection: &Connection, worker: &WorkerId) -> Result<(), StoreError> {
    execute(connection, "UPDATE agent SET holder = NULL WHERE holder = ?1", [&*worker.0])?;
    execute(connection, "DELETE FROM agent_worker WHERE id = ?1", [&*worker.0])?;
    Ok(())
}

pub(super) fn workers(connection: &Connection, now: Timestamp) -> Result<Vec<Worker>, StoreError> {
    let read = |row: &Row<'_>| {
        let id = WorkerId(row.get::<_, String>("id")?.into());
        let lease = Duration::from_micros(row.count("lease")?);
        Ok(Worker { id, lease, max_agents: row.get("max_agents")? })
    };
    rows(connection, ALIVE, [micros(now)], read)
}

pub(super) fn held_by(connection: &Connection, worker: &WorkerId) -> Result<Vec<Held>, StoreError> {
    let read = |row: &Row<'_>| Ok(Held { agent: row.agent("id")?, epoch: row.count("lease_epoch")? });
    rows(connection, "SELECT id, lease_epoch FROM agent WHERE holder = ?1", [&*worker.0], read)
}

pub(super) fn claim(
    connection: &Connection,
    id: &AgentId,
    worker: &WorkerId,
    now: Timestamp,
) -> Result<Lease, StoreError> {
    let read = |row: &Row<'_>| {
        let holder: Option<String> = row.get("holder")?;
        let holder = holder.map(|holder| WorkerId(holder.into()));
        Ok((row.count("lease_epoch")?, holder, row.time_if("until")?))
    };
    let held = connection.prepare_cached(HELD);
    let held = held.and_then(|mut held| held.query_row([id.as_str()], read).optional()).map_err(failed)?;
    let Some((epoch, holder, until)) = held else { return Ok(Lease::Gone) };
    if !is_alive(connection, worker, now)? {
        return Ok(Lease::Lapsed);
    }
    match holder {
        Some(holder) if holder == *worker => Ok(Lease::Held { epoch }),
        Some(holder) if until.is_some_and(|until| until > now) => {
            Ok(Lease::Elsewhere(Holder { worker: holder, epoch }))
        }
        _ => Ok(Lease::Held { epoch: give(connection, id, worker)? }),
    }
}

/// Gives the agent to a worker that has it not, under the next epoch.
fn give(connection: &Connection, id: &AgentId, worker: &WorkerId) -> Result<u64, StoreError> {
    let give =
        "UPDATE agent SET lease_epoch = lease_epoch + 1, holder = ?2 WHERE id = ?1 RETURNING lease_epoch";
    let values = params![id.as_str(), &*worker.0];
    let epoch = connection.prepare_cached(give).and_then(|mut give| give.query_row(values, |row| row.get(0)));
    epoch.map(count).map_err(failed)
}

pub(super) fn claim_due(
    connection: &Connection,
    worker: &WorkerId,
    most: u32,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    if !is_alive(connection, worker, now)? {
        return Ok(Vec::new());
    }
    let most_of_all = usize::try_from(most).unwrap_or(usize::MAX);
    let chosen = in_turn(due(connection, most, now)?, running(connection, now)?, most_of_all);
    let is_held = "SELECT holder IS NOT NULL FROM agent WHERE id = ?1";
    let claim = |agent: AgentId| {
        let held = connection.prepare_cached(is_held);
        let held = held.and_then(|mut held| held.query_row([agent.as_str()], |row| row.get(0)));
        let taken_over = held.map_err(failed)?;
        let epoch = give(connection, &agent, worker)?;
        Ok(Claimed { agent, epoch, taken_over })
    };
    chosen.into_iter().map(claim).collect()
}

/// Of each tenant as many as could be claimed.
fn due(connection: &Connection, most: u32, now: Timestamp) -> Result<Vec<Candidate<AgentId>>, StoreError> {
    let tenants = rows(connection, TENANTS, [micros(now)], |row| row.get::<_, Option<String>>(0))?;
    let mut due = Vec::new();
    for tenant in tenants {
        let name: Option<Arc<str>> = tenant.as_deref().map(Arc::from);
        let read = |row: &Row<'_>| {
            Ok(Candidate { due: row.time("due")?, item: row.agent("id")?, tenant: name.clone() })
        };
        due.extend(rows(connection, DUE, params![micros(now), tenant, most], read)?);
    }
    Ok(due)
}

/// How many agents of each tenant run.
fn running(connection: &Connection, now: Timestamp) -> Result<BTreeMap<Option<Arc<str>>, u64>, StoreError> {
    let read = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?.map(Arc::from), row.get(1).map(count)?));
    Ok(rows(connection, RUNNING, [micros(now)], read)?.into_iter().collect())
}

pub(super) fn census(connection: &Connection, now: Timestamp) -> Result<Census, StoreError> {
    let mut census = Census::default();
    let state = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1).map(count)?));
    for (state, agents) in rows(connection, STATES, [], state)? {
        census.count(&state, agents);
    }
    let waiting = |row: &Row<'_>| {
        let tenant = row.get::<_, Option<String>>(0)?.map(Arc::from);
        Ok((tenant, row.get(1).map(count)?, Timestamp::from_micros(row.get(2).map(count)?)))
    };
    for (tenant, agents, due) in rows(connection, WAITING, [micros(now)], waiting)? {
        census.count_waiting(tenant, agents, now.since(due));
    }
    Ok(census)
}

pub(super) fn release(connection: &Connection, id: &AgentId, epoch: u64) -> Result<(), StoreError> {
    let release = "UPDATE agent SET holder = NULL WHERE id = ?1 AND lease_epoch = ?2";
    execute(connection, release, params![id.as_str(), integer(epoch)]).map(|_| ())
}

/// When the next agent is due that nobody holds who is alive.
pub(super) fn next_due(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let next = connection.prepare_cached(NEXT_DUE);
    let read = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
    let next = next.and_then(|mut next| next.query_row([micros(now)], read)).map_err(failed)?;
    Ok(next.map(|due| Timestamp::from_micros(count(due))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    /// What is looked for every second, on a store of many agents that sleep.
    #[test]
    fn who_looks_for_what_is_due_walks_past_nobody_who_sleeps() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        for sql in [NEXT_DUE, TENANTS, DUE, WAITING] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = plan.parameter_count();
            let steps =
                plan.query_map(rusqlite::params_from_iter(vec![1_i64; count]), |row| row.get("detail"));
            let steps: Vec<String> = steps.unwrap().collect::<SqlResult<_>>().unwrap();
            let looks: Vec<_> = steps.iter().filter(|step| step.contains(" agent ")).collect();
            assert_eq!(looks.len(), 2, "one look for each kind: {steps:?}");
            for look in looks {
                let is_short = look.contains("INDEX agent_at_once") || look.contains("due<?");
                // The first of those that sleep, by their times.
                let is_first =
                    sql == NEXT_DUE && look.contains("INDEX agent_timer") && !look.contains("agent_timer_of");
                assert!(is_short || is_first, "{look} in {steps:?}");
            }
        }
    }
}
