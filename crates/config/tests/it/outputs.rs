//! What else comes out of the declaration: effective values, schema, list of keys.

use seawall_config::{self as config, Document};
use serde_json::{Value, json};

use crate::sample::declare;

#[test]
fn show_lists_every_key_with_its_effective_value() {
    let document = Document::from_value(&json!({
        "gateway": { "in_flight": 5, "drain": "90s" },
        "upstreams": [{ "name": "a", "mode": "warn" }],
    }));
    let shown: Vec<String> = config::show(&document, declare)
        .into_iter()
        .map(|entry| format!("{} = {}", entry.key, entry.value))
        .collect();
    let expected = [
        "gateway.listen = \"127.0.0.1:8000\"",
        "gateway.mode = \"warn\"",
        "gateway.limits.body = \"32M\"",
        "gateway.in_flight = 5",
        "gateway.drain = \"90s\"",
        "gateway.trusted_proxies = []",
        "gateway.models = null",
        "gateway.budget = null",
        "gateway.share = 0.5",
        "gateway.enabled = true",
        "upstreams[0].name = \"a\"",
        "upstreams[0].mode = \"warn\"",
        "upstreams[0].api_key = null",
        "upstreams[0].headers = {}",
        "upstreams[0].labels = {}",
        "servers = {}",
        "policy = null",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn the_keys_are_listed_with_their_words() {
    let keys = config::keys(declare);
    let find = |name: &str| serde_json::to_value(keys.iter().find(|key| key.key == name).unwrap()).unwrap();
    assert_eq!(
        find("gateway.drain"),
        json!({ "key": "gateway.drain", "type": "duration", "default": "30s", "required": false, "doc": "Time to finish." }),
    );
    assert_eq!(find("upstreams[].mode")["required"], json!(true));
    assert_eq!(find("servers.NAME.url")["doc"], json!("Where it is."));
    assert_eq!(find("jwt.issuer")["type"], json!("text"));
    assert_eq!(find("gateway.mode")["type"], json!("one of warn, strict"));
    assert_eq!(find("upstreams")["type"], json!("list of tables"));
    let mut names: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_schema_describes_every_key() {
    let schema = config::schema(declare);
    let at = |pointer: &str| schema.pointer(pointer).cloned().unwrap_or(Value::Null);
    assert_eq!(at("/$schema"), json!("https://json-schema.org/draft/2020-12/schema"));
    assert_eq!(at("/additionalProperties"), json!(false));
    assert_eq!(at("/properties/gateway/description"), json!("The proxy."));
    assert_eq!(at("/properties/gateway/properties/limits/properties/body/default"), json!("32M"));
    let in_flight = "/properties/gateway/properties/in_flight";
    assert_eq!(
        at(&format!("{in_flight}/anyOf/0")),
        json!({ "type": "integer", "minimum": 1, "maximum": 100_000 })
    );
    assert_eq!(at(&format!("{in_flight}/anyOf/1/$ref")), json!("#/$defs/unset_or_reference"));
    assert_eq!(at("/properties/gateway/properties/mode/anyOf/0/enum"), json!(["warn", "strict"]));
    assert_eq!(at("/properties/upstreams/items/required"), json!(["name", "mode"]));
    assert_eq!(at("/properties/upstreams/items/additionalProperties"), json!(false));
    assert_eq!(
        at("/properties/servers/additionalProperties/properties/url/description"),
        json!("Where it is.")
    );
    assert_eq!(at("/properties/jwt/required"), Value::Null);
    assert_eq!(at("/$defs/unset_or_reference/pattern"), json!("\\$\\{"));
}
