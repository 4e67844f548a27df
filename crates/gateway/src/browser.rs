//! Requests that a web page makes a browser send.
//!
//! Where no key is wanted (on loopback) everything on this machine may spend the operator's money, and that includes the
//! browser, which any page of any site can make send a request. What browsers say of themselves (Fetch Metadata, `Origin`)
//! can't be forged by a page, and SDKs don't send it.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of another site, or one that pretends to be of this machine by its name (DNS rebinding), is behind the
/// request.
#[must_use]
pub fn is_foreign_page(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let (site, origin) = (text(&SEC_FETCH_SITE), text(&ORIGIN));
    if site.is_none() && origin.is_none() {
        return false;
    }
    let by_site = site.is_some_and(|site| !matches!(site, "same-origin" | "same-site" | "none"));
    let by_origin =
        origin.is_some_and(|origin| !origin.split_once("://").is_some_and(|(_, host)| is_local(host)));
    let by_host = text(&HOST).is_some_and(|host| !is_local(host));
    by_site && !origin.is_some_and(|origin| origin.split_once("://").is_some_and(|(_, host)| is_local(host)))
        || by_origin
        || by_host
}

/// Whether a host, with or without a port, is this machine by a name that nobody else can give out.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
    fn only_pages_of_this_machine_may_pass_without_a_key() {
        for (pairs, foreign) in [
            (&[("host", "127.0.0.1:8000")][..], false),
            (&[("host", "gateway.internal")], false),
            (
                &[
                    ("host", "localhost:8000"),
                    ("origin", "http://localhost:3000"),
                    ("sec-fetch-site", "same-site"),
                ],
                false,
            ),
            (
                &[
                    ("host", "127.0.0.1:8000"),
                    ("origin", "http://localhost:3000"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            (&[("host", "[::1]:8000"), ("origin", "http://[::1]:8000")], false),
            (&[("host", "127.0.0.1:8000"), ("sec-fetch-site", "none")], false),
            (
                &[
                    ("host", "127.0.0.1:8000"),
                    ("origin", "https://evil.example"),
                    ("sec-fetch-site", "cross-site"),
                ],
                true,
            ),
            (&[("host", "127.0.0.1:8000"), ("sec-fetch-site", "cross-site")], true),
            (&[("host", "127.0.0.1:8000"), ("origin", "null")], true),
            (
                &[
                    ("host", "evil.example"),
                    ("origin", "http://evil.example"),
                    ("sec-fetch-site", "same-origin"),
                ],
                true,
            ),
            (&[("host", "evil.example"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "127.0.0.1.evil.example"), ("sec-fetch-site", "same-origin")], true),
        ] {
            assert_eq!(is_foreign_page(&headers(pairs)), foreign, "{pairs:?}");
        }
    }
}
