//! Who may use our own API.
//!
//! From loopback, with no API key and no authentication configured, it is open, but not to pages of other sites. As soon as
//! either exists, a key or a JWT with a role is wanted, or the password that the command line of the server's owner
//! presents.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method};
use seawall_gateway::{Caller, Register, is_foreign_page, presented};
use seawall_store::agents::Owner;
use seawall_types::Code;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

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
pub(crate) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let needed = match request.method() {
        _ if request.uri().path().starts_with("/admin") => Role::Admin,
        &Method::GET | &Method::HEAD => Role::Viewer,
        _ => Role::Operator,
    };
    match admit(&app, &request, needed) {
        Ok(caller) => {
            request.extensions_mut().insert(Admitted(caller));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Who calls, when they may and not too often. The owner's command line is not counted: what locks everybody out is to be ended
/// with it.
fn admit(app: &App, request: &Request, needed: Role) -> Result<Option<Arc<Caller>>, Problem> {
    let (path, headers) = (request.uri().path(), request.headers());
    if is_owner(app, headers) {
        return Ok(None);
    }
    let peer = request.extensions().get::<SocketAddr>();
    let address = peer.map(|peer| app.gateway().client_address(peer.ip(), headers));
    arrive(app, path, address)?;
    let caller = check(app, headers, address, needed)?;
    take_rate(app, path, address, caller.as_deref())?;
    Ok(caller)
}

/// Whether this is who can read the password in the data directory.
fn is_owner(app: &App, headers: &HeaderMap) -> bool {
    let password = app.parts.token.expose().as_bytes();
    presented(headers).iter().any(|text| is_same(text.as_bytes(), password))
}

/// Who was let through; nobody in particular on an open server, and for its owner's command line.
#[derive(Debug, Clone)]
pub(crate) struct Admitted(Option<Arc<Caller>>);

impl Admitted {
    /// How it is written down who did something.
    pub(crate) fn name(&self) -> String {
        let key = self.0.as_ref().and_then(|caller| caller.actor.key.as_deref());
        key.map_or_else(|| "operator".to_owned(), |key| format!("key:{key}"))
    }

    /// Whether the caller may change anything, and not only look.
    pub(crate) fn may_change(&self) -> bool {
        self.0.as_ref().is_none_or(|caller| rank(caller) >= Some(Role::Operator))
    }

    /// Whether the caller would be let through now, who was let through before: keys end, and are revoked.
    pub(crate) fn is_good_still(&self, app: &App) -> bool {
        let Some(caller) = &self.0 else { return true };
        let keys = app.gateway().keys();
        let known = caller.actor.key.as_deref().and_then(|name| keys.by_name(name));
        // What is no key of ours is a token, which says itself when it ends.
        known.unwrap_or(caller).verify_at(app.parts.clock.now()).is_ok()
    }

    /// Takes one more request of the caller's from the rates of a route, beside the one by which it was let through.
    pub(crate) fn take_rate(&self, app: &App, path: &str, address: Option<IpAddr>) -> Result<(), Problem> {
        take_rate(app, path, address, self.0.as_deref())
    }

    /// The tenant whose agents alone the caller may see. `None`: those of all.
    pub(crate) fn tenant(&self) -> Option<&Arc<str>> {
        self.0.as_ref().and_then(|caller| caller.actor.tenant.as_ref())
    }

    /// Whose an agent is that the caller makes.
    pub(crate) fn owner(&self) -> Owner {
        let key = self.0.as_ref().and_then(|caller| caller.actor.key.clone());
        Owner { tenant: self.tenant().cloned(), key, request: None }
    }
}

fn arrive(app: &App, path: &str, address: Option<IpAddr>) -> Result<(), Problem> {
    let Some(address) = address else { return Ok(()) };
    app.gateway().arrive_at_own_route(path, address).map_err(too_many)
}

fn too_many(wait: Duration) -> Problem {
    let remedy = "wait as Retry-After says, or raise the rate limit";
    Problem::new(Code::RateLimited, "too many requests in a minute", remedy).retry_after(wait)
}

fn take_rate(app: &App, path: &str, address: Option<IpAddr>, caller: Option<&Caller>) -> Result<(), Problem> {
    let Some(address) = address else { return Ok(()) };
    app.gateway().take_own_rate(path, address, caller).map_err(too_many)
}

/// Who calls, when they may; nobody in particular on an open server.
fn check(
    app: &App,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    needed: Role,
) -> Result<Option<Arc<Caller>>, Problem> {
    let (keys, snapshot) = (app.gateway().keys(), app.gateway().snapshot());
    let is_here = peer.is_some_and(|address| address.is_loopback()) && !is_foreign_page(headers);
    if is_here && keys.is_empty() && !snapshot.key_required && snapshot.tokens.is_none() {
        return Ok(None);
    }
    let shown = presented(headers);
    let register = Register { keys: &keys, tokens: snapshot.tokens.as_deref() };
    // A request whose address is not known comes from nowhere that a key allows.
    let address = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let known = register
        .identify(&shown, address, app.parts.clock.now())
        .map_err(|error| Problem::new(error.code(), error.to_string(), error.remedy()))?;
    let Some(caller) = known else {
        return Err(Problem::new(
            Code::Unauthenticated,
            "this route wants an API key with a role",
            "send `Authorization: Bearer sk-sw-…`, made with `seawall keys create --role viewer`, or a JWT with a role",
        ));
    };
    if rank(&caller) >= Some(needed) {
        return Ok(Some(caller));
    }
    let name = format!("{needed:?}").to_lowercase();
    Err(Problem::new(
        Code::Forbidden,
        format!("this route wants the role {name}"),
        format!(
            "make a key with `seawall keys create --role {name}`, or have the token's issuer give the role"
        ),
    ))
}

/// The most that a caller may do.
fn rank(caller: &Caller) -> Option<Role> {
    caller.roles.iter().filter_map(|role| Role::named(role)).max()
}

/// Compares in a time that does not tell where the first difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
