//! Names that say themselves where they lead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names, with all below them, that are never the internet's: RFC 6761, 6762, 8375, ICANN's resolution 2024.07.29.06
/// (`internal`), RFC 6762 appendix G, the service names of Kubernetes (`svc`) and habit (the others); and public names
/// whose owners lead them, and all below them, to 127.0.0.1 (the last four).
const LOCAL: [&str; 19] = [
    "localhost",
    "local",
    "internal",
    "localdomain",
    "home.arpa",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "cluster.local",
    "ip6-localhost",
    "ip6-loopback",
    "broadcasthost",
    "svc",
    "localtest.me",
    "lvh.me",
    "lacolhost.com",
    "vcap.me",
];

/// Zones that lead to the address in the name below them.
const EMBEDDING: [&str; 6] = ["nip.io", "sslip.io", "xip.io", "traefik.me", "backname.io", "ipq.co"];

/// Why the name leads to this network, when it does. `name` is in lower case and without a dot at its end.
pub(super) fn is_local(name: &str) -> bool {
    // One without a dot is looked up in the machine's own domains first.
    !name.contains('.') || LOCAL.iter().any(|zone| is_below(name, zone) || name == *zone)
}

/// The address that the name says, where its zone leads to that.
pub(super) fn address_in(name: &str) -> Option<IpAddr> {
    let below =
        EMBEDDING.iter().find(|zone| is_below(name, zone)).and_then(|zone| name.strip_suffix(zone))?;
    let below = below.trim_end_matches('.');
    dotted(below).or_else(|| below.split(['.']).find_map(in_label))
}

/// `10.0.0.1`, alone or behind other labels.
fn dotted(below: &str) -> Option<IpAddr> {
    let labels: Vec<&str> = below.split('.').collect();
    labels.windows(4).rev().find_map(|four| four.join(".").parse::<Ipv4Addr>().ok()).map(IpAddr::V4)
}

/// `10-0-0-1`, `app-10-0-0-1`, `0a000001`, `--1` (which is `::1`).
fn in_label(label: &str) -> Option<IpAddr> {
    let parts: Vec<&str> = label.split('-').collect();
    let dashed = parts.windows(4).rev().find_map(|four| four.join(".").parse::<Ipv4Addr>().ok());
    let hexadecimal = || {
        let last = parts.last().filter(|part| part.len() == 8)?;
        u32::from_str_radix(last, 16).ok().map(Ipv4Addr::from_bits)
    };
    let version6 = || label.replace('-', ":").parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    dashed.or_else(hexadecimal).map(IpAddr::V4).or_else(version6)
}

fn is_below(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_says_its_address_is_read() {
        for (name, address) in [
            ("127.0.0.1.nip.io", "127.0.0.1"),
            ("app.10.0.0.1.nip.io", "10.0.0.1"),
            ("10-0-0-1.sslip.io", "10.0.0.1"),
            ("www-192-168-1-250.sslip.io", "192.168.1.250"),
            ("a.b-10-0-0-1.nip.io", "10.0.0.1"),
            ("7f000001.nip.io", "127.0.0.1"),
            ("app-c0a801fc.nip.io", "192.168.1.252"),
            ("--1.sslip.io", "::1"),
            ("fd00--1.sslip.io", "fd00::1"),
        ] {
            assert_eq!(address_in(name), Some(address.parse().unwrap()), "{name}");
        }
        for name in ["nip.io", "www.nip.io", "10.0.0.1.example.com", "a-b-c-d.nip.io"] {
            assert_eq!(address_in(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_this_network_are_known() {
        for name in [
            "localhost",
            "a.localhost",
            "printer.local",
            "x.internal",
            "router",
            "nas.home.arpa",
            "api.default.svc",
            "lvh.me",
            "a.localtest.me",
        ] {
            assert!(is_local(name), "{name}");
        }
        for name in
            ["example.com", "localhost.com", "local.example.com", "thelocal.se", "internal.example.org"]
        {
            assert!(!is_local(name), "{name}");
        }
    }
}
