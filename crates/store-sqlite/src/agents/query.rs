//! Lists and counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Params, Row, named_params};
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{
    AgentOrder, AgentQuery, AgentRow, CallQuery, CallRow, MessageQuery, MessageRow, Stats,
};

use super::columns::{AgentColumns, word};
use crate::column::{Columns, count, integer, micros};
use crate::failed;

/// What of the agents is asked for. Names are compared byte by byte, so that no letter is a wildcard.
const AGENTS: &str = "SELECT * FROM agent
  WHERE (:prefix IS NULL OR substr(id, 1, length(:prefix)) = :prefix)
    AND (:template IS NULL OR template = :template)
    AND (:tenant IS NULL OR tenant = :tenant)
    AND (:state IS NULL OR state = :state)
    AND (:archived OR NOT archived)
    AND (:from IS NULL OR created_at >= :from)
    AND (:until IS NULL OR created_at < :until)";

/// The agents are the outer loop, so that rows come in the order of their index.
const MESSAGES: &str = "SELECT agent.id, place, at, body
  FROM agent CROSS JOIN agent_message ON agent_message.agent = agent.number
  WHERE (:id IS NULL OR agent.id = :id)
    AND (:tenant IS NULL OR agent.tenant = :tenant)
    AND place > :after
    AND (:role IS NULL OR role = :role)
    AND (:from IS NULL OR at >= :from)
    AND (:until IS NULL OR at < :until)
  ORDER BY agent.id, place LIMIT :most OFFSET :skip";

const CALLS: &str = "SELECT agent.id, agent.run, agent_call.created_at, agent_call.updated_at, body
  FROM agent CROSS JOIN agent_call ON agent_call.agent = agent.number
  WHERE (:id IS NULL OR agent.id = :id)
    AND (:tenant IS NULL OR agent.tenant = :tenant)
    AND (:tool IS NULL OR tool = :tool)
    AND (:state IS NULL OR agent_call.state = :state)
    AND (:from IS NULL OR agent_call.created_at >= :from)
    AND (:until IS NULL OR agent_call.created_at < :until)
  ORDER BY agent.id, step, place LIMIT :most OFFSET :skip";

/// How a query that may be about all agents says which; about one, its rows are found by their index.
const EITHER: [(&str, &str); 2] =
    [("(:id IS NULL OR agent.id = :id)", "agent.id = :id"), ("(?1 IS NULL OR agent = ?1)", "agent = ?1")];

const COUNTS: &str = "SELECT
    (SELECT count(*) FROM agent WHERE ?1 IS NULL OR number = ?1),
    (SELECT count(*) FROM agent_message WHERE (?1 IS NULL OR agent = ?1)),
    (SELECT count(*) FROM agent_call WHERE (?1 IS NULL OR agent = ?1)),
    (SELECT count(*) FROM agent_snapshot WHERE (?1 IS NULL OR agent = ?1))";

const BY_TOOL: &str = "SELECT tool, count(*) FROM agent_call WHERE (?1 IS NULL OR agent = ?1) GROUP BY tool";

const BY_STATE: &str =
    "SELECT state, count(*) FROM agent_call WHERE (?1 IS NULL OR agent = ?1) GROUP BY state";

const BYTES: &str = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";

/// Rows that a query gives.
fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut query = connection.prepare_cached(sql).map_err(failed)?;
    let rows = query.query_map(values, read).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// The number of an agent in all tables.
pub(super) fn number(connection: &Connection, id: &AgentId) -> Result<Option<i64>, StoreError> {
    let number = connection.prepare_cached("SELECT number FROM agent WHERE id = ?1");
    let number = number.and_then(|mut query| query.query_row([id.as_str()], |row| row.get(0)).optional());
    number.map_err(failed)
}

pub(super) fn agent(connection: &Connection, id: &AgentId) -> Result<Option<AgentRow>, StoreError> {
    let agent = connection.prepare_cached("SELECT * FROM agent WHERE id = ?1");
    let agent = agent.and_then(|mut query| query.query_row([id.as_str()], |row| row.entry()).optional());
    agent.map_err(failed)
}

pub(super) fn agents(connection: &Connection, query: &AgentQuery) -> Result<Vec<AgentRow>, StoreError> {
    let order = match query.order {
        AgentOrder::Newest => "created_at DESC, id",
        AgentOrder::Oldest => "created_at, id",
        AgentOrder::Active => "updated_at DESC, id",
        AgentOrder::Name => "id",
    };
    let sql = format!("{AGENTS} ORDER BY {order} LIMIT :most OFFSET :skip");
    let values = named_params! {
        ":prefix": query.prefix.as_deref(),
        ":template": query.template.as_deref(),
        ":tenant": query.tenant.as_deref(),
        ":state": query.state.map(seawall_engine::AgentState::as_str),
        ":archived": query.archived,
        ":from": query.from.map(micros),
        ":until": query.until.map(micros),
        ":most": query.most,
        ":skip": query.skip,
    };
    rows(connection, &sql, values, |row| row.entry())
}

pub(super) fn messages(connection: &Connection, query: &MessageQuery) -> Result<Vec<MessageRow>, StoreError> {
    let values = named_params! {
        ":id": query.agent.as_ref().map(AgentId::as_str),
        ":tenant": query.tenant.as_deref(),
        ":after": integer(query.after),
        ":role": query.role.as_ref().map(word).transpose().map_err(failed)?,
        ":from": query.from.map(micros),
        ":until": query.until.map(micros),
        ":most": query.most,
        ":skip": query.skip,
    };
    let read = |row: &Row<'_>| {
        Ok(MessageRow {
            agent: row.agent("id")?,
            place: row.count("place")?,
            at: row.time("at")?,
            message: row.json("body")?,
        })
    };
    rows(connection, &of(MESSAGES, query.agent.as_ref()), values, read)
}

pub(super) fn calls(connection: &Connection, query: &CallQuery) -> Result<Vec<CallRow>, StoreError> {
    let values = named_params! {
        ":id": query.agent.as_ref().map(AgentId::as_str),
        ":tenant": query.tenant.as_deref(),
        ":tool": query.tool.as_deref(),
        ":state": query.state.map(seawall_engine::CallState::as_str),
        ":from": query.from.map(micros),
        ":until": query.until.map(micros),
        ":most": query.most,
        ":skip": query.skip,
    };
    let read = |row: &Row<'_>| {
        Ok(CallRow {
            agent: row.agent("id")?,
            run: row.id("run")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            call: row.json("body")?,
        })
    };
    rows(connection, &of(CALLS, query.agent.as_ref()), values, read)
}

/// A query about one agent, or about all.
fn of(sql: &str, agent: Option<&AgentId>) -> String {
    let one = |sql: String, (either, one): (&str, &str)| sql.replace(either, one);
    if agent.is_some() { EITHER.into_iter().fold(sql.to_owned(), one) } else { sql.to_owned() }
}

pub(super) fn stats(connection: &Connection, id: Option<&AgentId>) -> Result<Stats, StoreError> {
    let number = match id {
        Some(id) => match number(connection, id)? {
            Some(number) => Some(number),
            None => return Ok(Stats::default()),
        },
        None => None,
    };
    let counts = |row: &Row<'_>| {
        Ok(Stats {
            agents: row.get(0).map(count)?,
            messages: row.get(1).map(count)?,
            calls: row.get(2).map(count)?,
            snapshots: row.get(3).map(count)?,
            ..Stats::default()
        })
    };
    let counted = connection.prepare_cached(&of(COUNTS, id));
    let counted = counted.and_then(|mut query| query.query_row([number], counts)).map_err(failed)?;
    let by = |sql| -> Result<BTreeMap<Arc<str>, u64>, StoreError> {
        let pair = |row: &Row<'_>| Ok((row.get::<_, String>(0)?.into(), row.get(1).map(count)?));
        Ok(rows(connection, &of(sql, id), [number], pair)?.into_iter().collect())
    };
    let bytes = match id {
        Some(_) => None,
        None => Some(connection.query_row(BYTES, (), |row| row.get(0).map(count)).map_err(failed)?),
    };
    Ok(Stats { calls_by_tool: by(BY_TOOL)?, calls_by_state: by(BY_STATE)?, bytes, ..counted })
}

/// Whether anything can be read.
pub(super) fn look(connection: &Connection) -> Result<(), StoreError> {
    connection.query_row("SELECT count(*) FROM migration", (), |_| Ok(())).map_err(failed)
}
