//! A URL as it was written, against what a browser reads in it (WHATWG URL Standard).
//!
//! Programs differ in how they read a URL, and an attack lives in the difference. So the standard's parser reads it, and
//! then what was written must be what was read: no second notation of an address, nothing encoded or mapped into place,
//! nothing dropped.

use std::net::{IpAddr, Ipv6Addr};

use seawall_types::{Code, Severity};
use url::{Host, Url};

use crate::Found;

/// In how far a URL could be read in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misread {
    NoUrl,
    NoHost,
    Blank,
    Userinfo,
    Backslash,
    Slashes,
    Notation,
    Encoded,
    Disguised,
    EmptyLabel,
}

impl Misread {
    fn says(self) -> (&'static str, &'static str) {
        const PLAIN: &str = "write the URL as `scheme://host/path`, with the host in plain characters";
        match self {
            Self::NoUrl => ("the text is no URL that can be read safely", PLAIN),
            Self::NoHost => ("the URL names no host, or no port", PLAIN),
            Self::Blank => {
                ("the URL holds control characters, or spaces at its ends, which some programs drop", PLAIN)
            }
            Self::Userinfo => {
                ("the URL holds an `@` before its host, which some programs read differently", PLAIN)
            }
            Self::Backslash => {
                ("the URL holds a backslash before its path, which some programs read as `/`", PLAIN)
            }
            Self::Slashes => ("the URL has not exactly two slashes before its host", PLAIN),
            Self::Notation => (
                "the URL writes an address in a form that programs read differently",
                "write it as `1.2.3.4`",
            ),
            Self::Encoded => ("the URL hides its host behind an encoding", PLAIN),
            Self::Disguised => {
                ("the URL's host is not what it looks like: its characters are replaced by others", PLAIN)
            }
            Self::EmptyLabel => ("the URL's host has an empty part", PLAIN),
        }
    }

    pub(super) fn found(self) -> Found {
        let (message, remedy) = self.says();
        // The URL is not repeated: it may hold a password or a token, and there is no telling where.
        Found {
            code: Code::NetScheme,
            severity: Severity::High,
            message: message.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// What was read.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) scheme: String,
    /// As [`super::Target::host`] says.
    pub(super) host: String,
    pub(super) literal: Option<IpAddr>,
    pub(super) port: u16,
    /// The host as people see it, when it is not ASCII.
    pub(super) unicode: Option<String>,
    pub(super) misread: Vec<Misread>,
}

/// Schemes that name files of this machine, with a host or without.
const NO_NETWORK: [&str; 1] = ["file"];

/// The ports of schemes that the URL standard doesn't know (IANA, Service Name and Port Number Registry).
const PORTS: [(&str, u16); 18] = [
    ("amqp", 5672),
    ("amqps", 5671),
    ("git", 9418),
    ("gopher", 70),
    ("imap", 143),
    ("imaps", 993),
    ("ldap", 389),
    ("ldaps", 636),
    ("mongodb", 27017),
    ("mysql", 3306),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("sftp", 22),
    ("smtp", 25),
    ("ssh", 22),
    ("svn", 3690),
    ("telnet", 23),
];

/// Reads a URL.
pub(super) fn read(text: &str) -> Result<Written, Misread> {
    let url = Url::parse(text).map_err(|_| Misread::NoUrl)?;
    let scheme = url.scheme();
    if NO_NETWORK.contains(&scheme) || !url.has_host() {
        return Err(Misread::NoHost);
    }
    let authority = Authority::of(text)?;
    let mut misread = authority.misread(text);
    let host = host(&url, authority.host)?;
    let port = port(&url).ok_or(Misread::NoHost)?;
    misread.extend(differs(&host, authority.host));
    let (name, literal) = match host {
        Host::Domain(name) => (without_dot(&name).to_ascii_lowercase(), None),
        Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
        Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address))),
    };
    let unicode = name.contains("xn--").then(|| idna::domain_to_unicode(&name).0);
    Ok(Written { scheme: scheme.to_owned(), host: name, literal, port, unicode, misread })
}

/// The host that the standard's parser read. It leaves the hosts of schemes that it doesn't know as they are; a client
/// of such a scheme will not.
fn host(url: &Url, written: &str) -> Result<Host<String>, Misread> {
    match url.host() {
        Some(Host::Domain(name)) if is_special(url.scheme()) => Ok(Host::Domain(name.to_owned())),
        Some(Host::Domain(_)) => Host::parse(written).map_err(|_| Misread::NoUrl),
        Some(Host::Ipv4(address)) => Ok(Host::Ipv4(address)),
        Some(Host::Ipv6(address)) => Ok(Host::Ipv6(address)),
        None => Err(Misread::NoHost),
    }
}

/// "Special scheme" of the URL Standard, section 4.2.
fn is_special(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ws" | "wss" | "ftp")
}

fn port(url: &Url) -> Option<u16> {
    let usual = || PORTS.iter().find(|(scheme, _)| *scheme == url.scheme()).map(|(_, port)| *port);
    url.port_or_known_default().or_else(usual)
}

/// What stands between `//` and the path.
struct Authority<'a> {
    /// Whether `//` stands after the scheme, and no third slash.
    has_two_slashes: bool,
    whole: &'a str,
    /// Without userinfo and port; an IPv6 address with its brackets.
    host: &'a str,
}

impl<'a> Authority<'a> {
    fn of(text: &'a str) -> Result<Self, Misread> {
        let (_, after) = text.split_once(':').ok_or(Misread::NoUrl)?;
        let whole = after.trim_start_matches('/');
        let whole = whole.split(['/', '?', '#']).next().unwrap_or(whole);
        let behind = whole.rsplit_once('@').map_or(whole, |(_, host)| host);
        let host = match behind.split_once(']') {
            Some((address, _)) if address.starts_with('[') => behind.get(..=address.len()).unwrap_or(behind),
            _ => behind.rsplit_once(':').map_or(behind, |(host, _)| host),
        };
        let has_two_slashes = after.starts_with("//") && !after.starts_with("///");
        Ok(Self { has_two_slashes, whole, host })
    }

    fn misread(&self, text: &str) -> Vec<Misread> {
        let is_blank = text.bytes().any(|byte| byte.is_ascii_control()) || text.trim() != text;
        [
            (is_blank, Misread::Blank),
            (!self.has_two_slashes, Misread::Slashes),
            (self.whole.contains('@'), Misread::Userinfo),
            (self.whole.contains('\\'), Misread::Backslash),
        ]
        .into_iter()
        .filter_map(|(is_so, misread)| is_so.then_some(misread))
        .collect()
    }
}

/// In how far what was written is not what was read.
fn differs(read: &Host<String>, written: &str) -> Option<Misread> {
    match read {
        Host::Ipv4(address) => (address.to_string() != written).then_some(Misread::Notation),
        Host::Ipv6(address) => {
            let inside = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let is_same = inside.and_then(|text| text.parse::<Ipv6Addr>().ok()) == Some(*address);
            (!is_same).then_some(Misread::Notation)
        }
        Host::Domain(name) => name_differs(without_dot(name), without_dot(written)),
    }
}

fn name_differs(read: &str, written: &str) -> Option<Misread> {
    if read.split('.').any(str::is_empty) {
        Some(Misread::EmptyLabel)
    } else if read.eq_ignore_ascii_case(written) {
        None
    } else if written.contains('%') {
        Some(Misread::Encoded)
    } else {
        let is_same = written.to_lowercase() == idna::domain_to_unicode(read).0;
        (!is_same).then_some(Misread::Disguised)
    }
}

/// A name with a dot at its end is the same name, written absolutely (RFC 1034, section 3.1).
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_plainly_is_read() {
        for (url, host, port) in [
            ("https://example.com", "example.com", 443),
            ("HTTP://EXAMPLE.com:8080/a?b=c@d#e\\f", "example.com", 8080),
            ("https://example.com./", "example.com", 443),
            ("https://93.184.215.14/", "93.184.215.14", 443),
            ("https://[2606:4700:0::1111]:8443/", "2606:4700::1111", 8443),
            ("https://bücher.example/", "xn--bcher-kva.example", 443),
            ("https://BÜCHER.example/", "xn--bcher-kva.example", 443),
            ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
            ("wss://example.com/socket", "example.com", 443),
            ("redis://cache.example.com", "cache.example.com", 6379),
        ] {
            let written = read(url).unwrap();
            assert_eq!((written.host.as_str(), written.port, written.misread), (host, port, vec![]), "{url}");
        }
    }

    #[test]
    fn what_could_be_read_in_another_way_is_named() {
        for (url, misread) in [
            (" https://example.com", Misread::Blank),
            ("https://exam\tple.com", Misread::Blank),
            ("https://user@example.com", Misread::Userinfo),
            ("https://example.com@evil.example", Misread::Userinfo),
            ("https://example.com\\@evil.example", Misread::Backslash),
            ("https:/example.com", Misread::Slashes),
            ("https:example.com", Misread::Slashes),
            ("https:///example.com", Misread::Slashes),
            ("https://2130706433/", Misread::Notation),
            ("https://1.1/", Misread::Notation),
            ("https://8.8.8.8./", Misread::Notation),
            ("https://①.①.①.①/", Misread::Notation),
            ("https://%65xample.com", Misread::Encoded),
            ("https://ｅxample.com", Misread::Disguised),
            ("https://example。com", Misread::Disguised),
            ("https://a..example.com", Misread::EmptyLabel),
            ("redis://127.1", Misread::Notation),
        ] {
            let written = read(url).unwrap();
            assert!(written.misread.contains(&misread), "{url}: {:?}", written.misread);
        }
        for (url, misread) in [
            ("", Misread::NoUrl),
            ("example.com/a", Misread::NoUrl),
            ("//example.com", Misread::NoUrl),
            ("https://", Misread::NoUrl),
            ("https://[fe80::1%25eth0]/", Misread::NoUrl),
            ("https://256.256.256.256/", Misread::NoUrl),
            ("file:///etc/passwd", Misread::NoHost),
            ("file://server/share", Misread::NoHost),
            ("data:text/plain,a", Misread::NoHost),
            ("javascript:alert(1)", Misread::NoHost),
            ("unknown://example.com/", Misread::NoHost),
        ] {
            assert_eq!(read(url).unwrap_err(), misread, "{url}");
        }
    }
}
