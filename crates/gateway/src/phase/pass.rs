//! Pass: whether a path that no wire format claims may be passed through for this caller.
//!
//! Such a path goes out with the operator's key, and many of them reach the whole account behind it: files, batches,
//! fine-tunings, vector stores. Callers of one team share these; tenants must not see, or delete, each other's.

use http::Method;
use seawall_types::Code;

use crate::accepted::Accepted;
use crate::refusal::Refusal;
use crate::{Caller, Snapshot};

/// What is computed and forgotten, and lists that are the same for everybody.
const HOLDING_NOTHING: [&str; 8] = [
    "/v1/models",
    "/v1beta/models",
    "/v1beta/openai/models",
    "/v1/moderations",
    "/v1/images",
    "/v1/audio",
    "/v1/engines",
    "/v1/rerank",
];

/// Stored, but under names that nobody can guess or list.
const NAMED_IN_SECRET: &str = "/v1/responses";

/// Where OpenAI takes websockets for its realtime models.
const REALTIME: &str = "/v1/realtime";

/// Whether the request may pass, as far as its path tells.
pub(crate) fn pass(snapshot: &Snapshot, accepted: &Accepted, caller: &Caller) -> Result<(), Refusal> {
    if !reaches_the_account(accepted) {
        return Ok(());
    }
    let may = match &snapshot.settings.passthrough {
        Some(listed) => listed.iter().any(|pattern| pattern.matches(&accepted.path)),
        None => caller.actor.tenant.is_none() || is_nobodys(&accepted.method, &accepted.path),
    };
    if may {
        return Ok(());
    }
    let message = format!("{} is not passed through here", accepted.path);
    let remedy =
        "it reaches the whole account at the provider; the operator can list it in gateway.passthrough";
    Err(Refusal::new(Code::NotFound, message, remedy))
}

/// Whether it is what the wire formats don't claim. Asking for a websocket changes nothing: an upstream may answer as if
/// nobody had. The one path of websockets that calls a model and nothing else is free of this.
fn reaches_the_account(accepted: &Accepted) -> bool {
    match &accepted.handshake {
        None => accepted.is_passed_through(),
        Some(handshake) => handshake.query_names_model && accepted.path != REALTIME,
    }
}

/// Whether nothing of the account can be seen or changed by it. Other spellings of these paths don't count as them.
fn is_nobodys(method: &Method, path: &str) -> bool {
    let is_within =
        |place: &&str| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let harmless = [Method::GET, Method::HEAD, Method::POST].contains(method);
    is_within(&NAMED_IN_SECRET) || (harmless && HOLDING_NOTHING.iter().any(is_within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_the_account_is_somebodys() {
        for (method, path, nobodys) in [
            (Method::GET, "/v1/models", true),
            (Method::GET, "/v1/models/gpt-4o", true),
            (Method::DELETE, "/v1/models/ft:gpt-4o:org", false),
            (Method::POST, "/v1/images/generations", true),
            (Method::POST, "/v1beta/models/imagen:predict", true),
            (Method::DELETE, "/v1/responses/resp_1", true),
            (Method::GET, "/v1/files", false),
            (Method::POST, "/v1/batches", false),
            (Method::GET, "/v1/modelsx", false),
            (Method::GET, "/v1/MODELS", false),
            (Method::POST, "/v1/messages/batches", false),
            (Method::POST, "/upload/v1beta/files", false),
        ] {
            assert_eq!(is_nobodys(&method, path), nobodys, "{method} {path}");
        }
    }
}
