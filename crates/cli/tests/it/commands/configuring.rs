//! `seawall config`: the schema takes what the program takes, what is shown is what is in force and from where, and no
//! secret is in it.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::refusal;
use crate::support::program::Setup;

/// Every section, as the contract writes it.
const CONTRACT: &str = include_str!("../contract/contract.yaml");
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");

/// Tables of the contract's example: where a key that nobody knows must be refused.
const TABLES: [&str; 18] = [
    "",
    "gateway",
    "gateway.limits",
    "gateway.timeouts",
    "auth.jwt",
    "auth.jwt.keys[0]",
    "upstreams[0]",
    "upstreams[0].retries",
    "routes[0]",
    "routes[0].to[1]",
    "prices",
    "budgets[1]",
    "rate_limits[0]",
    "trace.retention",
    "mcp.servers.web",
    "logging.file",
    "otlp",
    "agents",
];

fn schema() -> Value {
    Setup::new("config").cli_json(&["config", "schema"])
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn example() -> Value {
    let within_this_build = CONTRACT.replace("syslog: { address: /dev/log }", "syslog: null");
    serde_saphyr::from_str(&within_this_build).unwrap()
}

/// A setup in which the example is good, with this as its file.
fn setup(config: &Value) -> Setup {
    let setup = Setup::new("config").env("OPENAI_API_KEY", "sk-theirs");
    let setup = setup.env("SIGN_KEY", "aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2g=");
    setup.write("prices.json", r#"{"models":{"x":{"in":1,"out":2}}}"#);
    let file = setup.write("config.json", &config.to_string());
    setup.args(["check", "--config", file.to_str().unwrap()])
}

/// The value at a key written with dots and indices.
fn at<'a>(config: &'a mut Value, key: &str) -> &'a mut Value {
    let pointer = key.replace(['.', '['], "/").replace(']', "");
    let pointer = if key.is_empty() { pointer } else { format!("/{pointer}") };
    config.pointer_mut(&pointer).unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn the_schema_is_one_and_takes_the_examples_that_the_program_takes() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    let readme = std::fs::read_to_string(README).unwrap();
    let quoted = readme.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    for example in [example(), serde_saphyr::from_str(quoted).unwrap(), json!({}), json!({ "gateway": null })]
    {
        validator().validate(&example).unwrap_or_else(|error| panic!("{}: {error}", error.instance_path()));
        let checked = setup(&example).env("BACKUP_KEY", "sk-backup").run();
        assert!(checked.status.success(), "{checked:?}");
    }
}

#[test]
fn a_key_that_nobody_knows_is_refused_by_both_in_every_table() {
    let validator = validator();
    let mut everywhere = example();
    for table in TABLES {
        let mut config = example();
        at(&mut config, table)["colour"] = json!("blue");
        assert!(!validator.is_valid(&config), "{table}");
        at(&mut everywhere, table)["colour"] = json!("blue");
    }
    let output = setup(&everywhere).run();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), TABLES.len()), "{said}");
    for table in TABLES {
        let key = if table.is_empty() { "colour".to_owned() } else { format!("{table}.colour") };
        assert!(said.contains(&format!("config.json: {key}: unknown key")), "{key}: {said}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_by_both() {
    let validator = validator();
    for (key, value) in [
        ("gateway.listen", json!(8_000)),
        ("gateway.mode", json!("lax")),
        ("gateway.limits.body", json!("many")),
        ("gateway.limits.in_flight", json!(0)),
        ("gateway.timeouts.drain", json!(30)),
        ("upstreams", json!({})),
        ("upstreams[0].name", json!(["a"])),
        ("upstreams[0].headers", json!("x-a: b")),
        ("upstreams[0].weight", json!("1")),
        ("budgets[0].usd", json!(true)),
        ("cache.enabled", json!("yes")),
        ("trace.retention.size", json!(-1)),
    ] {
        let mut config = example();
        *at(&mut config, key) = value;
        assert!(!validator.is_valid(&config), "{key}: {}", at(&mut config, key));
        let output = setup(&config).run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(2) && said.contains(&format!("config.json: {key}")),
            "{key}: {said}"
        );
    }
}

#[test]
fn upstreams_that_can_not_be_read_are_refused_and_none_takes_their_place() {
    for upstreams in [
        json!({ "openai": { "base_url": "https://x.example" } }),
        json!("https://x.example"),
        json!(["sim:"]),
    ] {
        let routes = json!([{ "model": "fast", "to": [{ "upstream": "openai" }] }]);
        let output = setup(&json!({ "upstreams": upstreams, "routes": routes })).run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{upstreams}: {said}");
        assert!(
            said.contains("config.json: upstreams") && said.contains("expected a "),
            "{upstreams}: {said}"
        );
    }
    for unset in ["${UNSET}", "[\"${UNSET}\"]"] {
        let config = format!("upstreams: {unset}\nroutes: [{{ model: fast, to: [{{ upstream: openai }}] }}]");
        let output = Setup::new("config").args(["check"]).config(&config).run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("the variable UNSET is not set") && said.lines().count() == 1, "{said}");
    }
    for none in [json!(null), json!([])] {
        assert!(setup(&json!({ "upstreams": none })).run().status.success(), "{none}");
    }
}

#[test]
fn every_command_has_the_upstreams_of_the_environment_as_a_start_has_them() {
    let config = "routes: [{ model: fast, to: [{ upstream: openai }] }]";
    for args in [&["config", "check"][..], &["config", "show"], &["keys", "create", "--name", "ci"]] {
        let of = |config: &str| Setup::new(args[0]).args(args[1..].iter().copied()).config(config);
        let with = of(config).env("OPENAI_API_KEY", "sk-theirs").run();
        assert!(with.status.success(), "{args:?}: {with:?}");
        let without = of(config).run();
        let said = String::from_utf8(without.stderr).unwrap();
        assert_eq!(without.status.code(), Some(2), "{args:?}");
        assert!(said.contains("routes[0]: there is no upstream \"openai\"; known: sim"), "{args:?}: {said}");
    }
}

#[test]
fn what_came_by_reference_is_told_as_it_was_written_whoever_quotes_it() {
    // Commas, blanks and both cases, and longer than what is quoted of a text.
    let value = format!("Correct Horse, Battery-Staple,{} ", "4711".repeat(20));
    for config in [
        "policy: '${X}'",
        "policy: { mode: '${X}' }",
        "policy: { extends: ['${X}'] }",
        "policy: { network: { hosts: ['${X}'] } }",
        "policy: { network: { schemes: ['${X}'] } }",
        "prices: { file: '${X}' }",
        "auth: { jwt: { algorithms: '${X}', keys: [{ public_key: a.pem }] } }",
        "auth: { jwt: { keys: [{ public_key: '${X}' }] } }",
        "mcp: { servers: { a: { command: [x], sandbox: '${X}' } } }",
        "mcp: { servers: { a: { command: [x], policy: '${X}' } } }",
        "routes: [{ model: fast, to: [{ upstream: '${X}' }] }]",
        "logging: { level: '${X}' }",
        "gateway: { listen: '${X}' }",
        "gateway: { mode: '${X}' }",
    ] {
        let output = Setup::new("config").args(["check"]).config(config).env("X", &value).run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{config}: {said}");
        for piece in ["correct", "horse", "battery", "staple", "4711"] {
            assert!(!said.to_lowercase().contains(piece), "{config}: {said}");
        }
        let key = config.split_once(':').unwrap().0;
        assert!(said.contains(&format!("config.yaml: {key}")), "{config}: {said}");
    }
    for config in ["policy: '${X}'", "policy: { mode: '${X}' }"] {
        let setup = Setup::new("policy").args(["explain", "--tool", "t", "--args", "{}"]).config(config);
        let output = setup.env("X", &value).run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("${X}"), "{config}: {said}");
        assert!(!said.to_lowercase().contains("battery"), "{config}: {said}");
    }
    let config = "prices: { file: '${X}' }";
    let output = Setup::new("config").args(["check"]).config(config).env("X", "nowhere.json").run();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("prices.file: ${X} can't be read: No such file"), "{said}");
}

#[test]
fn a_fault_is_told_with_the_layer_that_it_is_in() {
    let setup = Setup::new("config").args(["check", "--config", "conf"]);
    std::fs::create_dir(setup.path("conf")).unwrap();
    setup.write(
        "conf/defaults.yaml",
        "upstreams: [{ name: a, base_url: 'sim:' }, { name: a, base_url: 'sim:' }]\n\
         routes: [{ model: fast, to: [{ upstream: b }] }]\npolicy: { network: { hostz: [] } }",
    );
    setup.write("conf/production.yaml", "gateway: { mode: strict }\npolicy: { mode: warn }");
    let setup = setup.env("SEAWALL_ENV", "production");
    let servers = r#"{"a":{"command":["x"],"sandbox":"/nowhere"}}"#;
    let output = setup.env("SEAWALL_MCP__SERVERS", servers).run();
    let said = String::from_utf8(output.stderr).unwrap();
    for begin in [
        "seawall: conf/defaults.yaml: upstreams[1]: there are two",
        "conf/defaults.yaml: routes[0]: there is no upstream \"b\"",
        "conf/defaults.yaml: policy.network.hostz: unknown key",
        "SEAWALL_MCP__SERVERS: mcp.servers.a.sandbox: /nowhere can't be used",
    ] {
        assert!(said.lines().any(|line| line.starts_with(begin)), "{begin}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
}

/// The entries of `config show` as key, value and where from.
fn shown(setup: &Setup) -> Vec<(String, Value, String)> {
    let output = setup.run();
    assert!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let entries = answer["values"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries.map(|entry| (text(&entry["key"]), entry["value"].clone(), text(&entry["origin"]))).collect()
}

#[test]
fn without_a_file_the_defaults_of_the_schema_are_shown() {
    let mut schema = schema();
    let shown = shown(&Setup::new("config").args(["show", "--json"]));
    assert!(shown.len() > 50, "{shown:?}");
    for (key, value, origin) in shown {
        let place = format!("properties.{}", key.replace('.', ".properties."));
        let declared = at(&mut schema, &place);
        assert_eq!(origin, "default", "{key}");
        // Lists and tables of tables have none; what is not set otherwise is nothing.
        let nothing = if value.is_null() { Value::Null } else { value.clone() };
        assert_eq!(value, declared.get("default").cloned().unwrap_or(nothing), "{key}");
    }
}

#[test]
fn each_value_is_the_last_layers_and_says_which() {
    let setup = Setup::new("config").args(["show", "--json", "--config", "conf", "--config", "extra.json"]);
    std::fs::create_dir(setup.path("conf")).unwrap();
    setup.write(
        "conf/defaults.yaml",
        "gateway: { mode: strict, limits: { in_flight: 1, json_depth: 9, body: 1M } }",
    );
    setup.write("conf/production.toml", "[gateway.limits]\nin_flight = 2\njson_depth = 8\n");
    setup.write("conf/staging.yaml", "gateway: { mode: warn }");
    setup.write("extra.json", r#"{"agents":{"lease":"${LEASE:-7s}"}}"#);
    let setup = setup.env("SEAWALL_ENV", "production").env("SEAWALL_GATEWAY__LIMITS__IN_FLIGHT", "3");
    let shown = shown(&setup);
    for (key, value, origin) in [
        ("gateway.limits.in_flight", json!(3), "SEAWALL_GATEWAY__LIMITS__IN_FLIGHT"),
        ("gateway.limits.json_depth", json!(8), "conf/production.toml"),
        ("gateway.limits.body", json!("1M"), "conf/defaults.yaml"),
        ("gateway.mode", json!("strict"), "conf/defaults.yaml"),
        ("agents.lease", json!("7s"), "extra.json"),
        ("agents.idle_after", json!("1m"), "default"),
    ] {
        let entry = shown.iter().find(|(name, _, _)| name == key).unwrap();
        assert_eq!((&entry.1, entry.2.as_str()), (&value, origin), "{key}");
    }
    let table = setup.cli_well(&["config", "show", "--config", "conf"]);
    let line = table.lines().find(|line| line.starts_with("gateway.mode ")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["gateway.mode", "\"strict\"", "conf/defaults.yaml"]
    );
}

/// Each place for a secret, once in clear and once by reference.
const SECRETS: &str = r#"
upstreams:
  - { name: a, base_url: "https://u.example", api_key: hush-1, headers: { x-a: hush-2, x-b: "${HUSH}" } }
  - { name: b, base_url: "https://u.example", api_key: "${HUSH}" }
auth: { jwt: { issuer: i, audience: a, algorithms: [HS256], keys: [
  { kid: a, secret: hush-3-hush-3-hush-3-hush-3-hush-3-hush-3 }, { kid: b, secret: "${HUSH}${HUSH}${HUSH}${HUSH}" } ] } }
mcp: { servers: {
  a: { command: [x], env: { T: hush-4, U: "${HUSH}" } }, b: { url: "http://127.0.0.1:1/", headers: { x: hush-5 } } } }
store: "postgres://u:hush-6@h/d"
approvals: { webhook: "https://hooks.example/hush-7" }
trace: { sign_key: "aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2g=" }
"#;

#[test]
fn no_secret_is_shown_wherever_it_stands_and_however_it_came() {
    let setup = Setup::new("config").config(SECRETS).env("HUSH", "hush-0-hush-0");
    for form in [&["show"][..], &["show", "--json"], &["check"], &["check", "--json"]] {
        let output = setup.clone().args(form.iter().copied()).run();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains("hush") && !said.contains("aHVza"), "{form:?}: {said}");
        let hidden = said.matches("[secret]").count();
        assert_eq!(hidden, if form[0] == "show" { 12 } else { 0 }, "{form:?}: {said}");
    }
}

#[test]
fn a_default_is_not_passed_off_as_in_force_where_the_value_is_faulty() {
    let setup = Setup::new("config").config("gateway: { mode: lax }");
    for form in [&["show"][..], &["show", "--json"]] {
        let output = setup.clone().args(form.iter().copied()).run();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("config.yaml: gateway.mode: \"lax\" is not one of warn, strict"), "{said}");
        assert!(!output.stdout.is_empty(), "the others are shown all the same");
    }
}

#[test]
fn a_check_tells_programs_every_fault_and_people_that_there_is_none() {
    let good = setup(&example());
    let output = good.run();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "the configuration is good\n");
    let told = |setup: &Setup| {
        let output = setup.clone().args(["--json"]).run();
        assert!(output.stderr.is_empty(), "{output:?}");
        (output.status.code().unwrap(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    assert_eq!(told(&good), (0, json!({ "ok": true, "errors": [] })));
    let (code, answer) = told(&setup(&json!({ "gateway": { "mode": "lax", "lisen": "x" } })));
    let faults: Vec<&str> =
        answer["errors"].as_array().unwrap().iter().map(|fault| fault.as_str().unwrap()).collect();
    assert_eq!((code, &answer["ok"], faults.len()), (2, &false.into(), 2), "{answer}");
    assert!(faults.iter().all(|fault| fault.contains("config.json: gateway.")), "{answer}");
    assert!(!good.data_dir().exists(), "a check makes no state");
}

#[test]
fn a_file_in_no_form_that_is_known_is_refused_by_name() {
    let setup = Setup::new("config");
    for name in ["config.ini", "config", "config.yaml.bak"] {
        setup.write(name, "gateway: {}");
        let said = refusal(&setup, &["config", "check", "--config", name], 2);
        assert!(said.contains(Path::new(name).to_str().unwrap()), "{said}");
    }
}
