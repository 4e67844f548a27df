//! Addresses that are not the internet's.
//!
//! Source: the IANA registries of special-purpose addresses, IPv4 and IPv6, as of 2024-10-22, column "Globally Reachable",
//! with RFC 6890 and RFC 8190 for its meaning, and RFC 9780 of 2025; multicast by RFC 5771 and RFC 4291. What the registry
//! calls neither true nor false, or has deprecated, counts as not reachable.

use std::net::IpAddr;

/// Addresses with the same beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// The first address; an IPv4 one in the low bits.
    first: u128,
    /// How many bits of the address are the range's, counted in its own family.
    length: u32,
    /// What the range is for, and which RFC says so; `None` when it is reachable from everywhere.
    pub(super) purpose: Option<&'static str>,
}

const fn v4(octets: [u8; 4], length: u32, purpose: &'static str) -> Range {
    Range { first: u32::from_be_bytes(octets) as u128, length, purpose: Some(purpose) }
}

const fn v6(high: u64, length: u32, purpose: &'static str) -> Range {
    Range { first: (high as u128) << 64, length, purpose: Some(purpose) }
}

/// A part of another range that is reachable.
const fn open(range: Range) -> Range {
    Range { purpose: None, ..range }
}

/// IPv4. The first that fits decides, so parts stand before what they are parts of.
pub(super) const IPV4: [Range; 18] = [
    v4([0, 0, 0, 0], 8, "this network, RFC 791"),
    v4([10, 0, 0, 0], 8, "private, RFC 1918"),
    v4([100, 64, 0, 0], 10, "shared by carriers, RFC 6598"),
    v4([127, 0, 0, 0], 8, "loopback, RFC 1122"),
    v4([169, 254, 0, 0], 16, "link-local, RFC 3927"),
    v4([172, 16, 0, 0], 12, "private, RFC 1918"),
    open(v4([192, 0, 0, 9], 32, "port control anycast, RFC 7723")),
    open(v4([192, 0, 0, 10], 32, "TURN anycast, RFC 8155")),
    v4([192, 0, 0, 0], 24, "protocol assignments, RFC 6890"),
    v4([192, 0, 2, 0], 24, "documentation, RFC 5737"),
    v4([192, 88, 99, 0], 24, "6to4 relays, deprecated by RFC 7526"),
    v4([192, 168, 0, 0], 16, "private, RFC 1918"),
    v4([198, 18, 0, 0], 15, "benchmarking, RFC 2544"),
    v4([198, 51, 100, 0], 24, "documentation, RFC 5737"),
    v4([203, 0, 113, 0], 24, "documentation, RFC 5737"),
    v4([224, 0, 0, 0], 4, "multicast, RFC 5771"),
    v4([255, 255, 255, 255], 32, "broadcast, RFC 8190"),
    v4([240, 0, 0, 0], 4, "reserved, RFC 1112"),
];

/// IPv6, likewise. Ranges that hold an IPv4 address are in the table too; what they hold is looked at besides.
pub(super) const IPV6: [Range; 23] = [
    Range { first: 0, length: 128, purpose: Some("unspecified, RFC 4291") },
    Range { first: 1, length: 128, purpose: Some("loopback, RFC 4291") },
    Range { first: 0xFFFF << 32, length: 96, purpose: Some("an IPv4 address in IPv6, RFC 4291") },
    v6(0, 96, "an IPv4 address in IPv6, deprecated by RFC 4291"),
    v6(0x0064_FF9B_0001_0000, 48, "translation to IPv4, RFC 8215"),
    v6(0x0100_0000_0000_0000, 64, "discarded, RFC 6666"),
    v6(0x0100_0000_0000_0001, 64, "dummy, RFC 9780"),
    // Anycast of port control (RFC 7723), TURN (RFC 8155) and service registration (RFC 9665).
    Range { first: (0x2001_0001 << 96) | 1, length: 128, purpose: None },
    Range { first: (0x2001_0001 << 96) | 2, length: 128, purpose: None },
    Range { first: (0x2001_0001 << 96) | 3, length: 128, purpose: None },
    open(v6(0x2001_0003_0000_0000, 32, "AMT, RFC 7450")),
    open(v6(0x2001_0004_0112_0000, 48, "AS112, RFC 7535")),
    open(v6(0x2001_0020_0000_0000, 28, "ORCHIDv2, RFC 7343")),
    open(v6(0x2001_0030_0000_0000, 28, "drones, RFC 9374")),
    v6(0x2001_0000_0000_0000, 23, "protocol assignments, RFC 2928"),
    v6(0x2001_0DB8_0000_0000, 32, "documentation, RFC 3849"),
    v6(0x2002_0000_0000_0000, 16, "6to4, RFC 3056"),
    v6(0x3FFF_0000_0000_0000, 20, "documentation, RFC 9637"),
    v6(0x5F00_0000_0000_0000, 16, "segment routing, RFC 9602"),
    v6(0xFC00_0000_0000_0000, 7, "unique local, RFC 4193"),
    v6(0xFE80_0000_0000_0000, 10, "link-local, RFC 4291"),
    v6(0xFEC0_0000_0000_0000, 10, "site-local, deprecated by RFC 3879"),
    v6(0xFF00_0000_0000_0000, 8, "multicast, RFC 4291"),
];

impl Range {
    fn holds(&self, bits: u128, width: u32) -> bool {
        let below = width - self.length;
        (bits ^ self.first).checked_shr(below).unwrap_or(0) == 0
    }
}

/// What the address is for, when it is not one of the internet's.
pub(super) fn purpose(address: IpAddr) -> Option<&'static str> {
    let (ranges, bits, width) = match address {
        IpAddr::V4(address) => (IPV4.as_slice(), u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (IPV6.as_slice(), address.to_bits(), 128),
    };
    ranges.iter().find(|range| range.holds(bits, width)).and_then(|range| range.purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_the_registry_says() {
        for (address, special) in [
            ("0.0.0.0", true),
            ("1.0.0.0", false),
            ("9.255.255.255", false),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("100.63.255.255", false),
            ("100.64.0.0", true),
            ("100.127.255.255", true),
            ("100.128.0.0", false),
            ("172.15.255.255", false),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.0.0.8", true),
            ("192.0.0.9", false),
            ("192.0.0.10", false),
            ("192.0.0.11", true),
            ("192.0.1.0", false),
            ("192.31.196.1", false),
            ("192.88.99.1", true),
            ("198.17.255.255", false),
            ("198.19.255.255", true),
            ("198.20.0.0", false),
            ("223.255.255.255", false),
            ("224.0.0.0", true),
            ("239.255.255.255", true),
            ("255.255.255.255", true),
            ("8.8.8.8", false),
            ("::", true),
            ("::1", true),
            ("::2", true),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::808:808", false),
            ("64:ff9b:1::808:808", true),
            ("100::1", true),
            ("100:0:0:1::1", true),
            ("100:0:0:2::1", false),
            ("2001::1", true),
            ("2001:1::1", false),
            ("2001:1::4", true),
            ("2001:3::1", false),
            ("2001:20::1", false),
            ("2001:1ff::1", true),
            ("2001:200::1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("2002::1", true),
            ("2606:4700::1111", false),
            ("3fff:fff::1", true),
            ("5f00::1", true),
            ("fbff::1", false),
            ("fc00::1", true),
            ("fdff::1", true),
            ("fe80::1", true),
            ("fec0::1", true),
            ("ff02::1", true),
        ] {
            assert_eq!(purpose(address.parse().unwrap()).is_some(), special, "{address}");
        }
    }

    #[test]
    fn parts_stand_before_what_they_are_parts_of() {
        for (ranges, width) in [(IPV4.as_slice(), 32), (IPV6.as_slice(), 128)] {
            for (index, range) in ranges.iter().enumerate() {
                let hidden = ranges[..index]
                    .iter()
                    .any(|earlier| earlier.length <= range.length && earlier.holds(range.first, width));
                assert!(!hidden, "{range:?} is never reached");
            }
        }
    }
}
