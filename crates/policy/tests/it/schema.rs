//! The JSON Schema of policy files.

use seawall_config::keys;
use seawall_policy::PolicyFile;

#[test]
fn the_schema_has_every_section_with_words_and_refuses_other_keys() {
    let schema = PolicyFile::schema();
    assert_eq!(schema["additionalProperties"], false);
    for section in [
        "version",
        "name",
        "extends",
        "mode",
        "files",
        "network",
        "commands",
        "secrets",
        "pii",
        "injection",
        "tools",
        "models",
        "limits",
        "flow",
        "sensitive",
        "sinks",
        "drift",
    ] {
        let property = &schema["properties"][section];
        assert!(
            property["description"].as_str().is_some_and(|words| words.ends_with('.')
                || words.ends_with("allow")
                || words.contains("default")),
            "{section}: {property}"
        );
    }
    assert_eq!(schema["properties"]["tools"]["items"]["required"], serde_json::json!(["name", "verdict"]));
}

#[test]
fn every_key_is_documented() {
    for key in keys(PolicyFile::declare) {
        assert!(!key.doc.is_empty(), "{}", key.key);
    }
}
