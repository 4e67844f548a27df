//! Lists and counts. A filter that is not asked for is not in the statement, so each kind of question has a plan of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_engine::{AgentId, CallState, Role};
use seawall_store::StoreError;
use seawall_store::agents::{
    AgentOrder, AgentQuery, AgentRow, CallQuery, CallRow, MessageQuery, MessageRow, Stats,
};
use seawall_types::Timestamp;
use tokio_postgres::Row;

use crate::database::{Begin, Database};
use crate::failure::damaged;
use crate::load::entry;
use crate::row::{get, parse};
use crate::statement::Statement;
use crate::value::{Column, Json, Number, Text, Time};

/// How a role is called in its column.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// A statement to which conditions are added, each where it is wanted.
struct Question<'a> {
    sql: Statement<'a>,
    joint: &'static str,
}

impl<'a> Question<'a> {
    fn new(text: &str) -> Self {
        Self { sql: Statement::new(text), joint: " where " }
    }

    fn and(&mut self, condition: &str) {
        self.sql.push(self.joint);
        self.sql.push(condition);
        self.joint = " and ";
    }

    /// `condition` has `?` where the value is to stand.
    fn and_where<T: Column + 'a>(&mut self, condition: &str, value: Option<T>) {
        if let Some(value) = value {
            let place = self.sql.bind(value);
            self.and(&condition.replace('?', &place));
        }
    }

    fn between(&mut self, column: &str, from: Option<Timestamp>, until: Option<Timestamp>) {
        self.and_where(&format!("{column} >= ?"), from.map(Time));
        self.and_where(&format!("{column} < ?"), until.map(Time));
    }

    fn page(mut self, order: &str, skip: u32, most: u32) -> Statement<'a> {
        let skip = self.sql.bind(Number(skip.into()));
        let most = self.sql.bind(Number(most.into()));
        self.sql.push(&format!(" order by {order} offset {skip} limit {most}"));
        self.sql
    }
}

/// Agents as asked for.
pub(crate) async fn agents(database: &Database, query: &AgentQuery) -> Result<Vec<AgentRow>, StoreError> {
    let mut question = Question::new("select entry from seawall_agent");
    // The first half is what the index is good for whatever the plan is.
    question.and_where("name >= ? and starts_with(name, ?)", query.prefix.as_deref().map(Text::new));
    question.and_where("template = ?", query.template.as_deref().map(Text::new));
    question.and_where("tenant = ?", query.tenant.as_deref().map(Text::new));
    question.and_where("state = ?", query.state.map(|state| Text::new(state.as_str())));
    if !query.archived {
        question.and("not is_archived");
    }
    question.between("created_at", query.from, query.until);
    let order = match query.order {
        AgentOrder::Newest => "created_at desc, name",
        AgentOrder::Oldest => "created_at, name",
        AgentOrder::Active => "updated_at desc, name",
        AgentOrder::Name => "name",
    };
    let rows = database.one(Begin::Read, question.page(order, query.skip, query.most)).await?;
    rows.iter().map(|row| entry(row, 0)).collect()
}

/// Messages as asked for.
pub(crate) async fn messages(
    database: &Database,
    query: &MessageQuery,
) -> Result<Vec<MessageRow>, StoreError> {
    let mut question = Question::new(
        "select name, place, at, body from seawall_agent_message as message join seawall_agent on agent = number",
    );
    question.and_where("name = ?", query.agent.as_ref().map(|agent| Text::new(agent.as_str())));
    question.and_where("tenant = ?", query.tenant.as_deref().map(Text::new));
    question.and_where("role = ?", query.role.map(|of| Text::new(role(of))));
    question.and_where("place > ?", (query.after > 0).then(|| Number::capped(query.after)));
    question.between("at", query.from, query.until);
    let rows = database.one(Begin::Read, question.page("name, place", query.skip, query.most)).await?;
    rows.iter().map(message).collect()
}

fn message(row: &Row) -> Result<MessageRow, StoreError> {
    let agent: AgentId = get::<&str>(row, 0)?.parse().map_err(damaged)?;
    let (place, at) = (get::<Number>(row, 1)?.0, get::<Time>(row, 2)?.0);
    Ok(MessageRow { agent, place, at, message: parse("a message", get::<Json<'_>>(row, 3)?.0)? })
}

/// Calls of tools as asked for.
pub(crate) async fn calls(database: &Database, query: &CallQuery) -> Result<Vec<CallRow>, StoreError> {
    let mut question =
        Question::new("select body from seawall_agent_call as call join seawall_agent on agent = number");
    question.and_where("name = ?", query.agent.as_ref().map(|agent| Text::new(agent.as_str())));
    question.and_where("tenant = ?", query.tenant.as_deref().map(Text::new));
    question.and_where("tool = ?", query.tool.as_deref().map(Text::new));
    if let Some(state) = query.state {
        // In the text, so that the index of what waits for people is found for it.
        question.and(&format!("call.state = '{}'", CallState::as_str(state)));
    }
    question.between("call.created_at", query.from, query.until);
    let rows = database.one(Begin::Read, question.page("name, step, index", query.skip, query.most)).await?;
    rows.iter().map(|row| parse("a call of a tool", get::<Json<'_>>(row, 0)?.0)).collect()
}

/// The tables, for how large they are together.
const TABLES: &str = "'seawall_agent', 'seawall_agent_event', 'seawall_agent_message', 'seawall_agent_call', \
    'seawall_agent_accepted', 'seawall_agent_snapshot', 'seawall_agent_state', 'seawall_agent_blob'";

/// How much there is of an agent, or of all.
pub(crate) async fn stats(database: &Database, id: Option<&AgentId>) -> Result<Stats, StoreError> {
    let of =
        if id.is_some() { " where agent = (select number from seawall_agent where name = $1)" } else { "" };
    let agents = if id.is_some() { " where name = $1" } else { "" };
    let statement = |text: &str| match id {
        Some(id) => Statement::new(text).with(Text::new(id.as_str())),
        None => Statement::new(text),
    };
    let size = format!(
        "select sum(pg_total_relation_size(name::regclass))::bigint from unnest(array[{TABLES}]) as name"
    );
    let statements = [
        statement(&format!("select count(*) from seawall_agent{agents}")),
        statement(&format!("select count(*) from seawall_agent_message{of}")),
        statement(&format!("select count(*) from seawall_agent_snapshot{of}")),
        statement(&format!("select tool, state, count(*) from seawall_agent_call{of} group by tool, state")),
        Statement::new(&size),
    ];
    let rows = database.transact(Begin::Read, &statements).await?;
    let [agents, messages, snapshots, calls, size] = &rows[..] else {
        return Err(damaged("the server answered something else"));
    };
    let mut stats = Stats {
        agents: count(agents)?,
        messages: count(messages)?,
        snapshots: count(snapshots)?,
        bytes: if id.is_none() { Some(count(size)?) } else { None },
        ..Stats::default()
    };
    for row in calls {
        let calls = get::<Number>(row, 2)?.0;
        stats.calls = stats.calls.saturating_add(calls);
        add(&mut stats.calls_by_tool, get(row, 0)?, calls);
        add(&mut stats.calls_by_state, get(row, 1)?, calls);
    }
    Ok(stats)
}

fn count(rows: &[Row]) -> Result<u64, StoreError> {
    rows.first().map_or(Ok(0), |row| Ok(get::<Number>(row, 0)?.0))
}

fn add(counts: &mut BTreeMap<Arc<str>, u64>, name: &str, more: u64) {
    let count = counts.entry(name.into()).or_default();
    *count = count.saturating_add(more);
}
