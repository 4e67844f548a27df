//! `/api/rooms`: agents are spoken to by the names that they have in a room, one or all of them at once.
//!
//! A room is kept as an agent is, so its events, its consistency and the like are at the routes of agents, under its name.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use seawall_engine::{AgentId, Archive, Bookmark, Member, MessageId, Refused};
use seawall_runtime::{AgentError, CreateRoom, ROOM, Room, Said, Say};
use seawall_store::agents::{AgentQuery, AgentRow};
use seawall_types::{Code, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::found::{Found, Visit, of_path};
use super::input::{Asked, Input, Page};
use super::making::Removal;
use super::messages::name;
use crate::App;
use crate::problem::Problem;

/// A room of the path that its caller may see.
#[derive(Debug)]
pub(super) struct Entered {
    found: Found,
    room: Room,
}

impl FromRequestParts<Arc<App>> for Entered {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let missing = |name: &str| {
            let remedy = "see GET /api/rooms for those that there are, or POST /api/rooms to make it";
            Problem::new(Code::NotFound, format!("there is no room {name}"), remedy)
        };
        let found = match Found::from_request_parts(parts, app).await {
            Ok(found) if *found.row.template == *ROOM => found,
            Ok(found) => return Err(missing(found.id().as_str())),
            Err(problem) if problem.code == Code::AgentNotFound => {
                return Err(missing(&of_path(parts, app, "id").await?));
            }
            Err(problem) => return Err(problem),
        };
        let room = found.runtime.room(found.id()).await?;
        Ok(Self { found, room })
    }
}

/// The body of `POST /api/rooms`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    id: Option<AgentId>,
    #[serde(default)]
    metadata: Option<Value>,
}

/// A room, as lists show it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: AgentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Arc<str>>,
    bookmark: Bookmark,
    created_at: Timestamp,
    updated_at: Timestamp,
    archived: bool,
}

impl From<AgentRow> for Row {
    fn from(row: AgentRow) -> Self {
        Self {
            bookmark: Bookmark { seq: row.seq, timestamp: row.updated_at },
            id: row.id,
            tenant: row.owner.tenant,
            created_at: row.created_at,
            updated_at: row.updated_at,
            archived: row.is_archived,
        }
    }
}

/// A room with everything of it.
#[derive(Debug, Serialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    row: Row,
    members: Vec<Joined>,
    /// How much of what was said has not reached everybody yet.
    waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Arc<Value>>,
}

/// A member.
#[derive(Debug, Serialize)]
pub(super) struct Joined {
    name: Arc<str>,
    agent: AgentId,
}

impl From<&Member> for Joined {
    fn from(member: &Member) -> Self {
        Self { name: Arc::clone(&member.name), agent: member.agent.clone() }
    }
}

/// Makes a room, or finds the one that the same request has made.
pub(super) async fn create(
    visit: Visit,
    Input(Wanted { id, metadata }): Input<Wanted>,
) -> Result<(StatusCode, Json<Row>), Problem> {
    let owner = visit.who.owner();
    let (row, is_new) = visit.runtime.create_room(CreateRoom { id, metadata, owner }).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(row.into())))
}

/// Which rooms, the newest first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    offset: Option<u32>,
}

/// The answer of `GET /api/rooms`.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    rooms: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

pub(super) async fn list(visit: Visit, Asked(filter): Asked<Filter>) -> Result<Json<Listed>, Problem> {
    let page = Page::new(filter.limit, filter.offset)?;
    let query = AgentQuery {
        prefix: filter.prefix.map(Into::into),
        template: Some(ROOM.into()),
        tenant: visit.who.tenant().cloned(),
        archived: filter.archived,
        skip: page.skip,
        most: page.with_one_more(),
        ..AgentQuery::default()
    };
    let (rows, next_offset) = page.cut(visit.store().agents(&query).await?);
    Ok(Json(Listed { rooms: rows.into_iter().map(Into::into).collect(), next_offset }))
}

pub(super) async fn show(Entered { room, .. }: Entered) -> Result<Json<Whole>, Problem> {
    let kept = room.load().await?;
    let (agent, inside) = (kept.agent(), kept.agent().room());
    Ok(Json(Whole {
        row: AgentRow::of(agent, kept.owner(), kept.seq()).into(),
        members: inside.iter().flat_map(|room| room.members()).map(Into::into).collect(),
        waiting: inside.map_or(0, |room| room.waiting()),
        metadata: agent.config().metadata.clone(),
    }))
}

/// Puts a room away, or removes it with everything that was said in it. Doing so twice is doing so once.
pub(super) async fn remove(
    Entered { found, .. }: Entered,
    Asked(Removal { purge }): Asked<Removal>,
) -> Result<StatusCode, Problem> {
    if purge {
        found.runtime.purge(found.id()).await?;
        tracing::info!(room = %found.id(), by = found.who.name(), "a room was removed with all that was said in it");
        return Ok(StatusCode::NO_CONTENT);
    }
    let by = found.who.name().into();
    match found.runtime.command(found.id(), Archive { by }).await {
        Ok(_) | Err(AgentError::Refused(Refused::Archived)) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}

/// The answer of `GET …/members`.
#[derive(Debug, Serialize)]
pub(super) struct Members {
    members: Vec<Joined>,
}

pub(super) async fn members(Entered { room, .. }: Entered) -> Result<Json<Members>, Problem> {
    let members = room.members().await?;
    Ok(Json(Members { members: members.iter().map(Into::into).collect() }))
}

/// The body of `POST …/members`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Joining {
    name: String,
    agent: AgentId,
}

/// Has an agent join that the caller may see. Twice is once.
pub(super) async fn join(
    Entered { found, room }: Entered,
    Input(Joining { name, agent }): Input<Joining>,
) -> Result<(StatusCode, Json<Joined>), Problem> {
    let Found { runtime, who, .. } = found;
    let agent = Visit { runtime, who }.find(agent).await?;
    let member = room.join(&name, agent.id()).await?;
    Ok((StatusCode::CREATED, Json((&member).into())))
}

/// The member of the path.
#[derive(Debug)]
pub(super) struct Named(String);

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        of_path(parts, app, "member").await.map(Self)
    }
}

pub(super) async fn leave(Entered { room, .. }: Entered, Named(name): Named) -> Result<StatusCode, Problem> {
    room.leave(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of `POST …/messages`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saying {
    from: Arc<str>,
    text: Arc<str>,
    /// Nobody here: those who are mentioned in the text, else all.
    #[serde(default)]
    to: Arc<[Arc<str>]>,
}

/// Something that was said.
#[derive(Debug, Serialize)]
pub(super) struct Heard {
    message_id: MessageId,
    bookmark: Bookmark,
    from: Arc<str>,
    text: Arc<str>,
    to: Vec<Arc<str>>,
}

impl From<Said> for Heard {
    fn from(Said { id, bookmark, from, text, to }: Said) -> Self {
        Self { message_id: id, bookmark, from, text, to }
    }
}

/// Says something: it is durable, and on its way to those whom it is for.
pub(super) async fn say(
    State(app): State<Arc<App>>,
    Entered { room, .. }: Entered,
    headers: HeaderMap,
    Input(Saying { from, text, to }): Input<Saying>,
) -> Result<(StatusCode, Json<Heard>), Problem> {
    let id = Some(name(&app, &headers)?);
    let said = room.say(Say { id, from, text, only: to }).await?;
    Ok((StatusCode::ACCEPTED, Json(said.into())))
}

/// Since when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    #[serde(default)]
    since: u64,
    #[serde(default)]
    limit: Option<u32>,
}

/// The answer of `GET …/messages`.
#[derive(Debug, Serialize)]
pub(super) struct History {
    messages: Vec<Heard>,
    /// Where there may be more: what to ask for next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_since: Option<u64>,
}

pub(super) async fn history(
    Entered { room, .. }: Entered,
    Asked(Since { since, limit }): Asked<Since>,
) -> Result<Json<History>, Problem> {
    let page = Page::new(limit, None)?;
    let most = usize::try_from(page.with_one_more()).unwrap_or(usize::MAX);
    let (said, next) = page.cut(room.history(since, most).await?);
    let next_since = next.and_then(|_| said.last()).map(|said| said.bookmark.seq);
    Ok(Json(History { messages: said.into_iter().map(Into::into).collect(), next_since }))
}
