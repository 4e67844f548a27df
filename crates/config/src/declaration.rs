//! What the reading code has declared: keys with their types, defaults and words, and the JSON Schema made of them.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// One declared key, with what is below it.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) doc: String,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// What a key holds.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// A value, or a list or map of plain values.
    Leaf { type_name: String, schema: Value, default: Option<Value> },
    /// A table with these keys.
    Section(Vec<Field>),
    /// A list of tables with these keys.
    List(Vec<Field>),
    /// Tables with these keys, under names that the operator chooses.
    Named(Vec<Field>),
}

/// One key as the documentation lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyDoc {
    /// The key with dots; `[]` stands for any element, `NAME` for any name.
    pub key: String,
    /// What it holds, in words.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What holds when it is not set; `None` when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether it must be set wherever its table is.
    pub required: bool,
    /// What it is for.
    pub doc: String,
}

/// Every declared key, in the order of declaration, tables before their keys.
pub(crate) fn list(fields: &[Field], prefix: &str, keys: &mut Vec<KeyDoc>) {
    for field in fields {
        let key = format!("{prefix}{}", field.key);
        let (type_name, default, below) = match &field.shape {
            Shape::Leaf { type_name, default, .. } => (type_name.as_str(), default.clone(), None),
            Shape::Section(fields) => ("table", None, Some((fields, format!("{key}.")))),
            Shape::List(fields) => ("list of tables", None, Some((fields, format!("{key}[].")))),
            Shape::Named(fields) => ("named tables", None, Some((fields, format!("{key}.NAME.")))),
        };
        let type_name = type_name.to_owned();
        keys.push(KeyDoc { key, type_name, default, required: field.required, doc: field.doc.clone() });
        if let Some((fields, prefix)) = below {
            list(fields, &prefix, keys);
        }
    }
}

/// The JSON Schema of a whole file, <https://json-schema.org/draft/2020-12>.
///
/// It describes a file as it is written, so it lets `null` and `${…}` stand for any value. Only within lists, which
/// no other layer can complete, are required keys required.
pub(crate) fn schema(fields: &[Field]) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.extend(table(fields, false));
    schema.insert(
        "$defs".to_owned(),
        json!({ "unset_or_reference": {
            "description": "Nothing, or a text with ${VARIABLE} in it.",
            "type": ["string", "null"],
            "pattern": "\\$\\{",
        } }),
    );
    Value::Object(schema)
}

fn table(fields: &[Field], complete: bool) -> Map<String, Value> {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.key.clone(), property(field))).collect();
    let mut table = Map::new();
    table.insert("type".to_owned(), json!(["object", "null"]));
    table.insert("properties".to_owned(), Value::Object(properties));
    table.insert("additionalProperties".to_owned(), Value::Bool(false));
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.key.as_str()).collect();
    if complete && !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    table
}

fn property(field: &Field) -> Value {
    let mut property = match &field.shape {
        Shape::Leaf { schema, default, .. } => leaf(schema, default.as_ref()),
        Shape::Section(fields) => table(fields, false),
        Shape::List(fields) => Map::from_iter([
            ("type".to_owned(), json!(["array", "null"])),
            ("items".to_owned(), Value::Object(table(fields, true))),
        ]),
        Shape::Named(fields) => Map::from_iter([
            ("type".to_owned(), json!(["object", "null"])),
            ("additionalProperties".to_owned(), Value::Object(table(fields, false))),
        ]),
    };
    if !field.doc.is_empty() {
        property.insert("description".to_owned(), Value::String(field.doc.clone()));
    }
    Value::Object(property)
}

fn leaf(schema: &Value, default: Option<&Value>) -> Map<String, Value> {
    let mut leaf = Map::new();
    leaf.insert("anyOf".to_owned(), json!([schema, { "$ref": "#/$defs/unset_or_reference" }]));
    if let Some(default) = default {
        leaf.insert("default".to_owned(), default.clone());
    }
    leaf
}
