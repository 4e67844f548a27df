//! Several values under one key: lists, maps, and values of any shape.

use std::borrow::Cow;
use std::collections::BTreeMap;

use seawall_types::Secret;
use serde_json::{Value, json};

use super::{Fault, Kind};
use crate::node::{Content, HIDDEN, Node};

/// A list of values of one kind. From outside: JSON, or the values with commas between them.
pub(crate) struct Items<K>(pub(crate) K);

impl<K: Kind> Kind for Items<K> {
    type Value = Vec<K::Value>;

    fn name(&self) -> String {
        format!("list of {}", self.0.name())
    }

    fn schema(&self) -> Value {
        json!({ "type": "array", "items": self.0.schema() })
    }

    fn parse(&self, node: &Node) -> Result<Self::Value, Vec<Fault>> {
        let node = expanded(node)?;
        let items: Cow<'_, [Node]> = match (&node.content, node.untyped_text()) {
            (Content::List(items), _) => Cow::Borrowed(items),
            (_, Some(text)) => Cow::Owned(comma_separated(&node, text)),
            _ => return Err(vec![Fault::type_mismatch(&format!("a {}", self.name()), &node)]),
        };
        collect(items.iter().enumerate().map(|(index, item)| (format!("[{index}]"), self.0.parse(item))))
    }

    fn show(&self, values: &Self::Value) -> Value {
        Value::Array(values.iter().map(|value| self.0.show(value)).collect())
    }
}

fn comma_separated(node: &Node, text: &str) -> Vec<Node> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| node.part(item)).collect()
}

/// Names and texts. Values that came by reference are hidden, since nobody refers to what may be read by all.
pub(crate) struct Map;

impl Kind for Map {
    type Value = BTreeMap<String, String>;

    fn name(&self) -> String {
        "table of text".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
    }

    fn parse(&self, node: &Node) -> Result<Self::Value, Vec<Fault>> {
        let node = expanded(node)?;
        let Content::Table(table) = &node.content else {
            return Err(vec![Fault::type_mismatch("a table of text", &node)]);
        };
        let present = table.iter().filter(|(_, value)| !value.is_absent());
        collect(present.map(|(name, value)| {
            let text = plain_text(value).map(|text| (name.clone(), text));
            (format!(".{name}"), text.ok_or_else(|| vec![Fault::type_mismatch("text", value)]))
        }))
    }

    fn show(&self, values: &Self::Value) -> Value {
        json!(values)
    }

    fn show_written(&self, node: &Node, _values: &Self::Value) -> Value {
        expanded(node).map_or(Value::Null, |node| node.to_guarded_value())
    }
}

/// The text of a scalar: `x-version: 1` means the text `1`.
fn plain_text(node: &Node) -> Option<String> {
    match &node.content {
        Content::Text(text) => Some(text.clone()),
        Content::Number(number) => Some(number.to_string()),
        Content::Boolean(value) => Some(value.to_string()),
        Content::Null | Content::Unresolved | Content::List(_) | Content::Table(_) => None,
    }
}

/// Names and secret texts; only the names are ever shown.
pub(crate) struct SecretMap;

impl Kind for SecretMap {
    type Value = BTreeMap<String, Secret<String>>;

    fn name(&self) -> String {
        "table of secrets".to_owned()
    }

    fn schema(&self) -> Value {
        Map.schema()
    }

    fn parse(&self, node: &Node) -> Result<Self::Value, Vec<Fault>> {
        Map.parse(node).map(|map| map.into_iter().map(|(name, text)| (name, Secret::new(text))).collect())
    }

    fn show(&self, values: &Self::Value) -> Value {
        Value::Object(values.keys().map(|name| (name.clone(), json!(HIDDEN))).collect())
    }
}

/// A value of any shape, for another part of the program to read.
pub(crate) struct Raw;

impl Kind for Raw {
    type Value = Value;

    fn name(&self) -> String {
        "any value".to_owned()
    }

    fn schema(&self) -> Value {
        json!({})
    }

    fn parse(&self, node: &Node) -> Result<Value, Vec<Fault>> {
        Ok(expanded(node)?.to_value())
    }

    fn show(&self, value: &Value) -> Value {
        value.clone()
    }

    fn show_written(&self, node: &Node, _value: &Value) -> Value {
        expanded(node).map_or(Value::Null, |node| node.to_guarded_value())
    }
}

fn expanded(node: &Node) -> Result<Cow<'_, Node>, Vec<Fault>> {
    let json =
        node.expanded().map_err(|message| vec![Fault::new(message, "check its quotes and brackets")])?;
    Ok(json.map_or(Cow::Borrowed(node), Cow::Owned))
}

/// All values, or all faults, each with its place.
fn collect<T, C: FromIterator<T>>(
    results: impl Iterator<Item = (String, Result<T, Vec<Fault>>)>,
) -> Result<C, Vec<Fault>> {
    let mut values = Vec::new();
    let mut faults = Vec::new();
    for (place, result) in results {
        match result {
            Ok(value) => values.push(value),
            Err(found) => faults.extend(found.into_iter().map(|fault| fault.within(&place))),
        }
    }
    if faults.is_empty() { Ok(values.into_iter().collect()) } else { Err(faults) }
}
