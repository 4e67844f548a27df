//! A request to a server elsewhere: its method and body, headers of the protocol, and those that are configured.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

use crate::server::is_of_protocol;

/// Headers of the protocol that repeat arguments of a call.
pub(super) const OF_ARGUMENTS: &str = "mcp-param-";

/// A request. Nothing goes out that a caller sent but the protocol's own headers: no key, no cookie, no address.
/// `is_changed`: arguments were replaced, so that headers which repeat them would tell what was taken out.
pub(super) fn outgoing(
    url: &Uri,
    configured: &HeaderMap,
    of_caller: &HeaderMap,
    (method, body): (Method, Bytes),
    is_changed: bool,
) -> Request<Bytes> {
    let is_post = method == Method::POST;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    for (name, value) in of_caller {
        if is_of_protocol(name) && !(is_changed && name.as_str().starts_with(OF_ARGUMENTS)) {
            headers.append(name.clone(), value.clone());
        }
    }
    let both = HeaderValue::from_static("application/json, text/event-stream");
    headers.insert(ACCEPT, of_caller.get(ACCEPT).cloned().unwrap_or(both));
    // What is compressed can't be looked through.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("seawall/", env!("CARGO_PKG_VERSION"))));
    if is_post {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in configured {
        headers.insert(name.clone(), value.clone());
    }
    request
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn nothing_of_the_caller_goes_on_but_the_protocol() {
        let mut of_caller = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer sk-sw-x"),
            ("x-api-key", "sk-sw-x"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "10.0.0.1"),
            ("origin", "http://localhost"),
            ("mcp-session-id", "s"),
            ("mcp-protocol-version", "2025-11-25"),
            ("mcp-param-city", "Rome"),
            ("last-event-id", "7"),
            ("accept", "text/event-stream"),
        ] {
            of_caller.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let mut configured = HeaderMap::new();
        configured.insert("authorization", HeaderValue::from_static("Bearer theirs"));
        let url = Uri::from_static("http://x/mcp");
        let request = |is_changed| {
            outgoing(&url, &configured, &of_caller, (Method::GET, Bytes::new()), is_changed)
                .into_parts()
                .0
                .headers
        };
        let names = |headers: &HeaderMap| {
            let mut names: Vec<String> = headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names.join(" ")
        };
        let passed = request(false);
        assert_eq!(
            names(&passed),
            "accept accept-encoding authorization last-event-id mcp-param-city mcp-protocol-version mcp-session-id user-agent"
        );
        assert_eq!(passed["authorization"], "Bearer theirs");
        assert_eq!(passed["accept"], "text/event-stream");
        assert!(!names(&request(true)).contains("param"), "it would tell what was replaced");
    }
}
