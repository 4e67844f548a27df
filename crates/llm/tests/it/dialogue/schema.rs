use seawall_llm::dialogue::{Ask, Format, Part, Role, ToolDescription, Turn, write};
use serde_json::{Value, json};

/// A schema as Gemini gets to see it.
fn shown(schema: &Value) -> Value {
    let turns = [Turn { role: Role::User, blocks: vec![Part::Text("hi")] }];
    let tools = [ToolDescription { name: "f", description: "", parameters: schema }];
    let body = write(&Ask { tools: &tools, ..Ask::new("m", &turns) }, Format::Gemini).body;
    let body: Value = serde_json::from_slice(&body).unwrap();
    body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"].clone()
}

#[test]
fn what_is_referred_to_stands_in_the_references_place() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/Kind", "description": "This one."},
            "b": {"$ref": "#/definitions/List"},
            "c": {"anyOf": [{"$ref": "#/properties/a"}, {"type": "null"}]},
            "$schema": {"type": "string"},
            "definitions": {"type": "string", "const": "x"},
        },
        "$defs": {"Kind": {"type": "string", "enum": ["x", "y"], "description": "Some kind."}},
        "definitions": {"List": {"type": "array", "items": {"$ref": "#/$defs/Kind"}}},
    });
    let kind = json!({"type": "string", "enum": ["x", "y"], "description": "Some kind."});
    assert_eq!(
        shown(&schema),
        json!({
            "type": "object",
            "properties": {
                "a": {"type": "string", "enum": ["x", "y"], "description": "This one."},
                "b": {"type": "array", "items": kind},
                "c": {"anyOf": [
                    {"type": "string", "enum": ["x", "y"], "description": "This one."},
                    {"type": "null"},
                ]},
                // Names of the author's own are none of our business.
                "$schema": {"type": "string"},
                "definitions": {"type": "string", "const": "x"},
            },
        })
    );
}

#[test]
fn a_schema_that_contains_itself_keeps_its_references() {
    let schema = json!({
        "type": "object",
        "properties": {"tree": {"$ref": "#/definitions/Node", "title": "not beside a reference", "description": "A tree."}},
        "definitions": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/definitions/Node"}}}},
    });
    assert_eq!(
        shown(&schema),
        json!({
            "type": "object",
            "properties": {"tree": {"$ref": "#/$defs/Node", "description": "A tree."}},
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        })
    );
}

#[test]
fn references_never_make_a_schema_explode() {
    let mut definitions = serde_json::Map::new();
    for level in 0..30 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        definitions.insert(
            format!("l{level}"),
            json!({"type": "object", "properties": {"a": next, "b": next, "c": next}}),
        );
    }
    definitions.insert("l30".to_owned(), json!({"type": "string"}));
    let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/l0"}}, "$defs": definitions});
    assert_eq!(shown(&schema), schema, "left as it was");
    let nowhere = json!({"type": "object", "properties": {"a": {"$ref": "https://x/y.json"}, "b": {"$ref": "#/nowhere"}}});
    assert_eq!(shown(&nowhere), nowhere);
}
