//! Hosts of a call: looked up once, every address checked.

use std::sync::atomic::Ordering;

use seawall_checkpoint::tool::Observed;
use seawall_types::Code;
use serde_json::json;

use crate::stage::{Names, Stage};

fn stage() -> Stage {
    let mut stage = Stage::new();
    let address = |text: &str| text.parse().unwrap();
    for (name, addresses) in [
        ("good.example", vec!["93.184.215.14"]),
        ("local.example", vec!["127.0.0.1"]),
        ("mixed.example", vec!["93.184.215.14", "10.0.0.1"]),
        ("mapped.example", vec!["::ffff:192.168.1.1"]),
        ("meta.example", vec!["169.254.169.254"]),
        ("nowhere.example", vec![]),
    ] {
        stage.names.known.insert(name, addresses.into_iter().map(address).collect());
    }
    stage
}

#[test]
fn every_address_of_a_name_must_be_allowed() {
    let stage = stage();
    let policy = stage.strict(&json!({ "network": {} }));
    for (host, code) in [
        ("local.example", Code::NetPrivateAddress),
        ("mixed.example", Code::NetPrivateAddress),
        ("mapped.example", Code::NetPrivateAddress),
        ("meta.example", Code::NetMetadataService),
        ("nowhere.example", Code::NetUnresolved),
        ("unknown.example", Code::NetUnresolved),
    ] {
        let denial =
            stage.admit(&policy, "fetch", &json!({ "link": format!("https://{host}/") })).unwrap_err();
        assert_eq!(denial.code, code, "{host}: {denial:?}");
        assert!(denial.findings.iter().all(|finding| finding.rule.starts_with("network")));
    }
}

#[test]
fn a_name_is_looked_up_once_and_the_permit_carries_what_it_led_to() {
    let stage = stage();
    let policy = stage.strict(&json!({ "network": {} }));
    let arguments = json!({ "url": "https://good.example/a", "next": "https://good.example/b", "ip": "https://93.184.215.14/" });
    let permit = stage.admit(&policy, "fetch", &arguments).unwrap();
    assert_eq!(stage.names.lookups.load(Ordering::Relaxed), 1);
    let shown: Vec<_> = permit
        .addresses()
        .iter()
        .map(|resolved| (resolved.host.as_str(), resolved.port, resolved.addresses[0].to_string()))
        .collect();
    let address = "93.184.215.14".to_owned();
    assert_eq!(shown, [("good.example", 443, address.clone()), ("93.184.215.14", 443, address)]);
    drop(permit);
}

#[test]
fn what_is_refused_anyway_is_not_looked_up() {
    let stage = stage();
    let policy = stage.strict(&json!({ "network": { "hosts": ["good.example"] } }));
    let denial =
        stage.admit(&policy, "fetch", &json!({ "url": "https://secret.evil.example/" })).unwrap_err();
    assert_eq!(denial.code, Code::NetHostNotAllowed);
    assert_eq!(stage.names.lookups.load(Ordering::Relaxed), 0, "the look-up alone tells the name to others");
}

#[test]
fn without_rules_about_the_network_nothing_is_looked_up() {
    let stage = stage();
    let policy = stage.strict(&json!({ "files": {} }));
    let permit = stage.admit(&policy, "fetch", &json!({ "url": "https://good.example/" })).unwrap();
    assert!(permit.addresses().is_empty());
    assert_eq!(stage.names.lookups.load(Ordering::Relaxed), 0);
    drop(permit);
}

#[test]
fn a_name_that_leads_elsewhere_the_second_time_is_told_as_such() {
    let stage = stage();
    let policy = stage.strict(&json!({ "network": {} }));
    let permit = stage.admit(&policy, "fetch", &json!({ "url": "https://good.example/" })).unwrap();
    let later = |address: &str| {
        let known = [("good.example", vec![address.parse().unwrap()])].into_iter().collect();
        Names { known, ..Names::default() }
    };
    let seen = Observed::Name("good.example");
    let denial = permit.observe(seen, &later("127.0.0.1")).unwrap_err();
    assert_eq!(denial.code, Code::NetRebinding, "{denial:?}");
    assert!(denial.message.contains("93.184.215.14") && denial.message.contains("127.0.0.1"), "{denial:?}");
    permit.observe(seen, &later("93.184.215.99")).unwrap();
    drop(permit);
}
