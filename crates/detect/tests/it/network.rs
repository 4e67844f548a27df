//! URLs and addresses: what is not the internet's is found in every notation, and plain URLs pass.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use seawall_detect::network::{HostPattern, NetworkRules, Private, Target};
use seawall_types::Code;

/// The special-purpose blocks of IANA that are not globally reachable, multicast, and Azure's metadata service.
const SPECIAL: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/29",
    "192.0.0.170/31",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "168.63.129.16/32",
];

const SPECIAL_IPV6: [&str; 21] = [
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/32",
    "2001:2::/48",
    "2001:10::/28",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "2001::/23",
];

fn hosts(patterns: &[&str]) -> Option<Vec<HostPattern>> {
    Some(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
}

fn codes(rules: &NetworkRules, url: &str) -> Vec<Code> {
    rules.judge_url(url).found.into_iter().map(|found| found.code).collect()
}

fn is_refused_as_special(rules: &NetworkRules, url: &str) -> bool {
    codes(rules, url).iter().any(|code| matches!(code, Code::NetPrivateAddress | Code::NetMetadataService))
}

fn target(host: &str) -> Target {
    let literal = host.parse().ok();
    Target { scheme: "https".into(), host: host.into(), port: 443, literal }
}

fn addresses(rules: &NetworkRules, host: &str, addresses: &[&str]) -> Vec<Code> {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    rules.judge_addresses(&target(host), &addresses).into_iter().map(|found| found.code).collect()
}

/// The address in every notation that some client takes for it.
fn notations(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let whole = address.to_bits();
    let (x, y) = (whole >> 16, whole & 0xFFFF);
    let digits = |from: char| -> String {
        let replace = |digit: char| char::from_u32(u32::from(from) + digit.to_digit(10)?);
        address.to_string().chars().map(|digit| replace(digit).unwrap_or(digit)).collect()
    };
    let circled: String = address
        .to_string()
        .chars()
        .map(|digit| match digit.to_digit(10) {
            Some(0) => '⓪',
            Some(value) => char::from_u32('①' as u32 + value - 1).unwrap(),
            None => digit,
        })
        .collect();
    let encoded: String = address.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        address.to_string(),
        format!("{address}."),
        format!("{whole}"),
        format!("{whole:#x}"),
        format!("{whole:#o}").replacen("0o", "0", 1),
        format!("{a}.{}", whole & 0xFF_FFFF),
        format!("{a}.{b}.{}", whole & 0xFFFF),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.0x{b:x}.{c}.{d}"),
        format!("0X{a:X}.{b}.0{c:o}.{d}"),
        address.to_string().replace('.', "。"),
        address.to_string().replace('.', "．"),
        digits('\u{FF10}'),
        digits('\u{1D7D8}'),
        circled,
        encoded,
        format!("[::ffff:{address}]"),
        format!("[::ffff:{x:x}:{y:x}]"),
        format!("[0:0:0:0:0:ffff:{address}]"),
        format!("[::{address}]"),
        format!("[::ffff:0:{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[64:ff9b:1::{address}]"),
        format!("[2002:{x:x}:{y:x}::1]"),
        format!("[2001:0:808:808::{:x}:{:x}]", !x & 0xFFFF, !y & 0xFFFF),
        format!("[2606:4700::5efe:{address}]"),
        format!("[2606:4700::200:5efe:{address}]"),
        format!("{address}.nip.io"),
        format!("app.{address}.sslip.io."),
        format!("www-{a}-{b}-{c}-{d}.nip.io"),
        format!("{whole:08x}.nip.io"),
    ]
}

fn in_each(networks: &[&str]) -> Vec<IpAddr> {
    let ends = |network: &&str| {
        let network: ipnet::IpNet = network.parse().unwrap();
        [network.network(), network.broadcast()]
    };
    networks.iter().flat_map(ends).collect()
}

#[test]
fn no_notation_of_a_special_ipv4_address_passes() {
    let rules = NetworkRules::default();
    let mut tried = 0;
    for address in in_each(&SPECIAL) {
        let IpAddr::V4(address) = address else { unreachable!() };
        for host in notations(address) {
            for (scheme, after) in [("http", ""), ("https", ":8443/a"), ("redis", "/"), ("ftp", "?a")] {
                let url = format!("{scheme}://{host}{after}");
                let judged = rules.judge_url(&url);
                assert!(!judged.found.is_empty(), "{url} leads to {address}, and passed");
                // What the standard's parser can't read, or reads as a name, is refused for that.
                let is_unreadable = judged.target.is_none();
                assert!(is_unreadable || is_refused_as_special(&rules, &url), "{url}: {:?}", judged.found);
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 18 * 2 * 32 * 4);
}

#[test]
fn the_usual_disguises_are_refused_for_what_they_lead_to() {
    for url in [
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://localhost./",
        "http://foo.localhost/",
        "http://127.0.0.1.nip.io/",
        "http://metadata.google.internal/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::]/",
        "http://[::1]:80/",
        "http://0/",
        "http://[fd00:ec2::254]/",
        "http://user:pass@127.0.0.1/",
        "http://printer.local/",
        "http://redis:6379/",
        "http://%31%32%37.0.0.1/",
    ] {
        assert!(is_refused_as_special(&NetworkRules::default(), url), "{url}");
    }
}

#[test]
fn no_special_ipv6_address_passes() {
    let rules = NetworkRules::default();
    for address in in_each(&SPECIAL_IPV6) {
        assert!(is_refused_as_special(&rules, &format!("http://[{address}]/")), "{address}");
        // A name may lead to a public IPv4 address that is mapped: that is the address itself, as the system gives it.
        let is_mapped_public = address.to_canonical().is_ipv4() && address.to_string().ends_with(":0:0");
        assert!(
            is_mapped_public || !addresses(&rules, "example.com", &[&address.to_string()]).is_empty(),
            "{address}"
        );
    }
}

#[test]
fn plain_urls_pass() {
    let rules = NetworkRules::default();
    for url in [
        "https://api.openai.com/v1/chat/completions",
        "https://example.com",
        "HTTP://Example.COM:8080/a%20b?c=d@e#f",
        "https://8.8.8.8/dns-query",
        "https://1.1.1.1",
        "https://[2606:4700:4700::1111]/",
        "https://192.0.0.9/",
        "https://bücher.example/a",
        "https://xn--bcher-kva.example/",
        "https://例え.jp/",
        "https://москва.рф/",
        "https://sub.domain.example.co.uk./x",
        "https://a-b_c.example.com/",
        "https://example.com/%2e%2e/\\x",
        "https://8.8.8.8.nip.io/",
        "wss://stream.example.com",
        "https://172.32.0.1/",
        "https://11.0.0.1/",
        "https://example.com/?u=http://127.0.0.1/",
    ] {
        let judged = rules.judge_url(url);
        assert_eq!(judged.found, [], "{url}");
        assert!(judged.target.is_some(), "{url}");
    }
}

#[test]
fn a_target_says_where_to_connect() {
    let judged = NetworkRules::default().judge_url("HTTPS://Api.Example.COM.:8443/a");
    let target = judged.target.unwrap();
    assert_eq!(
        (target.scheme.as_str(), target.host.as_str(), target.port),
        ("https", "api.example.com", 8443)
    );
    assert_eq!(target.literal, None);
    let literal = NetworkRules::default().judge_url("http://[2606:4700::0:1111]/").target.unwrap();
    assert_eq!((literal.host.as_str(), literal.port), ("2606:4700::1111", 80));
    assert_eq!(literal.literal, "2606:4700::1111".parse().ok());
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_without_repeating_it() {
    let rules = NetworkRules { private: Private::Allow, ..NetworkRules::default() };
    for url in [
        "https://user:s3cret@example.com/",
        "https://example.com\\@127.0.0.1/s3cret",
        "https:/example.com/s3cret",
        " https://example.com/s3cret",
        "https://exa\nmple.com/s3cret",
        "https://8.8.8.8 &@127.0.0.1# @s3cret/",
        "https://ｅxample.com/s3cret",
        "not a url s3cret",
        "file:///s3cret",
        "https://[fe80::1%25eth0]/s3cret",
        "https://a..b.example/s3cret",
        "https://134744072/s3cret",
    ] {
        let judged = rules.judge_url(url);
        assert_eq!(judged.target, None, "{url}");
        assert!(judged.found.iter().any(|found| found.code == Code::NetScheme), "{url}");
        assert!(
            judged.found.iter().all(|found| !found.message.contains("s3cret")),
            "{url}: {:?}",
            judged.found
        );
    }
}

#[test]
fn lists_are_kept_and_an_empty_one_allows_nothing() {
    let listed = NetworkRules {
        hosts: hosts(&["api.openai.com", "*.example.com", "8.8.8.8", "2606:4700::/32"]),
        ports: Some(vec![443]),
        schemes: Some(vec!["https".into()]),
        private: Private::Deny,
    };
    for (url, expected) in [
        ("https://api.openai.com/", vec![]),
        ("https://API.OPENAI.COM./", vec![]),
        ("https://x.example.com/", vec![]),
        ("https://a.b.example.com/", vec![]),
        ("https://8.8.8.8/", vec![]),
        ("https://[2606:4700::1111]/", vec![]),
        ("https://example.com/", vec![Code::NetHostNotAllowed]),
        ("https://xexample.com/", vec![Code::NetHostNotAllowed]),
        ("https://api.openai.com.evil.example/", vec![Code::NetHostNotAllowed]),
        ("https://1.1.1.1/", vec![Code::NetHostNotAllowed]),
        ("https://api.openai.com:8443/", vec![Code::NetPort]),
        ("http://api.openai.com:443/", vec![Code::NetScheme]),
        ("http://evil.example/", vec![Code::NetScheme, Code::NetPort, Code::NetHostNotAllowed]),
    ] {
        assert_eq!(codes(&listed, url), expected, "{url}");
    }
    let nothing = NetworkRules {
        hosts: hosts(&[]),
        ports: Some(vec![]),
        schemes: Some(vec![]),
        private: Private::Allow,
    };
    let all = [Code::NetScheme, Code::NetPort, Code::NetHostNotAllowed];
    assert_eq!(codes(&nothing, "https://example.com/"), all);
}

#[test]
fn private_addresses_are_opened_by_allow_or_by_listing_them() {
    let allow = NetworkRules { private: Private::Allow, ..NetworkRules::default() };
    for url in [
        "http://127.0.0.1:8080/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://redis/",
    ] {
        assert_eq!(codes(&allow, url), [], "{url}");
    }
    let listed = NetworkRules {
        hosts: hosts(&["10.0.0.0/8", "intranet.example", "localhost"]),
        ..NetworkRules::default()
    };
    assert_eq!(codes(&listed, "http://10.1.2.3/"), []);
    assert_eq!(codes(&listed, "http://localhost/"), []);
    assert_eq!(addresses(&listed, "intranet.example", &["10.1.2.3"]), []);
    assert_eq!(addresses(&listed, "intranet.example", &["::ffff:10.1.2.3"]), []);
    // A name that is listed doesn't open the addresses that it leads to: whoever owns the name chooses those.
    assert_eq!(addresses(&listed, "intranet.example", &["192.168.0.1"]), [Code::NetPrivateAddress]);
    assert_eq!(addresses(&listed, "localhost", &["127.0.0.1"]), [Code::NetPrivateAddress]);
}

#[test]
fn a_metadata_service_is_opened_only_by_itself() {
    let metadata = "169.254.169.254";
    let url = "http://169.254.169.254/";
    let with = |patterns: &[&str]| NetworkRules {
        hosts: hosts(patterns),
        private: Private::Allow,
        ..NetworkRules::default()
    };
    for rules in
        [NetworkRules { private: Private::Allow, ..NetworkRules::default() }, with(&["*", "169.254.0.0/16"])]
    {
        for url in [
            url,
            "http://[::ffff:169.254.169.254]/",
            "http://metadata.google.internal/",
            "http://100.100.100.200/",
            "http://168.63.129.16/",
            "http://[fd00:ec2::254]/",
            "http://192.0.0.192/",
            "http://169.254.169.254.nip.io/",
        ] {
            assert!(codes(&rules, url).contains(&Code::NetMetadataService), "{url}");
        }
        assert_eq!(addresses(&rules, "innocent.example", &["8.8.8.8", metadata]), [Code::NetMetadataService]);
    }
    assert_eq!(codes(&with(&[metadata]), url), []);
    let by_name = with(&["metadata.google.internal", "other.example"]);
    assert_eq!(codes(&by_name, "http://metadata.google.internal/"), []);
    assert_eq!(addresses(&by_name, "metadata.google.internal", &[metadata]), []);
    assert_eq!(addresses(&by_name, "other.example", &[metadata]), [Code::NetMetadataService]);
}

#[test]
fn every_address_of_a_name_must_pass() {
    let rules = NetworkRules::default();
    assert_eq!(addresses(&rules, "example.com", &["93.184.215.14", "2606:2800::1"]), []);
    assert_eq!(addresses(&rules, "example.com", &["93.184.215.14", "127.0.0.1"]), [Code::NetPrivateAddress]);
    assert_eq!(addresses(&rules, "example.com", &["64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]), []);
    assert_eq!(addresses(&rules, "example.com", &["64:ff9b::10.0.0.1"]), [Code::NetPrivateAddress]);
    assert_eq!(addresses(&rules, "example.com", &[]), [Code::NetUnresolved]);
    assert_eq!(addresses(&rules, "8.8.8.8", &["8.8.8.8"]), []);
    assert_eq!(addresses(&rules, "8.8.8.8", &["8.8.4.4"]), [Code::NetRebinding]);
}

#[test]
fn a_name_that_looks_like_an_allowed_one_is_not_it() {
    let rules =
        NetworkRules { hosts: hosts(&["*", "paypal.com", "*.gõogle.com"]), ..NetworkRules::default() };
    for url in
        ["https://раураl.com/", "https://pаypal.com/", "https://ρaypal.com/", "https://xn--pypal-4ve.com/"]
    {
        assert!(codes(&rules, url).contains(&Code::NetHostNotAllowed), "{url}");
    }
    assert_eq!(codes(&rules, "https://paypal.com/"), []);
    assert_eq!(codes(&rules, "https://a.gõogle.com/"), []);
    // Listed by itself, it is meant.
    let meant = NetworkRules { hosts: hosts(&["pаypal.com"]), ..NetworkRules::default() };
    assert_eq!(codes(&meant, "https://pаypal.com/"), []);
}

#[test]
fn a_host_pattern_is_a_host_and_nothing_else() {
    for text in ["example.com", "*.example.com", "*", "10.0.0.0/8", "10.0.0.1", "2606:4700::/32", "::1"] {
        assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
    }
    assert_eq!("Bücher.Example.".parse::<HostPattern>().unwrap().to_string(), "xn--bcher-kva.example");
    assert_eq!("[::1]".parse::<HostPattern>().unwrap().to_string(), "::1");
    for text in [
        "",
        "https://example.com",
        "example.com:443",
        "example.com/a",
        "a.*.example.com",
        "*example.com",
        "127.1",
        "10.0.0.0/33",
    ] {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
}

proptest! {
    /// Whatever passes leads, after the standard's own parser, to the host that was judged.
    #[test]
    fn what_passes_is_read_alike(url in r"https?:(//|/)?[a-z0-9@:%\[\]\\./ \t⓪①。．xXeE-]{0,24}") {
        let judged = NetworkRules::default().judge_url(&url);
        if let Some(target) = judged.target {
            let parsed = url::Url::parse(&url).unwrap();
            let host = parsed.host_str().unwrap().trim_matches(['[', ']']);
            prop_assert_eq!(host.strip_suffix('.').unwrap_or(host), target.host);
        }
    }

    /// An address passes in a URL exactly when it passes as what a name leads to, but for the ones in another's clothes.
    #[test]
    fn literals_and_answers_are_judged_alike(bits in any::<u128>()) {
        let rules = NetworkRules::default();
        let address = Ipv6Addr::from_bits(bits);
        let as_literal = codes(&rules, &format!("http://[{address}]/")).is_empty();
        let as_answer = addresses(&rules, "example.com", &[&address.to_string()]).is_empty();
        prop_assert_eq!(as_literal, as_answer);
    }
}
