//! The statement that writes: of one agent, or of many at once, each of which keeps its own verdict.
//!
//! What an append has to say goes into arrays, with the append's place in the group beside each row. The agents' own rows are
//! changed first, those alone that may be; everything else is written only where that gave a place. So what a statement
//! costs to begin is paid once for all of them, and its text does not depend on how many there are.

use seawall_store::StoreError;
use seawall_store::agents::{AgentRow, Append, Body, Right};

use super::queued;
use crate::row::json;
use crate::statement::Statement;
use crate::value::{Element, Flag, Json, Number, Raw, Text, Time};

/// An append of which everything is JSON that has to be.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) append: Append,
    pub(crate) run: String,
    entry: Vec<u8>,
    messages: Vec<Vec<u8>>,
    calls: Vec<Vec<u8>>,
    snapshots: Vec<Vec<u8>>,
}

impl Write {
    pub(crate) fn of(append: Append) -> Result<Self, StoreError> {
        Ok(Self {
            run: append.row.run.to_string(),
            entry: json(&append.row)?,
            messages: append.messages.iter().map(|row| json(&row.message)).collect::<Result<_, _>>()?,
            calls: append.calls.iter().map(json).collect::<Result<_, _>>()?,
            snapshots: append.snapshots.iter().map(json).collect::<Result<_, _>>()?,
            append,
        })
    }

    /// Bytes that are sent for it, about.
    pub(crate) fn weight(&self) -> usize {
        let inline = |body: &Body| if let Body::Inline(json) = body { json.len() } else { 0 };
        let texts = [&self.messages, &self.calls, &self.snapshots];
        let append = &self.append;
        self.entry.len()
            + texts.into_iter().flatten().map(Vec::len).sum::<usize>()
            + append.events.iter().map(|row| inline(&row.body)).sum::<usize>()
            + append.blobs.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
            + append.state.as_ref().map_or(0, |state| inline(&state.body))
    }
}

/// Makes an agent, unless there is one of its name. Gives a row where it did.
pub(crate) fn making(first: &Write) -> Statement<'_> {
    let row = &first.append.row;
    let mut sql = Statement::new(
        "with agent as (insert into seawall_agent (name, run, tenant, template, created_at, epoch, \
        updated_at, state, is_archived, seq, due, queued_at, entry) select new.name, new.run, ",
    );
    let tenant = sql.bind(row.owner.tenant.as_deref().map(Text::new));
    let template = sql.bind(Text::new(&row.template));
    let created_at = sql.bind(Time(row.created_at));
    let writes = std::slice::from_ref(first);
    let new = agents(&mut sql, writes);
    sql.push(&format!(
        "{tenant}, {template}, {created_at}, new.epoch, new.updated_at, new.state, new.is_archived, new.seq, new.due, {}, \
         new.entry from {new} on conflict (name) do nothing returning number, 1::bigint as place)",
        queued("new.due", "new.updated_at")
    ));
    everything_else(sql, writes)
}

/// Writes what may be written, of different agents. Gives the places, from 1, of those that were.
pub(crate) fn writing(writes: &[Write]) -> Statement<'_> {
    let mut sql = Statement::new("with agent as (");
    let new = agents(&mut sql, writes);
    let unsaid = unsaid(&mut sql, writes);
    // A copy is written by no holder, and has the claims of those who once were: who claims it gets a higher number.
    sql.push(&format!(
        "update seawall_agent as old set updated_at = new.updated_at, state = new.state, is_archived = new.is_archived, \
         seq = new.seq, due = new.due, queued_at = case when old.holder is null then {} end, entry = new.entry, \
         epoch = greatest(old.epoch, new.epoch) from {new} \
         where old.name = new.name and old.run = new.run and old.seq = new.after \
         and (new.held_as is null or new.held_as = old.epoch and old.holder is not null){unsaid} returning old.number, new.place)",
        queued("new.due", "new.updated_at")
    ));
    everything_else(sql, writes)
}

/// That no message of an append was accepted before: said again, it would break the whole group off, of which it is left out
/// instead. Alone it is told so by the table.
fn unsaid<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) -> String {
    let rows = Rows::of(writes, |write| &write.append.accepted);
    if writes.len() == 1 || rows.is_empty() {
        return String::new();
    }
    let columns = [rows.places(sql), rows.column(sql, |row| Raw(row.message.0.as_bytes()))];
    format!(
        " and not exists (select from unnest({}) as said (place, message) join seawall_agent_accepted as known \
         on known.message = said.message where said.place = new.place and known.agent = old.number)",
        columns.join(", ")
    )
}

/// The values of the agents' own rows, as a table.
fn agents<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) -> String {
    let held_as = |write: &Write| match write.append.right {
        Right::Holder { epoch } => Some(Number(epoch)),
        Right::Outsider => None,
    };
    let of = |write: &'a Write| -> &'a AgentRow { &write.append.row };
    let columns = [
        each(sql, writes, |write| Text::new(write.append.agent.as_str())),
        each(sql, writes, |write| Text::new(&write.run)),
        each(sql, writes, |write| Number(write.append.after)),
        each(sql, writes, held_as),
        each(sql, writes, |write| Number(of(write).epoch)),
        each(sql, writes, |write| Time(of(write).updated_at)),
        each(sql, writes, |write| Text::new(of(write).state.as_str())),
        each(sql, writes, |write| Flag(of(write).is_archived)),
        each(sql, writes, |write| Number(of(write).seq)),
        each(sql, writes, |write| of(write).due.map(Time)),
        each(sql, writes, |write| Json(&write.entry)),
    ];
    format!(
        "unnest({}) with ordinality as new (name, run, after, held_as, epoch, updated_at, state, is_archived, seq, due, entry, \
         place)",
        columns.join(", ")
    )
}

fn everything_else<'a>(mut sql: Statement<'a>, writes: &'a [Write]) -> Statement<'a> {
    events(&mut sql, writes);
    messages(&mut sql, writes);
    calls(&mut sql, writes);
    accepted(&mut sql, writes);
    snapshots(&mut sql, writes);
    blobs(&mut sql, writes);
    states(&mut sql, writes);
    sql.push(" select place from agent");
    sql
}

/// A column of values.
fn each<'a, R, T: Element + 'a>(
    sql: &mut Statement<'a>,
    rows: &'a [R],
    value: impl Fn(&'a R) -> T,
) -> String {
    sql.bind(rows.iter().map(value).collect::<Vec<_>>())
}

/// Rows of all appends of a group.
struct Rows<R>(Vec<(u64, R)>);

impl<R: Copy> Rows<R> {
    fn of<'a, I: IntoIterator<Item = R>>(writes: &'a [Write], rows: impl Fn(&'a Write) -> I) -> Self {
        let of = |(place, write)| rows(write).into_iter().map(move |row| (place, row));
        Self((1..).zip(writes).flat_map(of).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The column of places.
    fn places(&self, sql: &mut Statement<'_>) -> String {
        sql.bind(self.0.iter().map(|(place, _)| Number(*place)).collect::<Vec<_>>())
    }

    fn column<'a, T: Element + 'a>(&self, sql: &mut Statement<'a>, value: impl Fn(R) -> T) -> String {
        sql.bind(self.0.iter().map(|(_, row)| value(*row)).collect::<Vec<_>>())
    }
}

/// JSON here, or the hash of where it is.
fn inline(body: &Body) -> Option<Json<'_>> {
    if let Body::Inline(json) = body { Some(Json(json)) } else { None }
}

fn elsewhere(body: &Body) -> Option<Raw<'_>> {
    if let Body::Blob(id) = body { Some(Raw(id.as_bytes())) } else { None }
}

/// Inserts rows of a table beside the agents' own. `names`: those of the columns after `agent`.
fn insert(sql: &mut Statement<'_>, table: &str, names: &str, columns: &[String], clash: &str) {
    let values: Vec<_> = names.split(", ").map(|name| format!("new.{name}")).collect();
    sql.push(&format!(
        ", {table}_rows as (insert into seawall_agent_{table} (agent, {names}) select agent.number, {} from agent \
         join unnest({}) as new (place, {names}) on new.place = agent.place{clash})",
        values.join(", "),
        columns.join(", ")
    ));
}

fn events<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) {
    let rows = Rows::of(writes, |write| &write.append.events);
    let columns = [
        rows.places(sql),
        rows.column(sql, |row| Number(row.last_seq)),
        rows.column(sql, |row| Number(row.seq)),
        rows.column(sql, |row| Time(row.at)),
        rows.column(sql, |row| Text::new(row.kind)),
        rows.column(sql, |row| inline(&row.body)),
        rows.column(sql, |row| elsewhere(&row.body)),
    ];
    insert(sql, "event", "last_seq, seq, at, kind, body, blob", &columns, "");
}

fn messages<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) {
    let rows = Rows::of(writes, |write| write.append.messages.iter().zip(&write.messages));
    if rows.is_empty() {
        return;
    }
    let columns = [
        rows.places(sql),
        rows.column(sql, |(row, _)| Number(row.place)),
        rows.column(sql, |(row, _)| Text::new(crate::query::role(row.message.role))),
        rows.column(sql, |(row, _)| Time(row.at)),
        rows.column(sql, |(_, body)| Json(body)),
    ];
    // The table's `place` is that of the message among the agent's, the group's is that of the append.
    sql.push(&format!(
        ", message_rows as (insert into seawall_agent_message (agent, place, role, at, body) \
         select agent.number, new.message, new.role, new.at, new.body from agent \
         join unnest({}) as new (place, message, role, at, body) on new.place = agent.place)",
        columns.join(", ")
    ));
}

fn calls<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) {
    let rows = Rows::of(writes, |write| write.append.calls.iter().zip(&write.calls));
    if rows.is_empty() {
        return;
    }
    let columns = [
        rows.places(sql),
        rows.column(sql, |(row, _)| Number(row.call.id.step)),
        rows.column(sql, |(row, _)| Number(u64::from(row.call.id.index))),
        rows.column(sql, |(row, _)| Text::new(&row.call.name)),
        rows.column(sql, |(row, _)| Text::new(row.call.state.as_str())),
        rows.column(sql, |(row, _)| Time(row.created_at)),
        rows.column(sql, |(_, body)| Json(body)),
    ];
    let clash = " on conflict (agent, step, index) do update set tool = excluded.tool, state = excluded.state, \
        created_at = excluded.created_at, body = excluded.body";
    insert(sql, "call", "step, index, tool, state, created_at, body", &columns, clash);
}

fn accepted<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) {
    let rows = Rows::of(writes, |write| &write.append.accepted);
    if rows.is_empty() {
        return;
    }
    let columns = [
        rows.places(sql),
        rows.column(sql, |row| Raw(row.message.0.as_bytes())),
        rows.column(sql, |row| Raw(&row.content)),
        rows.column(sql, |row| Number(row.seq)),
        rows.column(sql, |row| Time(row.at)),
    ];
    insert(sql, "accepted", "message, content, seq, at", &columns, "");
}

fn snapshots<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) {
    let rows = Rows::of(writes, |write| write.append.snapshots.iter().zip(&write.snapshots));
    if rows.is_empty() {
        return;
    }
    let columns = [
        rows.places(sql),
        rows.column(sql, |(row, _)| Raw(row.id.as_bytes())),
        rows.column(sql, |(row, _)| Number(row.seq)),
        rows.column(sql, |(_, body)| Json(body)),
    ];
    insert(sql, "snapshot", "id, seq, body", &columns, "");
}

fn blobs<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) {
    let rows = Rows::of(writes, |write| &write.append.blobs);
    if rows.is_empty() {
        return;
    }
    let columns = [
        rows.places(sql),
        rows.column(sql, |(id, _)| Raw(id.as_bytes())),
        rows.column(sql, |(_, bytes)| Raw(bytes)),
    ];
    insert(sql, "blob", "hash, bytes", &columns, " on conflict do nothing");
}

/// A state takes the place of the one before, and so does its blob.
fn states<'a>(sql: &mut Statement<'a>, writes: &'a [Write]) {
    let rows = Rows::of(writes, |write| &write.append.state);
    if rows.is_empty() {
        return;
    }
    let columns = [
        rows.places(sql),
        rows.column(sql, |state| Number(state.seq)),
        rows.column(sql, |state| Number(state.window.from)),
        rows.column(sql, |state| Number(state.window.to)),
        rows.column(sql, |state| inline(&state.body)),
        rows.column(sql, |state| elsewhere(&state.body)),
    ];
    let [place, _, _, _, _, blob] = &columns;
    sql.push(&format!(
        ", outdated as (delete from seawall_agent_blob as known using agent, seawall_agent_state as old, \
         unnest({place}, {blob}) as new (place, blob) where new.place = agent.place and old.agent = agent.number \
         and known.agent = agent.number and known.hash = old.blob and known.hash is distinct from new.blob)"
    ));
    let clash = " on conflict (agent) do update set seq = excluded.seq, window_from = excluded.window_from, \
        window_to = excluded.window_to, body = excluded.body, blob = excluded.blob";
    insert(sql, "state", "seq, window_from, window_to, body, blob", &columns, clash);
}
