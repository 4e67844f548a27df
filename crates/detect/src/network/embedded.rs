//! IPv4 addresses inside of IPv6 ones: a packet to the one ends at the other.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Every IPv4 address that `address` holds, by whichever rule; most hold none.
pub(super) fn embedded(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let s = address.segments();
    let o = address.octets();
    let low = pair(s[6], s[7]);
    let mapped_or_compatible = matches!(s, [0, 0, 0, 0, 0, 0 | 0xFFFF, ..]) && address.to_bits() > 1;
    // RFC 2765: "IPv4-translated", of old translators.
    let translated = matches!(s, [0, 0, 0, 0, 0xFFFF, 0, ..]);
    // RFC 6052, whose well-known prefix is 96 bits long.
    let nat64 = matches!(s, [0x64, 0xFF9B, 0, 0, 0, 0, ..]);
    // RFC 8215: a network may choose any length of prefix within; the octet 8 of the shorter ones is left out.
    let local = s.starts_with(&[0x64, 0xFF9B, 1]);
    // RFC 5214: the interface's part of any address.
    let isatap = matches!(s[4], 0 | 0x0200) && s[5] == 0x5EFE;
    [
        (mapped_or_compatible || translated || nat64 || local || isatap).then_some(low),
        local.then_some(Ipv4Addr::new(o[6], o[7], o[9], o[10])),
        local.then_some(Ipv4Addr::new(o[7], o[9], o[10], o[11])),
        local.then_some(Ipv4Addr::new(o[9], o[10], o[11], o[12])),
        // RFC 3056: 6to4.
        (s[0] == 0x2002).then_some(pair(s[1], s[2])),
        // RFC 4380: Teredo, its server and its client, which is written inverted.
        s.starts_with(&[0x2001, 0]).then_some(pair(s[2], s[3])),
        s.starts_with(&[0x2001, 0]).then_some(pair(!s[6], !s[7])),
    ]
    .into_iter()
    .flatten()
}

fn pair(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_holds_is_seen() {
        for (address, holds) in [
            ("::ffff:10.0.0.1", &["10.0.0.1"][..]),
            ("::10.0.0.1", &["10.0.0.1"]),
            ("::ffff:0:10.0.0.1", &["10.0.0.1"]),
            ("64:ff9b::10.0.0.1", &["10.0.0.1"]),
            ("64:ff9b:1:a00::100:0", &["1.0.0.0", "10.0.0.0", "0.0.0.0", "0.0.0.1"]),
            ("2002:a00:1::1", &["10.0.0.1"]),
            ("2001:0:808:808::f5ff:fffe", &["8.8.8.8", "10.0.0.1"]),
            ("fe80::5efe:10.0.0.1", &["10.0.0.1"]),
            ("2606:4700::200:5efe:a00:1", &["10.0.0.1"]),
            ("2606:4700::1111", &[]),
            ("::1", &[]),
            ("::", &[]),
        ] {
            let found: Vec<String> =
                embedded(address.parse().unwrap()).map(|held| held.to_string()).collect();
            for held in holds {
                assert!(found.iter().any(|found| found == held), "{address}: {found:?}");
            }
            assert_eq!(found.is_empty(), holds.is_empty(), "{address}: {found:?}");
        }
    }
}
