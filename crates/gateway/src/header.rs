//! Which headers pass, in both directions.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, ORIGIN,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, REFERER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use smallvec::SmallVec;

use crate::token::looks_like_token;

/// Headers of one hop, which a proxy must not pass on (RFC 9110 §7.6.1), and those that the obsolete RFC 2616 named.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Where SDKs put the caller's key, each after its own habit.
pub(crate) const CREDENTIALS: [HeaderName; 4] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];

/// What the caller says of itself, or of the account that is to pay: not for an upstream that is called on our account. A
/// configured header can set them.
const OF_THE_CALLER: [HeaderName; 8] = [
    COOKIE,
    FORWARDED,
    ORIGIN,
    REFERER,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("x-goog-user-project"),
];

/// Headers of ours, on answers.
pub(crate) const RUN: HeaderName = HeaderName::from_static("x-seawall-run");
pub(crate) const ACTION: HeaderName = HeaderName::from_static("x-seawall-action");
pub(crate) const VERDICT: HeaderName = HeaderName::from_static("x-seawall-verdict");
pub(crate) const COST: HeaderName = HeaderName::from_static("x-seawall-cost-usd");
pub(crate) const UPSTREAM: HeaderName = HeaderName::from_static("x-seawall-upstream");
pub(crate) const OUTPUT_LIMIT: HeaderName = HeaderName::from_static("x-seawall-output-limit");
pub(crate) const CACHE: HeaderName = HeaderName::from_static("x-seawall-cache");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Takes out what belongs to this hop, with what `Connection` names.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a header is one of ours: in either direction nobody but us sets one.
fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-seawall-")
}

/// The headers of the request as they go upstream. `pass_credentials`: the caller's own key is meant for the provider, and
/// with it goes what the caller says of itself. The answer must be readable to us, so no compression is asked for.
pub(crate) fn towards_upstream(from_client: &HeaderMap, pass_credentials: bool, readable: bool) -> HeaderMap {
    let mut headers = from_client.clone();
    strip_hop_by_hop(&mut headers);
    for name in [HOST, CONTENT_LENGTH, EXPECT] {
        headers.remove(name);
    }
    let stays = |name: &HeaderName, value: &HeaderValue| {
        is_ours(name)
            || carries_our_key(value)
            || !pass_credentials && (CREDENTIALS.contains(name) || is_of_the_caller(name))
    };
    let staying: SmallVec<[HeaderName; 4]> =
        headers.iter().filter(|(name, value)| stays(name, value)).map(|(name, _)| name.clone()).collect();
    for name in staying {
        headers.remove(name);
    }
    if readable {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    headers
}

/// A credential without `Bearer` before it.
pub(crate) fn without_scheme(text: &str) -> &str {
    let text = text.trim();
    match text.split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => credential.trim(),
        _ => text,
    }
}

/// Takes out every credential that is a token. To be called where tokens are ours to check: like our own API keys they
/// never leave us.
pub(crate) fn remove_tokens(headers: &mut HeaderMap) {
    let is_token =
        |value: &HeaderValue| value.to_str().is_ok_and(|text| looks_like_token(without_scheme(text)));
    for name in CREDENTIALS {
        if headers.get_all(&name).iter().any(is_token) {
            headers.remove(name);
        }
    }
}

fn is_of_the_caller(name: &HeaderName) -> bool {
    OF_THE_CALLER.contains(name) || name.as_str().starts_with("x-forwarded-")
}

/// Whether one of our own API keys is in it; they never leave us, whatever the header is called.
fn carries_our_key(value: &HeaderValue) -> bool {
    let prefix = seawall_store::KEY_PREFIX.as_bytes();
    value.as_bytes().windows(prefix.len()).any(|bytes| bytes == prefix)
}

/// The headers of the answer as they go to the client. `same_body`: the body is passed on as it came, so that its length
/// and encoding hold.
pub(crate) fn towards_client(mut headers: HeaderMap, same_body: bool) -> HeaderMap {
    strip_hop_by_hop(&mut headers);
    let ours: SmallVec<[HeaderName; 4]> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    if !same_body {
        headers.remove(CONTENT_LENGTH);
        headers.remove(http::header::CONTENT_ENCODING);
    }
    headers
}

/// The size of a request's headers as they count against the limit.
pub(crate) fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Sets a header, when the value can be one.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: impl TryInto<HeaderValue>) {
    if let Ok(value) = value.try_into() {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn what_belongs_to_a_hop_stays_there() {
        let sent = towards_upstream(
            &headers(&[
                ("connection", "close, x-secret-hop"),
                ("x-secret-hop", "1"),
                ("te", "trailers"),
                ("proxy-authorization", "Basic x"),
                ("accept-encoding", "gzip"),
                ("x-stainless-lang", "python"),
                ("x-seawall-run", "r"),
            ]),
            false,
            true,
        );
        assert_eq!(sent, headers(&[("x-stainless-lang", "python"), ("accept-encoding", "identity")]));
    }

    #[test]
    fn a_key_of_ours_never_goes_upstream() {
        let ours = headers(&[("authorization", "Bearer sk-sw-abc"), ("x-api-key", "sk-sw-abc")]);
        assert!(towards_upstream(&ours, true, false).is_empty());
        let theirs = headers(&[("authorization", "Bearer sk-theirs")]);
        assert_eq!(towards_upstream(&theirs, true, false), theirs);
        assert!(towards_upstream(&theirs, false, false).is_empty());
    }

    #[test]
    fn no_header_takes_a_key_of_ours_along_whatever_it_is_called() {
        let ours = headers(&[
            ("api-key", "sk-sw-abc"),
            ("cookie", "session=sk-sw-abc"),
            ("x-litellm-api-key", "Bearer sk-sw-abc"),
            ("x-note", "caf\u{e9} sk-sw-abc"),
        ]);
        assert!(towards_upstream(&ours, true, false).is_empty());
        let azure = headers(&[("api-key", "theirs")]);
        assert_eq!(towards_upstream(&azure, true, false), azure);
        assert!(towards_upstream(&azure, false, false).is_empty());
    }

    #[test]
    fn what_a_caller_says_of_itself_goes_with_its_own_key_and_not_with_ours() {
        let said = headers(&[
            ("cookie", "c=3"),
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-host", "gateway.example"),
            ("x-real-ip", "192.0.2.1"),
            ("origin", "https://a.example"),
            ("referer", "https://a.example/page"),
            ("openai-organization", "org-1"),
            ("openai-project", "proj-1"),
            ("x-goog-user-project", "p-1"),
        ]);
        assert_eq!(towards_upstream(&said, true, false), said);
        assert!(towards_upstream(&said, false, false).is_empty());
        let beta = headers(&[("openai-beta", "assistants=v2"), ("anthropic-version", "2023-06-01")]);
        assert_eq!(towards_upstream(&beta, false, false), beta);
    }

    #[test]
    fn a_second_header_hides_no_key() {
        let mut two = headers(&[("authorization", "Bearer sk-theirs")]);
        two.append("authorization", HeaderValue::from_static("Bearer sk-sw-abc"));
        assert!(towards_upstream(&two, true, false).is_empty());
    }

    #[test]
    fn tokens_are_taken_out_wherever_they_are() {
        let token = "eyJhbGciOiJFZERTQSJ9.e30.AAAA";
        let theirs = headers(&[("x-api-key", "sk-theirs"), ("x-other", token)]);
        let mut both = theirs.clone();
        both.append("authorization", HeaderValue::from_static("Basic abc"));
        both.append("authorization", format!("bearer  {token}").parse().unwrap());
        both.append("x-goog-api-key", token.parse().unwrap());
        remove_tokens(&mut both);
        assert_eq!(both, theirs);
    }

    #[test]
    fn an_upstream_says_nothing_in_our_name() {
        let answer =
            headers(&[("x-seawall-cost-usd", "0"), ("x-seawall-verdict", "allow"), ("x-other", "1")]);
        assert_eq!(towards_client(answer, true), headers(&[("x-other", "1")]));
    }

    #[test]
    fn several_cookies_stay_several() {
        let mut answer = HeaderMap::new();
        answer.append("set-cookie", HeaderValue::from_static("a=1"));
        answer.append("set-cookie", HeaderValue::from_static("b=2"));
        assert_eq!(towards_client(answer, true).get_all("set-cookie").iter().count(), 2);
    }
}
