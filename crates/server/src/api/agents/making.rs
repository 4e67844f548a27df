//! `/api/agents`, `/api/agents/{id}`: making, finding, putting away and removing agents.

use axum::Json;
use http::StatusCode;
use seawall_engine::{AgentId, AgentState, Archive, Refused};
use seawall_runtime::{AgentError, CreateAgent};
use seawall_store::agents::{AgentOrder, AgentQuery};
use seawall_types::{Code, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::face::Face;
use super::found::{Found, Visit};
use super::input::{Asked, Input, Page};
use crate::access::Admitted;
use crate::problem::Problem;

/// The body of `POST /api/agents`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    id: Option<AgentId>,
    template: String,
    #[serde(default)]
    template_version: Option<String>,
    #[serde(default)]
    overrides: Option<Value>,
    #[serde(default)]
    metadata: Option<Value>,
}

/// What reaches beyond an agent, or beyond what its template lets it do: folders of this machine, addresses that are called
/// from it, tools, and what may be used up.
const THE_OPERATORS: [&str; 6] = ["sandbox", "http_tools", "skills", "tools", "subagents", "limits"];

/// Permissions that ask more than a template does, or as much.
const STRICTER: [&str; 2] = ["approval", "readonly"];

/// Whether a caller may change these keys of a template. One of a tenant is not trusted with the machine that others share.
fn verify(who: &Admitted, overrides: Option<&Value>) -> Result<(), Problem> {
    let Some(overrides) = overrides.filter(|_| who.tenant().is_some()) else { return Ok(()) };
    let forbidden = THE_OPERATORS.iter().find(|key| overrides.get(**key).is_some());
    let is_laxer = || overrides.get("permission").is_some_and(|permission| !is_stricter(permission));
    let Some(key) = forbidden.copied().or_else(|| is_laxer().then_some("permission")) else { return Ok(()) };
    let detail =
        format!("a key of a tenant can't override {key}: it is the operator's what agents may do and use");
    let remedy = format!("leave overrides.{key} out, or have the operator write a template with it");
    let errors = vec![(format!("/overrides/{key}"), detail.clone())];
    Err(Problem { errors, ..Problem::new(Code::Forbidden, detail, remedy) })
}

/// Whether nothing but a mode is said, and that one of those that let nothing through.
fn is_stricter(permission: &Value) -> bool {
    let mode = permission.get("mode").and_then(Value::as_str);
    let is_alone = permission.as_object().is_some_and(|fields| fields.len() == 1);
    is_alone && mode.is_some_and(|mode| STRICTER.contains(&mode))
}

/// Makes an agent, or finds the one that the same request has made: two requests never make two.
pub(super) async fn create(
    visit: Visit,
    Input(wanted): Input<Wanted>,
) -> Result<(StatusCode, Json<Face>), Problem> {
    let Wanted { id, template, template_version, overrides, metadata } = wanted;
    verify(&visit.who, overrides.as_ref())?;
    let owner = visit.who.owner();
    let request = CreateAgent { id, template, template_version, overrides, metadata, owner };
    let (row, is_new) = visit.runtime.create(request).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(row.into())))
}

/// Which agents, in which order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    template: Option<String>,
    #[serde(default)]
    state: Option<AgentState>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(default)]
    order: Order,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    offset: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Newest,
    Oldest,
    Active,
    Name,
}

impl From<Order> for AgentOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Newest => Self::Newest,
            Order::Oldest => Self::Oldest,
            Order::Active => Self::Active,
            Order::Name => Self::Name,
        }
    }
}

/// The answer of `GET /api/agents`.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    agents: Vec<Face>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

pub(super) async fn list(visit: Visit, Asked(filter): Asked<Filter>) -> Result<Json<Listed>, Problem> {
    let page = Page::new(filter.limit, filter.offset)?;
    let query = AgentQuery {
        prefix: filter.prefix.map(Into::into),
        template: filter.template.map(Into::into),
        tenant: visit.who.tenant().cloned(),
        state: filter.state,
        archived: filter.archived,
        from: filter.from,
        until: filter.until,
        order: filter.order.into(),
        skip: page.skip,
        most: page.with_one_more(),
    };
    let (rows, next_offset) = page.cut(visit.store().agents(&query).await?);
    Ok(Json(Listed { agents: rows.into_iter().map(Into::into).collect(), next_offset }))
}

pub(super) async fn show(found: Found) -> Result<Json<Face>, Problem> {
    Ok(Json(Face::whole(&found.runtime.load(found.id()).await?)))
}

/// How an agent is to go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    #[serde(default)]
    pub(super) purge: bool,
}

/// Puts an agent away, or removes it with everything of it. Doing so twice is doing so once.
pub(super) async fn remove(
    found: Found,
    Asked(Removal { purge }): Asked<Removal>,
) -> Result<StatusCode, Problem> {
    if purge {
        found.runtime.purge(found.id()).await?;
        tracing::info!(agent = %found.id(), by = found.who.name(), "an agent was removed with all its data");
        return Ok(StatusCode::NO_CONTENT);
    }
    let by = found.who.name().into();
    match found.runtime.command(found.id(), Archive { by }).await {
        Ok(_) | Err(AgentError::Refused(Refused::Archived)) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}
