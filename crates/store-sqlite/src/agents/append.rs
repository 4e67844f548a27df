//! Writing an agent's rows.

use rusqlite::{Connection, OptionalExtension, Result as SqlResult, named_params, params};
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Append, Appended, BlobId, CallRow, Creation, EventRow, MessageRow, Right};

use super::columns::{body, word};
use super::query;
use crate::column::{count, integer, json, micros};
use crate::{failed, is_conflict};

const INSERT: &str =
    "INSERT INTO agent (id, run, tenant, api_key, request, template, template_version, lineage,
    created_at, updated_at, seq, epoch, state, breakpoint, steps, messages, cost, tokens, due, archived,
    lease_epoch)
  VALUES (:id, :run, :tenant, :api_key, :request, :template, :template_version, :lineage,
    :created_at, 0, 0, 0, '', '', 0, 0, '', 0, NULL, 0, :epoch)
  ON CONFLICT (id) DO NOTHING";

/// What of an entry ever changes.
const UPDATE: &str = "UPDATE agent SET updated_at = :updated_at, seq = :seq, epoch = :epoch, state = :state,
    breakpoint = :breakpoint, steps = :steps, messages = :messages, cost = :cost, tokens = :tokens, due = :due,
    archived = :archived
  WHERE number = :number";

const KNOWN: &str = "SELECT number, run, seq, lease_epoch, holder IS NOT NULL FROM agent WHERE id = ?1";

const INSERT_EVENT: &str = "INSERT INTO agent_event (agent, seq, last_seq, at, kind, body, blob)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const INSERT_MESSAGE: &str =
    "INSERT INTO agent_message (agent, place, at, role, body) VALUES (?1, ?2, ?3, ?4, ?5)";

const UPSERT_CALL: &str =
    "INSERT INTO agent_call (agent, step, place, tool, state, created_at, updated_at, body)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
  ON CONFLICT (agent, step, place) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at,
    body = excluded.body";

const INSERT_ACCEPTED: &str =
    "INSERT INTO agent_accepted (agent, message, content, seq, at) VALUES (?1, ?2, ?3, ?4, ?5)";

const INSERT_SNAPSHOT: &str =
    "INSERT INTO agent_snapshot (agent, id, label, seq, at) VALUES (?1, ?2, ?3, ?4, ?5)";

const INSERT_BLOB: &str =
    "INSERT INTO agent_blob (agent, hash, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (agent, hash) DO NOTHING";

const REPLACE_STATE: &str = "REPLACE INTO agent_state (agent, seq, window_from, window_to, body, blob)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// An append of which everything is text already, so that the thread that writes need not make it.
pub(super) struct Prepared {
    append: Append,
    messages: Vec<String>,
    calls: Vec<String>,
}

impl Prepared {
    pub(super) fn new(append: Append) -> Result<Self, StoreError> {
        let messages = append.messages.iter().map(|row| json(&row.message)).collect::<SqlResult<_>>();
        let calls = append.calls.iter().map(|row| json(&row.call)).collect::<SqlResult<_>>();
        Ok(Self { messages: messages.map_err(failed)?, calls: calls.map_err(failed)?, append })
    }
}

pub(super) fn create(connection: &Connection, first: &Prepared) -> Result<Creation, StoreError> {
    let row = &first.append.row;
    let values = named_params! {
        ":id": row.id.as_str(),
        ":run": row.run.into_bytes(),
        ":tenant": row.owner.tenant.as_deref(),
        ":api_key": row.owner.key.as_deref(),
        ":request": row.owner.request.as_deref(),
        ":template": &*row.template,
        ":template_version": row.template_version.as_deref(),
        ":lineage": json(&row.lineage).map_err(failed)?,
        ":created_at": micros(row.created_at),
        ":epoch": integer(row.epoch),
    };
    let made = connection.prepare_cached(INSERT).and_then(|mut insert| insert.execute(values));
    if made.map_err(failed)? == 0 {
        let known = query::agent(connection, &row.id)?;
        let gone = || StoreError::Corrupt { reason: format!("agent {} is there and is not", row.id) };
        return Ok(Creation::Exists(Box::new(known.ok_or_else(gone)?)));
    }
    write(connection, connection.last_insert_rowid(), first)?;
    Ok(Creation::Made)
}

pub(super) fn append(connection: &Connection, prepared: &Prepared) -> Result<Appended, StoreError> {
    let append = &prepared.append;
    let read = |row: &rusqlite::Row<'_>| {
        Ok((
            row.get(0)?,
            row.get::<_, [u8; 16]>(1)?,
            row.get(2).map(count)?,
            row.get(3).map(count)?,
            row.get(4)?,
        ))
    };
    let known = connection
        .prepare_cached(KNOWN)
        .and_then(|mut known| known.query_row([append.agent.as_str()], read).optional());
    let known: Option<(i64, _, u64, u64, bool)> = known.map_err(failed)?;
    let Some((number, run, seq, lease, is_held)) = known else { return Ok(Appended::Gone) };
    if run != append.row.run.into_bytes() {
        return Ok(Appended::Gone);
    }
    if let Right::Holder { epoch } = append.right
        && (!is_held || epoch != lease)
    {
        return Ok(Appended::Fenced);
    }
    if append.after != seq {
        return Ok(Appended::Moved);
    }
    write(connection, number, prepared)?;
    Ok(Appended::Done)
}

fn write(connection: &Connection, number: i64, prepared: &Prepared) -> Result<(), StoreError> {
    let Prepared { append, messages, calls } = prepared;
    for (hash, bytes) in &append.blobs {
        insert_blob(connection, number, hash, bytes).map_err(failed)?;
    }
    for row in &append.events {
        insert_event(connection, number, row)?;
    }
    for (row, json) in append.messages.iter().zip(messages) {
        insert_message(connection, number, row, json).map_err(failed)?;
    }
    for (row, json) in append.calls.iter().zip(calls) {
        upsert_call(connection, number, row, json).map_err(failed)?;
    }
    insert_names(connection, number, append)?;
    keep_state(connection, number, append)?;
    update(connection, number, append).map_err(failed)
}

fn insert_blob(connection: &Connection, number: i64, hash: &BlobId, bytes: &[u8]) -> SqlResult<()> {
    connection.prepare_cached(INSERT_BLOB)?.execute(params![number, hash.as_bytes(), bytes]).map(|_| ())
}

fn insert_event(connection: &Connection, number: i64, row: &EventRow) -> Result<(), StoreError> {
    let (body, blob) = body(&row.body)?;
    let (seq, last_seq, at) = (integer(row.seq), integer(row.last_seq), micros(row.at));
    let values = params![number, seq, last_seq, at, row.kind, body, blob];
    let insert = connection.prepare_cached(INSERT_EVENT);
    insert.and_then(|mut insert| insert.execute(values)).map(|_| ()).map_err(failed)
}

fn insert_message(connection: &Connection, number: i64, row: &MessageRow, json: &str) -> SqlResult<()> {
    let values = params![number, integer(row.place), micros(row.at), word(&row.message.role)?, json];
    connection.prepare_cached(INSERT_MESSAGE)?.execute(values).map(|_| ())
}

fn upsert_call(connection: &Connection, number: i64, row: &CallRow, json: &str) -> SqlResult<()> {
    let call = &row.call;
    let values = params![
        number,
        integer(call.id.step),
        call.id.index,
        &*call.name,
        call.state.as_str(),
        micros(row.created_at),
        micros(row.updated_at),
        json,
    ];
    connection.prepare_cached(UPSERT_CALL)?.execute(values).map(|_| ())
}

fn insert_names(connection: &Connection, number: i64, append: &Append) -> Result<(), StoreError> {
    for row in &append.accepted {
        let values = params![number, &*row.message.0, row.content, integer(row.seq), micros(row.at)];
        let insert = connection.prepare_cached(INSERT_ACCEPTED);
        let inserted = insert.and_then(|mut insert| insert.execute(values));
        inserted.map_err(|error| taken(error, || format!("message {:?}", row.message)))?;
    }
    for row in &append.snapshots {
        let values = params![number, &*row.id, row.label.as_deref(), integer(row.seq), micros(row.at)];
        let insert = connection.prepare_cached(INSERT_SNAPSHOT);
        let inserted = insert.and_then(|mut insert| insert.execute(values));
        inserted.map_err(|error| taken(error, || format!("snapshot {:?}", row.id)))?;
    }
    Ok(())
}

fn taken(error: rusqlite::Error, what: impl FnOnce() -> String) -> StoreError {
    if is_conflict(&error) { StoreError::Conflict { what: what() } } else { failed(error) }
}

fn keep_state(connection: &Connection, number: i64, append: &Append) -> Result<(), StoreError> {
    let Some(state) = &append.state else { return Ok(()) };
    let (body, blob) = body(&state.body)?;
    let (from, to) = (integer(state.window.from), integer(state.window.to));
    let values = params![number, integer(state.seq), from, to, body, blob];
    let replace = connection.prepare_cached(REPLACE_STATE);
    replace.and_then(|mut replace| replace.execute(values)).map(|_| ()).map_err(failed)
}

fn update(connection: &Connection, number: i64, append: &Append) -> SqlResult<()> {
    let row = &append.row;
    let values = named_params! {
        ":number": number,
        ":updated_at": micros(row.updated_at),
        ":seq": integer(row.seq),
        ":epoch": integer(row.epoch),
        ":state": row.state.as_str(),
        ":breakpoint": word(&row.breakpoint)?,
        ":steps": integer(row.steps),
        ":messages": integer(row.messages),
        ":cost": row.cost.to_string(),
        ":tokens": integer(row.tokens),
        ":due": row.due.map(micros),
        ":archived": row.is_archived,
    };
    connection.prepare_cached(UPDATE)?.execute(values).map(|_| ())
}

pub(super) fn put_blob(connection: &Connection, id: &AgentId, bytes: &[u8]) -> Result<BlobId, StoreError> {
    let Some(number) = query::number(connection, id)? else {
        return Err(StoreError::NotFound { what: format!("agent {id}") });
    };
    let hash = BlobId::of(bytes);
    insert_blob(connection, number, &hash, bytes).map_err(failed)?;
    Ok(hash)
}

/// Everything else of the agent goes with its entry.
pub(super) fn purge(connection: &Connection, id: &AgentId) -> Result<bool, StoreError> {
    let purge = connection.prepare_cached("DELETE FROM agent WHERE id = ?1");
    let gone = purge.and_then(|mut purge| purge.execute([id.as_str()]));
    Ok(gone.map_err(failed)? > 0)
}
