//! Reading agents: as they are kept, their logs, and what belongs to one alone.

use std::sync::Arc;

use seawall_engine::{AgentId, Event, Message, MessageId};
use seawall_store::StoreError;
use seawall_store::agents::{Accepted, AgentRow, BlobId, Kept, SnapshotRow, Window};
use tokio_postgres::Row;

use crate::database::{Begin, Database};
use crate::failure::{Undone, damaged};
use crate::row::{get, parse};
use crate::statement::Statement;
use crate::together::{Work, place};
use crate::value::{Json, Number, Raw, Text, Time};

/// The body of an event or a state, wherever it is.
const BODY: &str = "body, bytes";

/// Agents that are read, each with the messages that its model sees.
pub(crate) struct Loads(pub(crate) Arc<Database>);

impl Work for Loads {
    type Answer = Option<Kept>;
    type Wish = AgentId;

    const AT_ONCE: usize = 4;
    /// Who reads keeps nobody waiting.
    const IS_EXCLUSIVE: bool = false;
    /// Histories are long.
    const MOST: usize = 32;
    const NAME: &'static str = "reads of agents";

    fn agent(id: &AgentId) -> &AgentId {
        id
    }

    fn weight(id: &AgentId) -> usize {
        id.as_str().len()
    }

    /// One that can't be read leaves the others alone: read once more by itself, it says what is wrong with it.
    async fn together(&self, ids: &[AgentId]) -> Result<Vec<Option<Option<Kept>>>, Undone> {
        Ok(read(&self.0, ids).await?.into_iter().map(Result::ok).collect())
    }

    async fn alone(&self, id: AgentId, _was_left: bool) -> Result<Option<Kept>, StoreError> {
        let mut kept = read(&self.0, &[id]).await.map_err(|undone| undone.error)?;
        kept.pop().unwrap_or(Ok(None))
    }
}

/// Reads agents in their order: three statements, of one moment.
async fn read(database: &Database, ids: &[AgentId]) -> Result<Vec<Result<Option<Kept>, StoreError>>, Undone> {
    const WANTED: &str = "unnest($1) with ordinality as wanted (name, number) \
        join seawall_agent as agent on agent.name = wanted.name";
    let states = format!(
        "select wanted.number, agent.number, entry, state.seq, window_from, window_to, {BODY} from {WANTED} \
         left join seawall_agent_state as state on state.agent = agent.number \
         left join seawall_agent_blob as blob on blob.agent = agent.number and hash = state.blob"
    );
    let messages = format!(
        "select wanted.number, place, message.body from {WANTED} \
         join seawall_agent_state as state on state.agent = agent.number \
         join seawall_agent_message as message on message.agent = agent.number and place between window_from and window_to"
    );
    let events = format!(
        "select wanted, last_seq, {BODY} from (select wanted.number as wanted, event.* from {WANTED} \
         left join seawall_agent_state as state on state.agent = agent.number \
         join seawall_agent_event as event on event.agent = agent.number and last_seq > coalesce(state.seq, 0)) as event \
         left join seawall_agent_blob as blob on blob.agent = event.agent and hash = event.blob"
    );
    let names = || ids.iter().map(|id| Text::new(id.as_str())).collect::<Vec<_>>();
    let statements = [states, messages, events].map(|text| Statement::new(&text).with(names()));
    let rows = database.attempt(Begin::Read, &statements).await?;
    let [states, messages, events] =
        <[_; 3]>::try_from(rows).map_err(|_| damaged("the server answered something else"))?;
    let (messages, events) = (of_each(ids.len(), messages)?, of_each(ids.len(), events)?);
    let each = of_each(ids.len(), states)?.into_iter().zip(messages).zip(events);
    let mut agents = Vec::new();
    for ((state, messages), events) in each {
        agents.push(state.first().map(|agent| kept(agent, &messages, &events)).transpose());
        // Leases are renewed and logs written on this thread, too.
        tokio::task::yield_now().await;
    }
    Ok(agents)
}

/// Rows of each agent, whose place is in the first column, in the order of the second. The server need not sort them: as a
/// rule they come so.
fn of_each(agents: usize, rows: Vec<Row>) -> Result<Vec<Vec<Row>>, StoreError> {
    let mut each: Vec<Vec<(u64, Row)>> = std::iter::repeat_with(Vec::new).take(agents).collect();
    for row in rows {
        let of = each.get_mut(place(&row)?).ok_or_else(|| damaged("the server answered something else"))?;
        of.push((get::<Number>(&row, 1)?.0, row));
    }
    let sorted = |mut rows: Vec<(u64, Row)>| {
        rows.sort_by_key(|(key, _)| *key);
        rows.into_iter().map(|(_, row)| row).collect()
    };
    Ok(each.into_iter().map(sorted).collect())
}

fn kept(agent: &Row, messages: &[Row], events: &[Row]) -> Result<Kept, StoreError> {
    let owner = entry(agent, 2)?.owner;
    let state = match get::<Option<Number>>(agent, 3)? {
        Some(Number(seq)) => {
            let window = Window { from: get::<Number>(agent, 4)?.0, to: get::<Number>(agent, 5)?.0 };
            Some((seq, window, body(agent, 6, seq)?))
        }
        None => None,
    };
    let messages = messages.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let events = events.iter().map(|row| event(row, 1)).collect::<Result<Vec<_>, _>>()?;
    Kept::load(owner, state, messages, &events)
}

/// An index entry, from a column.
pub(crate) fn entry(row: &Row, column: usize) -> Result<AgentRow, StoreError> {
    parse("the index entry of an agent", get::<Json<'_>>(row, column)?.0)
}

fn message(row: &Row) -> Result<Arc<Message>, StoreError> {
    parse("a message", get::<Json<'_>>(row, 2)?.0)
}

/// What stands in two columns from `column` on, one of which has it.
fn body(row: &Row, column: usize, seq: u64) -> Result<&[u8], StoreError> {
    if let Some(Json(json)) = get(row, column)? {
        return Ok(json);
    }
    let bytes: Option<&[u8]> = get(row, column.saturating_add(1))?;
    bytes.ok_or_else(|| damaged(format!("the blob of what was kept at event {seq} is missing")))
}

/// An event, from the column of its last number on.
fn event(row: &Row, column: usize) -> Result<Event, StoreError> {
    let seq = get::<Number>(row, column)?.0;
    Event::read(body(row, column.saturating_add(1), seq)?).map_err(damaged)
}

/// Its index entry.
pub(crate) async fn agent(database: &Database, id: &AgentId) -> Result<Option<AgentRow>, StoreError> {
    let look = Statement::new("select entry from seawall_agent where name = $1").with(Text::new(id.as_str()));
    database.one(Begin::Read, look).await?.first().map(|row| entry(row, 0)).transpose()
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
    database.one(Begin::Read, look).await?.iter().map(|row| event(row, 0)).collect()
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

/// Whether bytes were kept.
pub(crate) async fn has_blob(database: &Database, id: &AgentId, blob: &BlobId) -> Result<bool, StoreError> {
    let look = Statement::new(
        "select true from seawall_agent_blob join seawall_agent on agent = number where name = $1 and hash = $2",
    );
    let look = look.with(Text::new(id.as_str())).with(Raw(blob.as_bytes()));
    Ok(!database.one(Begin::Read, look).await?.is_empty())
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
