//! Writing to an agent's log: one statement, which checks the right to do so and writes all or nothing.

use seawall_store::StoreError;
use seawall_store::agents::{
    Accepted, AgentRow, Append, Appended, BlobId, Body, CallRow, Creation, EventRow, MessageRow, Right,
    SnapshotRow, State,
};

use crate::database::{Begin, Database};
use crate::failure::unavailable;
use crate::load;
use crate::row::{get, json};
use crate::statement::Statement;
use crate::value::{Flag, Json, Number, Raw, Text, Time};

/// How often something that others change at the same time is looked at again.
const TRIES: usize = 5;

/// When an agent that nobody holds is to be run, as an SQL expression of its columns or values. What is due at once was by
/// the clock of whoever wrote it: where that one is ahead of the server's, it is due all the same.
pub(crate) fn queued(due: &str, updated_at: &str) -> String {
    format!("case when {due} <= {updated_at} then least({due}, now()) else {due} end")
}

/// Makes an agent, or tells which one there is.
pub(crate) async fn create(database: &Database, first: &Append) -> Result<Creation, StoreError> {
    let written = Written::of(first)?;
    for _ in 0..TRIES {
        let statement = written.statement(first, |sql| made(sql, first, &written));
        if !database.one(Begin::Write, statement).await?.is_empty() {
            return Ok(Creation::Made);
        }
        if let Some(row) = load::agent(database, &first.agent).await? {
            return Ok(Creation::Exists(Box::new(row)));
        }
    }
    Err(unavailable(format!("the agent {} is made and removed all the time", first.agent)))
}

/// Writes events with all that follows from them.
pub(crate) async fn append(database: &Database, append: &Append) -> Result<Appended, StoreError> {
    let written = Written::of(append)?;
    for _ in 0..TRIES {
        let statement = written.statement(append, |sql| moved(sql, append, &written));
        if !database.one(Begin::Write, statement).await?.is_empty() {
            return Ok(Appended::Done);
        }
        // What was in the way is looked at afterwards. Where nothing is any more, it is tried again.
        if let Some(refused) = refusal(database, append).await? {
            return Ok(refused);
        }
    }
    Ok(Appended::Moved)
}

async fn refusal(database: &Database, append: &Append) -> Result<Option<Appended>, StoreError> {
    let run = append.row.run.to_string();
    let look = Statement::new(
        "select epoch, holder is not null, seq from seawall_agent where name = $1 and run = $2",
    )
    .with(Text::new(append.agent.as_str()))
    .with(Text::new(&run));
    let rows = database.one(Begin::Read, look).await?;
    let Some(row) = rows.first() else { return Ok(Some(Appended::Gone)) };
    let (epoch, is_held, seq) = (get::<Number>(row, 0)?.0, get::<bool>(row, 1)?, get::<Number>(row, 2)?.0);
    let is_fenced = match append.right {
        Right::Holder { epoch: own } => !is_held || own != epoch,
        Right::Outsider => false,
    };
    Ok(match (is_fenced, seq == append.after) {
        (true, _) => Some(Appended::Fenced),
        (false, false) => Some(Appended::Moved),
        (false, true) => None,
    })
}

/// What of a write has to be made into JSON, made.
struct Written {
    run: String,
    entry: Vec<u8>,
    messages: Vec<Vec<u8>>,
    calls: Vec<Vec<u8>>,
    snapshots: Vec<Vec<u8>>,
}

impl Written {
    fn of(append: &Append) -> Result<Self, StoreError> {
        Ok(Self {
            run: append.row.run.to_string(),
            entry: json(&append.row)?,
            messages: append.messages.iter().map(|row| json(&row.message)).collect::<Result<_, _>>()?,
            calls: append.calls.iter().map(json).collect::<Result<_, _>>()?,
            snapshots: append.snapshots.iter().map(json).collect::<Result<_, _>>()?,
        })
    }

    /// `agent` writes the expression that changes the agent's own row and gives its number, or nothing: everything else is
    /// written only where it gives one.
    fn statement<'a>(&'a self, append: &'a Append, agent: impl FnOnce(&mut Statement<'a>)) -> Statement<'a> {
        let mut sql = Statement::new("with agent as (");
        agent(&mut sql);
        sql.push(")");
        events(&mut sql, &append.events);
        messages(&mut sql, &append.messages, &self.messages);
        calls(&mut sql, &append.calls, &self.calls);
        accepted(&mut sql, &append.accepted);
        snapshots(&mut sql, &append.snapshots, &self.snapshots);
        blobs(&mut sql, &append.blobs);
        if let Some(kept) = &append.state {
            state(&mut sql, kept);
        }
        sql.push(" select number from agent");
        sql
    }
}

fn made<'a>(sql: &mut Statement<'a>, append: &'a Append, written: &'a Written) {
    let row = &append.row;
    let name = sql.bind(Text::new(append.agent.as_str()));
    let run = sql.bind(Text::new(&written.run));
    let tenant = sql.bind(row.owner.tenant.as_deref().map(Text::new));
    let template = sql.bind(Text::new(&row.template));
    let created_at = sql.bind(Time(row.created_at));
    let epoch = sql.bind(Number(row.epoch));
    let values = RowValues::bind(sql, row, &written.entry);
    let queued = queued(&values.due, &values.updated_at);
    let RowValues { updated_at, state, is_archived, seq, due, entry } = &values;
    sql.push(&format!(
        "insert into seawall_agent (name, run, tenant, template, created_at, epoch, updated_at, state, is_archived, seq, due, \
         queued_at, entry) values ({name}, {run}, {tenant}, {template}, {created_at}, {epoch}, {updated_at}, {state}, \
         {is_archived}, {seq}, {due}, {queued}, {entry}) on conflict (name) do nothing returning number"
    ));
}

fn moved<'a>(sql: &mut Statement<'a>, append: &'a Append, written: &'a Written) {
    let name = sql.bind(Text::new(append.agent.as_str()));
    let run = sql.bind(Text::new(&written.run));
    let after = sql.bind(Number(append.after));
    let right = match append.right {
        Right::Holder { epoch } => format!(" and epoch = {} and holder is not null", sql.bind(Number(epoch))),
        Right::Outsider => String::new(),
    };
    // A copy is written by no holder, and has the claims of those who once were: who claims it gets a higher number.
    let epoch = sql.bind(Number(append.row.epoch));
    let values = RowValues::bind(sql, &append.row, &written.entry);
    let queued = queued(&values.due, &values.updated_at);
    let RowValues { updated_at, state, is_archived, seq, due, entry } = &values;
    sql.push(&format!(
        "update seawall_agent set updated_at = {updated_at}, state = {state}, is_archived = {is_archived}, seq = {seq}, \
         due = {due}, queued_at = case when holder is null then {queued} end, entry = {entry}, \
         epoch = greatest(epoch, {epoch}) \
         where name = {name} and run = {run} and seq = {after}{right} returning number"
    ));
}

/// Where the values stand that every write changes.
struct RowValues {
    updated_at: String,
    state: String,
    is_archived: String,
    seq: String,
    due: String,
    entry: String,
}

impl RowValues {
    fn bind<'a>(sql: &mut Statement<'a>, row: &'a AgentRow, entry: &'a [u8]) -> Self {
        Self {
            updated_at: sql.bind(Time(row.updated_at)),
            state: sql.bind(Text::new(row.state.as_str())),
            is_archived: sql.bind(Flag(row.is_archived)),
            seq: sql.bind(Number(row.seq)),
            due: sql.bind(row.due.map(Time)),
            entry: sql.bind(Json(entry)),
        }
    }
}

/// JSON here, or the hash of where it is.
fn split(body: &Body) -> (Option<Json<'_>>, Option<Raw<'_>>) {
    match body {
        Body::Inline(json) => (Some(Json(json)), None),
        Body::Blob(id) => (None, Some(Raw(id.as_bytes()))),
    }
}

fn events<'a>(sql: &mut Statement<'a>, rows: &'a [EventRow]) {
    let last = sql.bind(rows.iter().map(|row| Number(row.last_seq)).collect::<Vec<_>>());
    let first = sql.bind(rows.iter().map(|row| Number(row.seq)).collect::<Vec<_>>());
    let at = sql.bind(rows.iter().map(|row| Time(row.at)).collect::<Vec<_>>());
    let kind = sql.bind(rows.iter().map(|row| Text::new(row.kind)).collect::<Vec<_>>());
    let body = sql.bind(rows.iter().map(|row| split(&row.body).0).collect::<Vec<_>>());
    let blob = sql.bind(rows.iter().map(|row| split(&row.body).1).collect::<Vec<_>>());
    sql.push(&format!(
        ", events as (insert into seawall_agent_event (agent, last_seq, seq, at, kind, body, blob) \
         select number, new.* from agent, unnest({last}, {first}, {at}, {kind}, {body}, {blob}) as new)"
    ));
}

fn messages<'a>(sql: &mut Statement<'a>, rows: &'a [MessageRow], bodies: &'a [Vec<u8>]) {
    if rows.is_empty() {
        return;
    }
    let place = sql.bind(rows.iter().map(|row| Number(row.place)).collect::<Vec<_>>());
    let role =
        sql.bind(rows.iter().map(|row| Text::new(crate::query::role(row.message.role))).collect::<Vec<_>>());
    let at = sql.bind(rows.iter().map(|row| Time(row.at)).collect::<Vec<_>>());
    let body = sql.bind(bodies.iter().map(|body| Json(body)).collect::<Vec<_>>());
    sql.push(&format!(
        ", messages as (insert into seawall_agent_message (agent, place, role, at, body) \
         select number, new.* from agent, unnest({place}, {role}, {at}, {body}) as new)"
    ));
}

fn calls<'a>(sql: &mut Statement<'a>, rows: &'a [CallRow], bodies: &'a [Vec<u8>]) {
    if rows.is_empty() {
        return;
    }
    let step = sql.bind(rows.iter().map(|row| Number(row.call.id.step)).collect::<Vec<_>>());
    let index = sql.bind(rows.iter().map(|row| Number(u64::from(row.call.id.index))).collect::<Vec<_>>());
    let tool = sql.bind(rows.iter().map(|row| Text::new(&row.call.name)).collect::<Vec<_>>());
    let state = sql.bind(rows.iter().map(|row| Text::new(row.call.state.as_str())).collect::<Vec<_>>());
    let created_at = sql.bind(rows.iter().map(|row| Time(row.created_at)).collect::<Vec<_>>());
    let body = sql.bind(bodies.iter().map(|body| Json(body)).collect::<Vec<_>>());
    sql.push(&format!(
        ", calls as (insert into seawall_agent_call (agent, step, index, tool, state, created_at, body) \
         select number, new.* from agent, unnest({step}, {index}, {tool}, {state}, {created_at}, {body}) as new \
         on conflict (agent, step, index) do update set tool = excluded.tool, state = excluded.state, \
         created_at = excluded.created_at, body = excluded.body)"
    ));
}

fn accepted<'a>(sql: &mut Statement<'a>, rows: &'a [Accepted]) {
    if rows.is_empty() {
        return;
    }
    let message = sql.bind(rows.iter().map(|row| Raw(row.message.0.as_bytes())).collect::<Vec<_>>());
    let content = sql.bind(rows.iter().map(|row| Raw(&row.content)).collect::<Vec<_>>());
    let seq = sql.bind(rows.iter().map(|row| Number(row.seq)).collect::<Vec<_>>());
    let at = sql.bind(rows.iter().map(|row| Time(row.at)).collect::<Vec<_>>());
    sql.push(&format!(
        ", accepted as (insert into seawall_agent_accepted (agent, message, content, seq, at) \
         select number, new.* from agent, unnest({message}, {content}, {seq}, {at}) as new)"
    ));
}

fn snapshots<'a>(sql: &mut Statement<'a>, rows: &'a [SnapshotRow], bodies: &'a [Vec<u8>]) {
    if rows.is_empty() {
        return;
    }
    let id = sql.bind(rows.iter().map(|row| Raw(row.id.as_bytes())).collect::<Vec<_>>());
    let seq = sql.bind(rows.iter().map(|row| Number(row.seq)).collect::<Vec<_>>());
    let body = sql.bind(bodies.iter().map(|body| Json(body)).collect::<Vec<_>>());
    sql.push(&format!(
        ", snapshots as (insert into seawall_agent_snapshot (agent, id, seq, body) \
         select number, new.* from agent, unnest({id}, {seq}, {body}) as new)"
    ));
}

fn blobs<'a>(sql: &mut Statement<'a>, rows: &'a [(BlobId, Vec<u8>)]) {
    if rows.is_empty() {
        return;
    }
    let hash = sql.bind(rows.iter().map(|(id, _)| Raw(id.as_bytes())).collect::<Vec<_>>());
    let bytes = sql.bind(rows.iter().map(|(_, bytes)| Raw(bytes)).collect::<Vec<_>>());
    sql.push(&format!(
        ", blobs as (insert into seawall_agent_blob (agent, hash, bytes) \
         select number, new.* from agent, unnest({hash}, {bytes}) as new on conflict do nothing)"
    ));
}

/// The state takes the place of the one before, and so does its blob.
fn state<'a>(sql: &mut Statement<'a>, state: &'a State) {
    let seq = sql.bind(Number(state.seq));
    let from = sql.bind(Number(state.window.from));
    let to = sql.bind(Number(state.window.to));
    let (body, blob) = split(&state.body);
    let (body, blob) = (sql.bind(body), sql.bind(blob));
    sql.push(&format!(
        ", outdated as (delete from seawall_agent_blob using agent, seawall_agent_state as old \
         where old.agent = number and seawall_agent_blob.agent = number and hash = old.blob \
         and hash is distinct from {blob}), \
         states as (insert into seawall_agent_state (agent, seq, window_from, window_to, body, blob) \
         select number, {seq}, {from}, {to}, {body}, {blob} from agent \
         on conflict (agent) do update set seq = excluded.seq, window_from = excluded.window_from, \
         window_to = excluded.window_to, body = excluded.body, blob = excluded.blob)"
    ));
}
