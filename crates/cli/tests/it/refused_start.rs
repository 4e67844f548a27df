//! A configuration that is wrong: refused before a port opens and before anything is written, everything at once, each
//! fault with its file, its key and what to do.

use insta::assert_snapshot;

use crate::support::program::Setup;

/// What is said on stderr when it refuses to start, without the names of this machine's folders.
fn refusal(setup: &Setup) -> String {
    let output = setup.run();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "no port opened, nothing to say on stdout: {output:?}");
    assert!(!setup.data_dir().exists(), "no state was written");
    let folder = setup.path("");
    String::from_utf8(output.stderr).unwrap().replace(folder.to_str().unwrap(), "")
}

fn proxy(config: &str) -> Setup {
    Setup::proxy(config)
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let setup = proxy(
        "
gateway:
  lisen: 127.0.0.1:8000
  limits: { body: many, in_flight: 0 }
upstreams:
  - { name: a, base_url: not-a-url, api_key: \"${NOT_SET}\" }
  - { name: a, kind: openia, base_url: \"https://api.openai.com/v1\", timeouts: { total: -5s } }
routes: [ { model: fast, to: [ { upstream: nobody } ] } ]
budgets: [ { scope: global, usd: \"-3\" }, { scope: planet, usd: \"1\" }, { scope: global } ]
rate_limits: [ { scope: ip } ]
prices: { file: prices.json }
policy: nowhere.yaml
logging: { level: loud }
colour: blue
",
    )
    .args(["--mode", "lax", "--budget=-5"]);
    setup.write("prices.json", r#"{"models":{"a":{"in":-1,"out":"free"},"b":{"in":1}}}"#);
    assert_snapshot!(refusal(&setup), @r#"
    seawall: --budget: "-5" is negative; an amount of dollars is zero or more
    config.yaml: upstreams[0].api_key: the variable NOT_SET is not set; set it, or give a default with ${NOT_SET:-…}
    command line: gateway.mode: "lax" is not one of warn, strict
    config.yaml: gateway.limits.body: "many" is not a size: write a whole number of bytes, or one with K, M, G or T, such as 512K or 10M
    config.yaml: gateway.limits.in_flight: out of range; give 1 to 1000000
    config.yaml: gateway.lisen: unknown key; did you mean gateway.listen?
    config.yaml: upstreams[0].base_url: not a URL like https://api.openai.com/v1; for example https://api.openai.com/v1
    config.yaml: upstreams[1].kind: "openia" is not one of openai, anthropic, gemini, any; did you mean openai?
    config.yaml: upstreams[1].timeouts.total: "-5s" is not a duration: write a whole number and its unit, such as 250ms, 10s, 5m, 2h or 30d
    config.yaml: upstreams[1]: there are two upstreams "a"; give each its own name
    config.yaml: routes[0]: there is no upstream "nobody"; known: a, a
    config.yaml: budgets[0].usd: "-3" is negative; an amount of dollars is zero or more; leave the key out for no limit, or give 0 to allow nothing
    config.yaml: budgets[1].scope: "planet" can't be read: "planet" is not a scope (global, tenant:NAME, key:NAME or run:ID)
    config.yaml: budgets[2]: a budget needs usd or tokens; add usd: "10" or tokens: 1000000
    config.yaml: rate_limits[0]: a rate limit needs rpm or tpm; add rpm: 600 or tpm: 1000000
    config.yaml: logging.level: "loud" is no level; write trace, debug, info, warn or error, or parts like info,seawall_gateway=debug
    config.yaml: colour: unknown key; known here: gateway, auth, upstreams, routes, prices, budgets, ledger, cache, rate_limits, policy, trace, approvals, store, logging, metrics, otlp, mcp, agents
    config.yaml: policy: "nowhere.yaml" is no preset, and there is no file nowhere.yaml; presets: off, fs_safe, net_safe, safe, strict, readonly
    config.yaml: prices.file: prices.json can't be used: a: in is negative; a price is zero or more; a: out is not a price like 2.5; b: out is missing (dollars for a million tokens)
    "#);
}

#[test]
fn a_negative_price_is_named_with_its_model() {
    let setup = proxy("prices: { file: prices.json }");
    setup.write("prices.json", r#"{"models":{"gpt-x":{"in":-1,"out":2}}}"#);
    assert_snapshot!(refusal(&setup), @r#"
    seawall: config.yaml: prices.file: prices.json can't be used: gpt-x: in is negative; a price is zero or more
    "#);
}

#[test]
fn a_price_file_that_is_not_there_is_named() {
    assert_snapshot!(refusal(&proxy("prices: { file: nowhere.json }")), @r#"
    seawall: config.yaml: prices.file: nowhere.json can't be read: No such file or directory (os error 2); check the path
    "#);
}

#[test]
fn flags_are_checked_like_files() {
    for (flag, key) in [
        ("--budget=lots", "--budget"),
        ("--budget=-1", "--budget"),
        ("--mode=lax", "gateway.mode"),
        ("--policy=nowhere", "policy"),
        ("--upstream=ftp://x", "upstreams[0].base_url"),
    ] {
        let said = refusal(&proxy("").args([flag]));
        assert!(said.contains(key), "{flag}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
    assert_snapshot!(refusal(&proxy("").args(["--budget=lots", "--mode=lax", "--policy=nowhere"])), @r#"
    seawall: --budget: "lots" is not an amount of dollars like 10 or 0.25
    command line: gateway.mode: "lax" is not one of warn, strict
    command line: policy: "nowhere" is no preset, and there is no file nowhere; presets: off, fs_safe, net_safe, safe, strict, readonly
    "#);
}

#[test]
fn listening_beyond_loopback_without_authentication_is_refused() {
    let setup = Setup::new("proxy").config("").args(["--listen", "0.0.0.0:0"]);
    assert_snapshot!(refusal(&setup), @r#"
    seawall: command line: gateway.listen: 0.0.0.0:0 can be reached from elsewhere, and there is no authentication: make a key (`seawall keys create --name NAME`), configure auth.jwt, set auth.mode: required, listen on 127.0.0.1, or give --insecure
    "#);
    let setup =
        Setup::new("proxy").config("gateway: { listen: \"[::]:0\" }\nauth: { mode: auto }\npolicy: nowhere");
    let said = refusal(&setup);
    let begins = |line: Option<&str>, start: &str| line.is_some_and(|line| line.starts_with(start));
    let mut lines = said.lines();
    assert!(begins(lines.next(), "seawall: config.yaml: policy: \"nowhere\""), "both at once: {said}");
    assert!(begins(lines.next(), "config.yaml: gateway.listen: [::]:0 can be reached"), "{said}");
    assert_eq!(lines.next(), None);
}

#[test]
fn an_environment_variable_is_named_like_a_file() {
    let setup = proxy("").env("SEAWALL_GATEWAY__MODE", "lax").env("SEAWALL_GATEWAY__LISEN", "x");
    assert_snapshot!(refusal(&setup), @r#"
    seawall: SEAWALL_GATEWAY__MODE: gateway.mode: "lax" is not one of warn, strict
    SEAWALL_GATEWAY__LISEN: gateway.lisen: unknown key; did you mean gateway.listen?
    "#);
}

#[test]
fn an_unresolved_variable_is_named_and_one_with_a_default_is_not() {
    let config = "upstreams: [ { name: a, base_url: \"${BASE:-sim:}\", api_key: \"${NOT_SET}\" } ]";
    assert_snapshot!(refusal(&proxy(config)), @r#"
    seawall: config.yaml: upstreams[0].api_key: the variable NOT_SET is not set; set it, or give a default with ${NOT_SET:-…}
    "#);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    assert_snapshot!(refusal(&proxy("gateway: [\n")), @r#"
    seawall: config.yaml: unclosed bracket '[' at line 1, column 10
    "#);
    let setup = Setup::new("proxy").args(["--config", "nowhere.yaml", "--listen", "127.0.0.1:0"]);
    let said = refusal(&setup);
    assert!(said.contains("nowhere.yaml"), "{said}");
}

#[test]
fn no_refusal_shows_a_secret() {
    let setup = proxy(
        "
upstreams:
  - { name: a, base_url: \"https://user:hunter2@api.example\", api_key: \"${KEY}\", headers: { x-token: \"${KEY}\" }, nonsense: sk-live-0123456789abcdef }
",
    )
    .env("KEY", "sk-live-fedcba9876543210");
    let said = refusal(&setup);
    for secret in ["hunter2", "sk-live"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn config_check_says_the_same() {
    let setup = proxy("colour: blue\nprices: { file: prices.json }");
    setup.write("prices.json", r#"{"models":{"gpt-x":{"in":-1,"out":2}}}"#);
    let said = refusal(&setup);
    let config = setup.path("config.yaml");
    let output = setup.cli(&["config", "check", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let checked = String::from_utf8(output.stderr).unwrap().replace(setup.path("").to_str().unwrap(), "");
    assert_eq!(checked, said);
    assert!(!setup.data_dir().exists());
}
