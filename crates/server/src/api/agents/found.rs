//! Who asks, and which agent they may ask about.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, RawPathParams};
use http::request::Parts;
use seawall_engine::AgentId;
use seawall_runtime::{AgentError, Runtime};
use seawall_store::AgentStore;
use seawall_store::agents::AgentRow;
use seawall_types::Code;

use crate::App;
use crate::access::Admitted;
use crate::problem::Problem;

/// Who asks, where there are agents.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) runtime: Runtime,
    pub(crate) who: Admitted,
}

/// An agent of the path that its caller may see.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) runtime: Runtime,
    pub(crate) who: Admitted,
    pub(crate) row: AgentRow,
}

impl Visit {
    pub(crate) fn store(&self) -> &Arc<dyn AgentStore> {
        self.runtime.store()
    }

    /// The agent of this name, unless it is another tenant's.
    pub(crate) async fn find(self, id: AgentId) -> Result<Found, Problem> {
        let row = self.store().agent(&id).await?;
        let Self { runtime, who } = self;
        match row.filter(|row| may_see(&who, row)) {
            Some(row) => Ok(Found { runtime, who, row }),
            None => Err(AgentError::NotFound(id).into()),
        }
    }
}

/// Whether a caller may see an agent: one without a tenant sees all.
pub(crate) fn may_see(who: &Admitted, row: &AgentRow) -> bool {
    who.tenant().is_none_or(|tenant| row.owner.tenant.as_ref() == Some(tenant))
}

impl Found {
    pub(crate) fn store(&self) -> &Arc<dyn AgentStore> {
        self.runtime.store()
    }

    pub(crate) fn id(&self) -> &AgentId {
        &self.row.id
    }
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        // Without a guard before it nobody would be a caller without a tenant, who sees everything.
        let who = parts.extensions.get::<Admitted>().cloned();
        match (app.parts.agents.clone(), who) {
            (Some(runtime), Some(who)) => Ok(Self { runtime, who }),
            _ => {
                Err(Problem::new(Code::NotFound, "there are no agents here", "ask a server that runs agents"))
            }
        }
    }
}

impl OptionalFromRequestParts<Arc<App>> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Option<Self>, Self::Rejection> {
        Ok(<Self as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await.ok())
    }
}

impl FromRequestParts<Arc<App>> for Found {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let visit = <Visit as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        let id = of_path(parts, app, "id").await?;
        let wrong = |error: seawall_engine::ParseAgentIdError| {
            Problem::input("/id", error.to_string(), "see GET /api/agents for the names that there are")
        };
        visit.find(id.parse().map_err(wrong)?).await
    }
}

/// A part of the path by its name.
pub(crate) async fn of_path(parts: &mut Parts, app: &Arc<App>, name: &str) -> Result<String, Problem> {
    let wrong =
        || Problem::input(&format!("/{name}"), "the path can't be read", "send it percent-encoded UTF-8");
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| wrong())?;
    let found = params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    found.ok_or_else(wrong)
}
