//! Reading one agent: as it is kept, its log, and what belongs to it alone.

use std::sync::Arc;

use seawall_engine::{AgentId, Event, Message, MessageId};
use seawall_store::StoreError;
use seawall_store::agents::{Accepted, AgentRow, BlobId, Kept, SnapshotRow, Window};
use tokio_postgres::Row;

use crate::database::{Begin, Database};
use crate::failure::damaged;
use crate::row::{get, parse};
use crate::statement::Statement;
use crate::value::{Json, Number, Raw, Text, Time};

/// The body of an event or a state, wherever it is.
const BODY: &str = "body, bytes";

/// An agent with the messages that its model sees: three statements, of one moment.
pub(crate) async fn load(database: &Database, id: &AgentId) -> Result<Option<Kept>, StoreError> {
    let state = format!(
        "select entry, state.seq, window_from, window_to, {BODY} \
         from seawall_agent as agent left join seawall_agent_state as state on state.agent = number \
         left join seawall_agent_blob as blob on blob.agent = number and hash = state.blob where name = $1"
    );
    let messages = "select message.body from seawall_agent as agent \
         join seawall_agent_state as state on state.agent = number \
         join seawall_agent_message as message on message.agent = number and place between window_from and window_to \
         where name = $1 order by place";
    let events = format!(
        "select last_seq, {BODY} from (select event.* from seawall_agent as agent \
         left join seawall_agent_state as state on state.agent = number \
         join seawall_agent_event as event on event.agent = number and last_seq > coalesce(state.seq, 0) \
         where name = $1) as event \
         left join seawall_agent_blob as blob on blob.agent = event.agent and hash = event.blob order by last_seq"
    );
    let statements =
        [&*state, messages, &events].map(|text| Statement::new(text).with(Text::new(id.as_str())));
    let rows = database.transact(Begin::Read, &statements).await?;
    let [state, messages, events] = &rows[..] else {
        return Err(damaged("the server answered something else"));
    };
    match state.first() {
        Some(agent) => kept(agent, messages, events).map(Some),
        None => Ok(None),
    }
}

fn kept(agent: &Row, messages: &[Row], events: &[Row]) -> Result<Kept, StoreError> {
    let owner = entry(agent)?.owner;
    let state = match get::<Option<Number>>(agent, 1)? {
        Some(Number(seq)) => {
            let window = Window { from: get::<Number>(agent, 2)?.0, to: get::<Number>(agent, 3)?.0 };
            Some((seq, window, body(agent, 4, seq)?))
        }
        None => None,
    };
    let messages = messages.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let events = events.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    Kept::load(owner, state, messages, &events)
}

/// An index entry, from the first column.
pub(crate) fn entry(row: &Row) -> Result<AgentRow, StoreError> {
    parse("the index entry of an agent", get::<Json<'_>>(row, 0)?.0)
}

fn message(row: &Row) -> Result<Arc<Message>, StoreError> {
    parse("a message", get::<Json<'_>>(row, 0)?.0)
}

/// What stands in two columns from `column` on, one of which has it.
fn body(row: &Row, column: usize, seq: u64) -> Result<&[u8], StoreError> {
    if let Some(Json(json)) = get(row, column)? {
        return Ok(json);
    }
    let bytes: Option<&[u8]> = get(row, column.saturating_add(1))?;
    bytes.ok_or_else(|| damaged(format!("the blob of what was kept at event {seq} is missing")))
}

fn event(row: &Row) -> Result<Event, StoreError> {
    let seq = get::<Number>(row, 0)?.0;
    Event::read(body(row, 1, seq)?).map_err(damaged)
}

/// Its index entry.
pub(crate) async fn agent(database: &Database, id: &AgentId) -> Result<Option<AgentRow>, StoreError> {
    let look = Statement::new("select entry from seawall_agent where name = $1").with(Text::new(id.as_str()));
    database.one(Begin::Read, look).await?.first().map(entry).transpose()
}

/// Events of which the last number is above `after`.
pub(crate) async fn events(
    database: &Database,
    id: &AgentId,
    after: u64,
    most: u32,
) -> Result<Vec<Event>, StoreError> {
    let text = format!(
        "select last_seq, {BODY} from (select event.* from seawall_agent as agent \
         join seawall_agent_event as event on event.agent = number and last_seq > $2 \
         where name = $1 order by last_seq limit $3) as event \
         left join seawall_agent_blob as blob on blob.agent = event.agent and hash = event.blob order by last_seq"
    );
    let name = Text::new(id.as_str());
    let look = Statement::new(&text).with(name).with(Number::capped(after)).with(Number(most.into()));
    database.one(Begin::Read, look).await?.iter().map(event).collect()
}

/// How a message was accepted.
pub(crate) async fn accepted(
    database: &Database,
    id: &AgentId,
    message: &MessageId,
) -> Result<Option<Accepted>, StoreError> {
    let look = Statement::new(
        "select content, accepted.seq, at from seawall_agent_accepted as accepted \
         join seawall_agent on agent = number where name = $1 and message = $2",
    );
    let look = look.with(Text::new(id.as_str())).with(Raw(message.0.as_bytes()));
    let rows = database.one(Begin::Read, look).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let content = <[u8; 32]>::try_from(get::<&[u8]>(row, 0)?).map_err(damaged)?;
    let (seq, at) = (get::<Number>(row, 1)?.0, get::<Time>(row, 2)?.0);
    Ok(Some(Accepted { message: message.clone(), content, seq, at }))
}

/// Named points, the oldest first.
pub(crate) async fn snapshots(database: &Database, id: &AgentId) -> Result<Vec<SnapshotRow>, StoreError> {
    let look = Statement::new(
        "select body from seawall_agent_snapshot as snapshot join seawall_agent on agent = number \
         where name = $1 order by snapshot.seq",
    );
    let rows = database.one(Begin::Read, look.with(Text::new(id.as_str()))).await?;
    rows.iter().map(|row| parse("a snapshot", get::<Json<'_>>(row, 0)?.0)).collect()
}

/// Bytes that were kept.
pub(crate) async fn blob(
    database: &Database,
    id: &AgentId,
    blob: &BlobId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let look = Statement::new(
        "select bytes from seawall_agent_blob join seawall_agent on agent = number where name = $1 and hash = $2",
    );
    let look = look.with(Text::new(id.as_str())).with(Raw(blob.as_bytes()));
    database.one(Begin::Read, look).await?.first().map(|row| get(row, 0)).transpose()
}
