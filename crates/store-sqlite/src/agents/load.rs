//! Reading one agent.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use seawall_engine::{AgentId, Event, Message, MessageId};
use seawall_store::StoreError;
use seawall_store::agents::{Accepted, BlobId, Body, Kept, Owner, SnapshotRow, Window};

use super::columns::{AgentColumns, read};
use super::query::number;
use crate::column::{Columns, integer};
use crate::failed;

const OWNER: &str = "SELECT number, tenant, api_key, request FROM agent WHERE id = ?1";

const STATE: &str = "SELECT seq, window_from, window_to, body, blob FROM agent_state WHERE agent = ?1";

const WINDOW: &str =
    "SELECT place, body FROM agent_message WHERE agent = ?1 AND place BETWEEN ?2 AND ?3 ORDER BY place";

/// The event that takes the number `?2` among its own may be the first of them.
const EVENTS: &str = "SELECT seq, body, blob FROM agent_event
  WHERE agent = ?1 AND last_seq > ?2
    AND seq >= coalesce((SELECT max(seq) FROM agent_event WHERE agent = ?1 AND seq <= ?2), 0)
  ORDER BY seq LIMIT ?3";

const BLOB: &str = "SELECT bytes FROM agent_blob WHERE agent = ?1 AND hash = ?2";

const HAS_BLOB: &str = "SELECT 1 FROM agent_blob WHERE agent = ?1 AND hash = ?2";

const ACCEPTED: &str = "SELECT * FROM agent_accepted WHERE agent = ?1 AND message = ?2";

const SNAPSHOTS: &str = "SELECT * FROM agent_snapshot WHERE agent = ?1 ORDER BY seq";

/// An agent whose rows are read.
struct Reading<'c> {
    connection: &'c Connection,
    id: &'c AgentId,
    number: i64,
}

pub(super) fn load(connection: &Connection, id: &AgentId) -> Result<Option<Kept>, StoreError> {
    let read = |row: &Row<'_>| Ok((row.get("number")?, row.owner()?));
    let known = connection
        .prepare_cached(OWNER)
        .and_then(|mut owner| owner.query_row([id.as_str()], read).optional());
    let known: Option<(i64, Owner)> = known.map_err(failed)?;
    let Some((number, owner)) = known else { return Ok(None) };
    let reading = Reading { connection, id, number };
    let state = reading.state()?;
    let seq = state.as_ref().map_or(0, |(seq, ..)| *seq);
    let messages = match &state {
        Some((_, window, _)) => reading.window(*window)?,
        None => Vec::new(),
    };
    let events = reading.events(seq, u32::MAX)?;
    let state = state.as_ref().map(|(seq, window, body)| (*seq, *window, &**body));
    Kept::load(owner, state, messages, &events).map(Some).map_err(|error| reading.named(error))
}

pub(super) fn events(
    connection: &Connection,
    id: &AgentId,
    after: u64,
    most: u32,
) -> Result<Vec<Event>, StoreError> {
    match number(connection, id)? {
        Some(number) => Reading { connection, id, number }.events(after, most),
        None => Ok(Vec::new()),
    }
}

pub(super) fn blob(
    connection: &Connection,
    id: &AgentId,
    blob: &BlobId,
) -> Result<Option<Vec<u8>>, StoreError> {
    match number(connection, id)? {
        Some(number) => Reading { connection, id, number }.blob(blob),
        None => Ok(None),
    }
}

pub(super) fn has_blob(connection: &Connection, id: &AgentId, blob: &BlobId) -> Result<bool, StoreError> {
    let Some(number) = number(connection, id)? else { return Ok(false) };
    let found = connection.prepare_cached(HAS_BLOB);
    found.and_then(|mut found| found.exists(params![number, blob.as_bytes()])).map_err(failed)
}

pub(super) fn accepted(
    connection: &Connection,
    id: &AgentId,
    message: &MessageId,
) -> Result<Option<Accepted>, StoreError> {
    let Some(number) = number(connection, id)? else { return Ok(None) };
    let read = |row: &Row<'_>| {
        let (content, seq, at) = (row.get("content")?, row.count("seq")?, row.time("at")?);
        Ok(Accepted { message: message.clone(), content, seq, at })
    };
    let accepted = connection.prepare_cached(ACCEPTED);
    let row = accepted.and_then(|mut query| query.query_row(params![number, &*message.0], read).optional());
    row.map_err(failed)
}

pub(super) fn snapshots(connection: &Connection, id: &AgentId) -> Result<Vec<SnapshotRow>, StoreError> {
    let Some(number) = number(connection, id)? else { return Ok(Vec::new()) };
    let read = |row: &Row<'_>| {
        let label: Option<String> = row.get("label")?;
        Ok(SnapshotRow {
            id: row.get::<_, String>("id")?.into(),
            label: label.map(Arc::from),
            seq: row.count("seq")?,
            at: row.time("at")?,
        })
    };
    let mut snapshots = connection.prepare_cached(SNAPSHOTS).map_err(failed)?;
    let rows = snapshots.query_map([number], read).map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

impl Reading<'_> {
    fn state(&self) -> Result<Option<(u64, Window, Vec<u8>)>, StoreError> {
        let read = |row: &Row<'_>| {
            let window = Window { from: row.count("window_from")?, to: row.count("window_to")? };
            Ok((row.count("seq")?, window, row.body()?))
        };
        let state = self.connection.prepare_cached(STATE);
        let state = state.and_then(|mut state| state.query_row([self.number], read).optional());
        let Some((seq, window, body)) = state.map_err(failed)? else { return Ok(None) };
        Ok(Some((seq, window, self.bytes(body)?)))
    }

    fn window(&self, window: Window) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut messages = self.connection.prepare_cached(WINDOW).map_err(failed)?;
        let values = params![self.number, integer(window.from), integer(window.to)];
        let mut rows = messages.query(values).map_err(failed)?;
        let mut window = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let place = row.count("place").map_err(failed)?;
            let json = row.get_ref("body").and_then(|body| Ok(body.as_str()?)).map_err(failed)?;
            let message = read(&format!("agent {}, message {place}", self.id), json)?;
            window.push(Arc::new(message));
        }
        Ok(window)
    }

    fn events(&self, after: u64, most: u32) -> Result<Vec<Event>, StoreError> {
        let mut events = self.connection.prepare_cached(EVENTS).map_err(failed)?;
        let values = params![self.number, integer(after), most];
        let rows = events.query_map(values, |row| Ok((row.count("seq")?, row.body()?))).map_err(failed)?;
        let mut read = Vec::new();
        for row in rows {
            let (seq, body) = row.map_err(failed)?;
            let event = Event::read(&self.bytes(body)?).map_err(|error| StoreError::Corrupt {
                reason: format!("agent {}, event {seq}: {error}", self.id),
            })?;
            read.push(event);
        }
        Ok(read)
    }

    fn bytes(&self, body: Body) -> Result<Vec<u8>, StoreError> {
        match body {
            Body::Inline(json) => Ok(json),
            Body::Blob(blob) => self.blob(&blob)?.ok_or_else(|| StoreError::Corrupt {
                reason: format!("agent {}: the blob {blob} is missing", self.id),
            }),
        }
    }

    fn blob(&self, blob: &BlobId) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.connection.prepare_cached(BLOB);
        let values = params![self.number, blob.as_bytes()];
        bytes.and_then(|mut bytes| bytes.query_row(values, |row| row.get(0)).optional()).map_err(failed)
    }

    /// Says whose rows are damaged.
    fn named(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Corrupt { reason } => {
                StoreError::Corrupt { reason: format!("agent {}: {reason}", self.id) }
            }
            other => other,
        }
    }
}
