//! What is written beside the log: blobs, pieces of answers on their way, and the removal of everything.

use seawall_engine::{AgentId, Event};
use seawall_store::StoreError;
use seawall_store::agents::{BlobId, Health};
use tokio::time::Instant;

use crate::database::{Begin, Database};
use crate::failure::damaged;
use crate::row::{get, json};
use crate::statement::Statement;
use crate::value::{Json, Number, Raw, Text};

/// For how long pieces can be read, as an interval of the server. A page that is loaded anew asks at once.
const SHOWN_FOR: &str = "60 seconds";

/// Keeps bytes for an agent. The lock keeps the agent from being removed meanwhile, which would leave them behind.
pub(crate) async fn put_blob(database: &Database, id: &AgentId, bytes: &[u8]) -> Result<BlobId, StoreError> {
    let blob = BlobId::of(bytes);
    let put = Statement::new(
        "with agent as (select number from seawall_agent where name = $1 for key share), \
         put as (insert into seawall_agent_blob (agent, hash, bytes) select number, $2, $3 from agent on conflict do nothing) \
         select number from agent",
    );
    let put = put.with(Text::new(id.as_str())).with(Raw(blob.as_bytes())).with(Raw(bytes));
    if database.one(Begin::Write, put).await?.is_empty() {
        return Err(StoreError::NotFound { what: format!("the agent {id}") });
    }
    Ok(blob)
}

/// Removes an agent and all that it has. Its row is locked first and goes last, so nothing is written for it meanwhile.
pub(crate) async fn purge(database: &Database, id: &AgentId) -> Result<bool, StoreError> {
    const PARTS: [&str; 8] = ["event", "message", "call", "accepted", "snapshot", "state", "blob", "shown"];
    let lock = Statement::new("select number from seawall_agent where name = $1 for update");
    let parts = PARTS.map(|part| {
        let number = "(select number from seawall_agent where name = $1)";
        Statement::new(&format!("delete from seawall_agent_{part} where agent = {number}"))
    });
    let last = Statement::new("delete from seawall_agent where name = $1 returning number");
    let all = std::iter::once(lock).chain(parts).chain([last]);
    let all: Vec<_> = all.map(|statement| statement.with(Text::new(id.as_str()))).collect();
    let rows = database.transact(Begin::WriteMuch, &all).await?;
    Ok(rows.last().is_some_and(|rows| !rows.is_empty()))
}

/// Shows pieces of an answer to other processes, and removes some more that have expired: so there are never many.
pub(crate) async fn show(database: &Database, id: &AgentId, pieces: &[Event]) -> Result<(), StoreError> {
    let bodies = pieces.iter().map(json).collect::<Result<Vec<_>, _>>()?;
    let show = format!(
        "insert into seawall_agent_shown (agent, seq, body, expires_at) \
         select number, piece.*, now() + interval '{SHOWN_FOR}' from seawall_agent, unnest($2, $3) as piece \
         where name = $1 on conflict do nothing"
    );
    let show = Statement::new(&show)
        .with(Text::new(id.as_str()))
        .with(pieces.iter().map(|piece| Number(piece.seq)).collect::<Vec<_>>())
        .with(bodies.iter().map(|body| Json(body)).collect::<Vec<_>>());
    let some_more = u32::try_from(pieces.len()).unwrap_or(u32::MAX).saturating_add(10).saturating_mul(2);
    database.transact(Begin::WriteLoosely, &[show, expired(some_more)]).await.map(drop)
}

/// Removes pieces that have expired, those aside that somebody else is about to.
pub(crate) fn expired(most: u32) -> Statement<'static> {
    let text = "delete from seawall_agent_shown where ctid = any (array(select ctid from seawall_agent_shown \
         where expires_at < now() order by expires_at limit $1 for update skip locked))";
    Statement::new(text).with(Number(most.into()))
}

/// Pieces that are there still.
pub(crate) async fn shown(database: &Database, id: &AgentId, after: u64) -> Result<Vec<Event>, StoreError> {
    let look = Statement::new(
        "select body from seawall_agent_shown as shown join seawall_agent on agent = number \
         where name = $1 and shown.seq > $2 and expires_at > now() order by shown.seq",
    );
    let look = look.with(Text::new(id.as_str())).with(Number::capped(after));
    let rows = database.one(Begin::Read, look).await?;
    rows.iter().map(|row| Event::read(get::<Json<'_>>(row, 0)?.0).map_err(damaged)).collect()
}

/// Whether the store can be read and written: by a write that finds nothing to change.
pub(crate) async fn health(database: &Database) -> Health {
    let begun = Instant::now();
    let read = database.one(Begin::Read, Statement::new("select 1 from seawall_agent_schema limit 1")).await;
    let (connected, mut reason) = (read.is_ok(), read.err().map(|error| error.to_string()));
    let mut writable = false;
    if connected {
        let touch = "delete from seawall_agent_shown where agent = 0";
        let written = database.one(Begin::WriteLoosely, Statement::new(touch)).await;
        (writable, reason) = (written.is_ok(), written.err().map(|error| error.to_string()));
    }
    Health { connected, writable, latency: begun.elapsed(), reason }
}
