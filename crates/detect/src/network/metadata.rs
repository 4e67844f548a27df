//! The metadata services of the clouds: whoever reaches one has the machine's credentials.
//!
//! From the vendors' documentation, read in November 2025.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ADDRESSES: [(IpAddr, &str); 14] = [
    (IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), "most clouds"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)), "AWS containers"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)), "AWS pods"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)), "Tencent Cloud"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)), "Scaleway"),
    (IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), "Alibaba Cloud"),
    (IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), "Azure"),
    (IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)), "Oracle Cloud"),
    (IpAddr::V6(Ipv6Addr::new(0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254)), "AWS"),
    (IpAddr::V6(Ipv6Addr::new(0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x23)), "AWS pods"),
    (IpAddr::V6(Ipv6Addr::new(0xFD20, 0xCE, 0, 0, 0, 0, 0, 0x254)), "Google Cloud"),
    (IpAddr::V6(Ipv6Addr::new(0xFD00, 0x42, 0, 0, 0, 0, 0, 0x42)), "Scaleway"),
    (IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0xA9FE, 0xA9FE)), "OpenStack"),
    (IpAddr::V6(Ipv6Addr::new(0xFD00, 0xC1, 0, 0, 0, 0, 0xA9FE, 0xA9FE)), "Oracle Cloud"),
];

/// In lower case, without a dot at the end.
const NAMES: [(&str, &str); 12] = [
    ("metadata.google.internal", "Google Cloud"),
    ("metadata.goog", "Google Cloud"),
    ("metadata", "Google Cloud"),
    ("instance-data", "AWS"),
    ("instance-data.ec2.internal", "AWS"),
    ("metadata.azure.com", "Azure"),
    ("metadata.azure.internal", "Azure"),
    ("metadata.tencentyun.com", "Tencent Cloud"),
    ("metadata.oraclecloud.com", "Oracle Cloud"),
    ("metadata.platformequinix.com", "Equinix Metal"),
    ("metadata.packet.net", "Equinix Metal"),
    ("rancher-metadata", "Rancher"),
];

/// Whose metadata service the address is.
pub(super) fn owner_of_address(address: IpAddr) -> Option<&'static str> {
    ADDRESSES.iter().find(|(known, _)| *known == address).map(|(_, owner)| *owner)
}

/// Whose metadata service the name is.
pub(super) fn owner_of_name(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, owner)| *owner)
}
