//! The columns of the two tables, one row an action and one row an event: declared once, written in every format.
//!
//! A column is only ever added at the end of its table, so that who reads by position goes on reading the same.

use std::borrow::Cow;

use seawall_types::{Timestamp, Usd};

use super::ActionRow;
use crate::data::Data;
use crate::read::Parsed;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// A count, at most 2⁶³−1.
    Integer,
    /// Yes or no.
    Boolean,
    /// A moment, in microseconds, UTC.
    Time,
    /// Dollars with twelve places, exact.
    Money,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing is known.
    Nothing,
    /// For [`Kind::Text`].
    Text(Cow<'a, str>),
    /// For [`Kind::Integer`].
    Integer(u64),
    /// For [`Kind::Boolean`].
    Boolean(bool),
    /// For [`Kind::Time`].
    Time(Timestamp),
    /// For [`Kind::Money`].
    Money(Usd),
}

/// A column of a table of `R`.
#[derive(Debug)]
pub struct Column<R> {
    /// Its name, in snake case.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Its value in a row: of that kind, or nothing.
    pub of: for<'r> fn(&'r R) -> Cell<'r>,
}

/// One event, as a row.
#[derive(Debug)]
pub struct EventRow {
    parsed: Parsed,
    data: Data,
}

impl EventRow {
    /// The row of a line.
    #[must_use]
    pub fn new(parsed: Parsed) -> Self {
        let data = Data::parse(parsed.data.get());
        Self { parsed, data }
    }
}

const fn column<R>(name: &'static str, kind: Kind, of: for<'r> fn(&'r R) -> Cell<'r>) -> Column<R> {
    Column { name, kind, of }
}

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Nothing, |text| Cell::Text(Cow::Borrowed(text)))
}

fn owned(text: Option<impl ToString>) -> Cell<'static> {
    text.map_or(Cell::Nothing, |text| Cell::Text(Cow::Owned(text.to_string())))
}

fn integer(count: Option<impl Into<u64>>) -> Cell<'static> {
    count.map_or(Cell::Nothing, |count| Cell::Integer(count.into()))
}

fn boolean(value: Option<bool>) -> Cell<'static> {
    value.map_or(Cell::Nothing, Cell::Boolean)
}

fn money(usd: Option<Usd>) -> Cell<'static> {
    usd.map_or(Cell::Nothing, Cell::Money)
}

fn time(at: Option<Timestamp>) -> Cell<'static> {
    at.map_or(Cell::Nothing, Cell::Time)
}

/// One row an action.
pub const ACTIONS: &[Column<ActionRow>] = &[
    column("run", Kind::Text, |row| owned(Some(row.run))),
    column("action", Kind::Text, |row| owned(Some(row.action))),
    column("parent", Kind::Text, |row| owned(row.parent)),
    column("started_at", Kind::Time, |row| time(Some(row.started_at))),
    column("ended_at", Kind::Time, |row| time(row.ended_at)),
    column("duration_us", Kind::Integer, |row| integer(row.duration_us())),
    column("key", Kind::Text, |row| text(row.actor.key.as_deref())),
    column("tenant", Kind::Text, |row| text(row.actor.tenant.as_deref())),
    column("agent", Kind::Text, |row| text(row.actor.agent.as_deref())),
    column("kind", Kind::Text, |row| text(Some(row.kind()))),
    column("name", Kind::Text, |row| text(Some(row.name()))),
    column("end", Kind::Text, |row| text(Some(row.end.as_str()))),
    column("verdict", Kind::Text, |row| text(row.verdict())),
    column("would", Kind::Text, |row| text(row.begun.would.as_deref())),
    column("codes", Kind::Text, codes),
    column("reason", Kind::Text, |row| text(row.findings().next().map(|finding| finding.message.as_str()))),
    column("status", Kind::Integer, |row| integer(row.over.status)),
    column("ended", Kind::Text, |row| text(row.over.ended.as_deref())),
    column("wire", Kind::Text, |row| text(row.begun.wire.as_deref())),
    column("stream", Kind::Boolean, |row| boolean(row.begun.stream)),
    column("cache", Kind::Text, |row| text(row.cache())),
    column("upstream", Kind::Text, |row| text(row.last_attempt().map(|(upstream, _)| upstream))),
    column("upstream_model", Kind::Text, |row| text(row.last_attempt().map(|(_, model)| model))),
    column("attempts", Kind::Integer, |row| integer(u64::try_from(row.over.attempts.len()).ok())),
    column("tools", Kind::Integer, |row| integer(u64::try_from(row.tools.len()).ok())),
    column("input_tokens", Kind::Integer, |row| integer(row.usage().map(|usage| usage.input_tokens))),
    column("output_tokens", Kind::Integer, |row| integer(row.usage().map(|usage| usage.output_tokens))),
    column("cached_tokens", Kind::Integer, |row| integer(row.usage().map(|usage| usage.cached_tokens))),
    column("cache_write_tokens", Kind::Integer, |row| {
        integer(row.usage().map(|usage| usage.cache_write_tokens))
    }),
    column("reasoning_tokens", Kind::Integer, |row| integer(row.usage().map(|usage| usage.reasoning_tokens))),
    column("estimated", Kind::Boolean, |row| boolean(row.usage().map(|usage| usage.estimated))),
    column("reserved_usd", Kind::Money, |row| money(row.begun.reserved_usd)),
    column("cost_usd", Kind::Money, |row| money(row.cost())),
];

fn codes(row: &ActionRow) -> Cell<'_> {
    let mut codes: Vec<&str> = row.findings().map(|finding| finding.code.as_str()).collect();
    codes.dedup();
    owned((!codes.is_empty()).then(|| codes.join(" ")))
}

/// One row an event: its envelope, what is most asked for of its data, and the data itself.
pub const EVENTS: &[Column<EventRow>] = &[
    column("seq", Kind::Integer, |row| integer(Some(row.parsed.seq))),
    column("ts", Kind::Time, |row| time(Some(row.parsed.ts))),
    column("run", Kind::Text, |row| owned(Some(row.parsed.run))),
    column("kind", Kind::Text, |row| text(Some(row.parsed.kind.as_str()))),
    column("action", Kind::Text, |row| owned(row.parsed.action)),
    column("key", Kind::Text, |row| text(row.parsed.actor.key.as_deref())),
    column("tenant", Kind::Text, |row| text(row.parsed.actor.tenant.as_deref())),
    column("name", Kind::Text, |row| text(row.data.name.as_deref())),
    column("verdict", Kind::Text, |row| text(row.data.verdict.as_deref())),
    column("status", Kind::Integer, |row| integer(row.data.status)),
    column("input_tokens", Kind::Integer, |row| integer(row.data.usage.map(|usage| usage.input_tokens))),
    column("output_tokens", Kind::Integer, |row| integer(row.data.usage.map(|usage| usage.output_tokens))),
    column("estimated", Kind::Boolean, |row| boolean(row.data.usage.map(|usage| usage.estimated))),
    column("cost_usd", Kind::Money, |row| money(row.data.cost_usd)),
    column("duration_us", Kind::Integer, |row| integer(row.data.duration_us)),
    column("code", Kind::Text, |row| text(row.data.findings.first().map(|finding| finding.code.as_str()))),
    column("data", Kind::Text, |row| text(Some(row.parsed.data.get()))),
    column("parent", Kind::Text, |row| owned(row.parsed.parent)),
    column("agent", Kind::Text, |row| text(row.parsed.actor.agent.as_deref())),
];
