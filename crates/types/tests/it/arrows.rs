//! The arrows of ARCHITECTURE.md: a crate uses those below its own floor, and never the other way.

use crate::workspace::{Dependency, linked_into, manifests};

/// The house from the roof to the ground. A crate may use every crate of a lower floor, and none of its own.
const FLOORS: [&[&str]; 12] = [
    &["seawall", "seawall-python"],
    &["seawall-guard"],
    &["seawall-server"],
    &["seawall-gateway", "seawall-runtime"],
    &["seawall-tools"],
    &["seawall-mcp"],
    &["seawall-store-json", "seawall-store-postgres", "seawall-store-sqlite"],
    &["seawall-checkpoint", "seawall-llm-client", "seawall-sandbox"],
    &["seawall-policy", "seawall-store"],
    &["seawall-budget", "seawall-trace", "seawall-llm", "seawall-base", "seawall-detect", "seawall-engine"],
    &["seawall-config"],
    &["seawall-types", "seawall-macros", "seawall-test-support"],
];

/// Crates outside the house that may use all of it: they measure or test it, and nothing of it uses them.
const OUTSIDE: [&str; 2] = ["seawall-bench", "seawall-crashtest"];

/// What keeps things in one place or another.
const STORES: [&str; 3] = ["seawall-store-json", "seawall-store-postgres", "seawall-store-sqlite"];

/// Only these name a concrete store; all others know the traits. The guard puts a checkpoint together inside of other
/// people's programs, as the binary does in its own; benches and crash tests do it to measure and to kill.
const NAME_A_STORE: [&str; 4] = ["seawall", "seawall-guard", "seawall-bench", "seawall-crashtest"];

/// What would bring I/O into a crate that has none.
const RUNTIMES: [&str; 3] = ["tokio", "async-std", "smol"];
const NETWORK: [&str; 6] = ["hyper", "http", "h2", "reqwest", "rustls", "axum"];
const DATABASES: [&str; 4] = ["rusqlite", "libsqlite3-sys", "sqlx", "tokio-postgres"];

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

fn own(dependencies: &[Dependency]) -> impl Iterator<Item = &Dependency> {
    dependencies.iter().filter(|dependency| dependency.name.starts_with("seawall"))
}

#[test]
fn every_crate_has_its_floor() {
    for name in manifests().keys() {
        assert!(
            floor(name).is_some() || OUTSIDE.contains(&name.as_str()),
            "the crate {name} has no floor: put it where it belongs in FLOORS, here and in ARCHITECTURE.md"
        );
    }
}

#[test]
fn crates_use_only_what_lies_below_them() {
    for (name, dependencies) in manifests() {
        let Some(upper) = floor(&name) else { continue };
        for dependency in own(&dependencies) {
            // A crate may use itself for tests, with another feature on.
            let is_itself = dependency.is_for_tests && dependency.name == name;
            let lower = floor(&dependency.name);
            assert!(
                is_itself || lower.is_some_and(|lower| lower > upper),
                "{name} uses {}, which does not lie below it. Arrows go down: {FLOORS:?}. Move what is shared to a lower \
                 floor, or let the crate above join the two",
                dependency.name
            );
        }
    }
}

#[test]
fn only_the_roof_names_a_concrete_store() {
    for (name, dependencies) in manifests() {
        let named = own(&dependencies).find(|dependency| STORES.contains(&dependency.name.as_str()));
        assert!(
            named.is_none() || NAME_A_STORE.contains(&name.as_str()),
            "{name} names {named:?}. Only the binary and the guard put a concrete store in; use the traits of seawall-store"
        );
    }
}

#[test]
fn pure_crates_do_no_io() {
    for name in ["seawall-types", "seawall-llm", "seawall-budget", "seawall-engine"] {
        let linked = linked_into(name);
        for banned in [RUNTIMES.as_slice(), &NETWORK, &DATABASES].concat() {
            assert!(
                !linked.iter().any(|linked| linked == banned),
                "{name} brings in {banned}. It is pure: no async runtime, no network, no SQL. Ask `cargo tree -p {name} -i {banned}`"
            );
        }
    }
}

#[test]
fn the_engine_knows_nothing_but_the_words() {
    let manifests = manifests();
    let known: Vec<_> =
        own(&manifests["seawall-engine"]).map(|dependency| dependency.name.as_str()).collect();
    assert_eq!(
        known,
        ["seawall-types"],
        "policy, providers, tools and stores answer the engine's effects from above"
    );
}

#[test]
fn the_trace_and_the_store_know_no_runtime_and_no_network() {
    for name in ["seawall-trace", "seawall-store", "seawall-store-sqlite"] {
        let linked = linked_into(name);
        for banned in [RUNTIMES.as_slice(), &NETWORK].concat() {
            assert!(
                !linked.iter().any(|linked| linked == banned),
                "{name} brings in {banned}. It writes files from plain threads; async is for the crates above"
            );
        }
    }
}

#[test]
fn cryptography_is_ring_alone() {
    let linked = linked_into("seawall");
    assert!(linked.iter().any(|linked| linked == "ring"), "ring is what TLS is built on: {linked:?}");
    for banned in ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"] {
        assert!(
            !linked.iter().any(|linked| linked == banned),
            "the binary brings in {banned}; TLS is rustls with ring. Ask `cargo tree -p seawall -i {banned}`"
        );
    }
}
