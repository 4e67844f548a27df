//! Who may use our own API.
//!
//! On loopback, with no API key and no authentication configured, it is open. As soon as either exists, a key with a role
//! is wanted, or the token that the command line of the server's owner presents.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use seawall_types::Code;
use std::sync::Arc;

use crate::App;
use crate::problem::Problem;

/// What a caller may do, from little to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Viewer,
    Operator,
    Admin,
}

impl Role {
    fn named(name: &str) -> Option<Self> {
        match name {
            "viewer" => Some(Self::Viewer),
            "operator" => Some(Self::Operator),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// Lets a request through whose caller may make it. Reading needs a viewer, changing an operator, `/admin` an admin.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let needed = match request.method() {
        _ if request.uri().path().starts_with("/admin") => Role::Admin,
        &Method::GET | &Method::HEAD => Role::Viewer,
        _ => Role::Operator,
    };
    match check(&app, request.headers(), needed) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(app: &App, headers: &HeaderMap, needed: Role) -> Result<(), Problem> {
    let gateway = app.gateway();
    let keys = gateway.keys();
    if keys.is_empty() && !gateway.snapshot().key_required {
        return Ok(());
    }
    let presented = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.strip_prefix("Bearer "))
        .or_else(|| headers.get("x-api-key")?.to_str().ok());
    let Some(presented) = presented else {
        return Err(Problem::new(
            Code::Unauthenticated,
            "this route wants an API key with a role",
            "send `Authorization: Bearer sk-sw-…`, made with `seawall keys create --role viewer`",
        ));
    };
    if is_same(presented.as_bytes(), app.parts.token.expose().as_bytes()) {
        return Ok(());
    }
    let now = app.parts.clock.now();
    let caller = keys.find(presented).filter(|caller| {
        caller.revoked_at.is_none_or(|at| at > now) && caller.expires_at.is_none_or(|at| at > now)
    });
    let Some(caller) = caller else {
        return Err(Problem::new(
            Code::Unauthenticated,
            "the API key is not valid",
            "check it with `seawall keys list`",
        ));
    };
    if caller.roles.iter().filter_map(|role| Role::named(role)).max().is_some_and(|role| role >= needed) {
        return Ok(());
    }
    let name = format!("{needed:?}").to_lowercase();
    Err(Problem::new(
        Code::Forbidden,
        format!("this route wants the role {name}"),
        format!("make a key with `seawall keys create --role {name}`"),
    ))
}

/// Compares in a time that does not tell where the first difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
