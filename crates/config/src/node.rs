//! The merged tree: values that know where they were written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::parse::parse_json;

/// What is shown in the place of a value that must not be.
pub(crate) const HIDDEN: &str = "[secret]";

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// In this file.
    File(PathBuf),
    /// In this environment variable.
    Env(String),
    /// On the command line.
    Flag,
    /// Nowhere: it is built in.
    #[default]
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => fmt::Display::fmt(&path.display(), f),
            Self::Env(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// How a value came to be, which decides how strictly its type is taken and whether it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Written in a file: it has the type it was written with.
    Literal,
    /// Written in a file like this, with `${…}` in it: it is text, read as its key demands. Where from is known, what it
    /// is, not: errors show it as it was written.
    Reference(Arc<str>),
    /// From a variable or a flag: it is text, read as its key demands.
    Outside,
}

/// One value of the tree.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) origin: Arc<Origin>,
    pub(crate) spelling: Spelling,
    pub(crate) content: Content,
}

/// The value itself.
#[derive(Clone)]
pub(crate) enum Content {
    /// Nothing: the key counts as absent, which lets a layer take back what a lower one has set.
    Null,
    /// A reference that leads nowhere; the error stands in the document already.
    Unresolved,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(crate) fn empty_table(origin: &Arc<Origin>) -> Self {
        Self::new(origin, Spelling::Literal, Content::Table(BTreeMap::new()))
    }

    fn new(origin: &Arc<Origin>, spelling: Spelling, content: Content) -> Self {
        Self { origin: Arc::clone(origin), spelling, content }
    }

    /// The tree of a value, all of it written at `origin`.
    pub(crate) fn from_value(value: &Value, origin: &Arc<Origin>, spelling: &Spelling) -> Self {
        let inner = |value| Self::from_value(value, origin, spelling);
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(value) => Content::Boolean(*value),
            Value::Number(number) => Content::Number(number.clone()),
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(items) => Content::List(items.iter().map(inner).collect()),
            Value::Object(map) => {
                Content::Table(map.iter().map(|(key, value)| (key.clone(), inner(value))).collect())
            }
        };
        Self::new(origin, spelling.clone(), content)
    }

    /// The value as it was written, references resolved.
    pub(crate) fn to_value(&self) -> Value {
        self.convert(&|text, _| text.to_owned())
    }

    /// The value as people may see it: texts that came by reference are hidden, the others masked.
    pub(crate) fn to_guarded_value(&self) -> Value {
        self.convert(&|text, spelling| match spelling {
            Spelling::Reference(_) => HIDDEN.to_owned(),
            Spelling::Literal | Spelling::Outside => seawall_types::mask(text).into_owned(),
        })
    }

    fn convert(&self, show: &impl Fn(&str, &Spelling) -> String) -> Value {
        match &self.content {
            Content::Null | Content::Unresolved => Value::Null,
            Content::Boolean(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(show(text, &self.spelling)),
            Content::List(items) => Value::Array(items.iter().map(|item| item.convert(show)).collect()),
            Content::Table(table) => {
                Value::Object(table.iter().map(|(key, value)| (key.clone(), value.convert(show))).collect())
            }
        }
    }

    /// Lays `other` over this: tables key by key, everything else replaced.
    pub(crate) fn merge(&mut self, other: Self) {
        match (&mut self.content, other.content) {
            (Content::Table(table), Content::Table(above)) => {
                self.origin = other.origin;
                for (key, value) in above {
                    merge_key(table, key, value);
                }
            }
            (content, above) => {
                *content = above;
                self.origin = other.origin;
                self.spelling = other.spelling;
            }
        }
    }

    /// Lays `node` over the value at `path`, making tables on the way there. A number picks an element of a list.
    pub(crate) fn insert(&mut self, path: &[String], node: Self) -> Result<(), String> {
        let Some((first, rest)) = path.split_first() else {
            self.merge(node);
            return Ok(());
        };
        if let Content::List(items) = &mut self.content {
            let item = first.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            return item
                .ok_or_else(|| format!("there is no element {first} in this list"))?
                .insert(rest, node);
        }
        if !matches!(self.content, Content::Table(_)) {
            *self = Self::empty_table(&node.origin);
        }
        let Content::Table(table) = &mut self.content else { return Ok(()) };
        let origin = Arc::clone(&node.origin);
        table.entry(first.clone()).or_insert_with(|| Self::empty_table(&origin)).insert(rest, node)
    }

    /// The value of a key, when this is a table that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Table(table) => table.get(key),
            Content::Null
            | Content::Unresolved
            | Content::Boolean(_)
            | Content::Number(_)
            | Content::Text(_)
            | Content::List(_) => None,
        }
    }

    /// Whether this counts as not there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.content, Content::Null | Content::Unresolved)
    }

    /// The text, when it is one whose type the key decides.
    pub(crate) fn untyped_text(&self) -> Option<&str> {
        match (&self.content, &self.spelling) {
            (Content::Text(text), Spelling::Reference(_) | Spelling::Outside) => Some(text),
            _ => None,
        }
    }

    /// The list or table that a text of no type holds as JSON, when it begins like one.
    pub(crate) fn expanded(&self) -> Result<Option<Self>, String> {
        let Some(text) = self.untyped_text().filter(|text| text.trim_start().starts_with(['[', '{'])) else {
            return Ok(None);
        };
        let value = parse_json(text).map_err(|_| "this begins like JSON and is none".to_owned())?;
        Ok(Some(Self::from_value(&value, &self.origin, &self.spelling)))
    }

    /// The value at a path with dots and indices (`upstreams[0].name`), or the last one on the way there.
    pub(crate) fn reach(&self, path: &str) -> &Self {
        let mut reached = self;
        for step in path.split(['.', '[']).map(|step| step.strip_suffix(']').unwrap_or(step)) {
            let next = match &reached.content {
                Content::Table(table) => table.get(step),
                Content::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            match next {
                Some(node) => reached = node,
                None => break,
            }
        }
        reached
    }

    /// The values from here on that came by reference, each with how it was written.
    pub(crate) fn referred<'n>(&'n self, found: &mut Vec<(&'n str, &'n str)>) {
        match &self.content {
            Content::Text(value) => {
                if let Spelling::Reference(written) = &self.spelling {
                    found.push((value, written));
                }
            }
            Content::List(items) => items.iter().for_each(|item| item.referred(found)),
            Content::Table(table) => table.values().for_each(|value| value.referred(found)),
            Content::Null | Content::Unresolved | Content::Boolean(_) | Content::Number(_) => {}
        }
    }

    /// A text that was written where this was.
    pub(crate) fn part(&self, text: &str) -> Self {
        Self::new(&self.origin, self.spelling.clone(), Content::Text(text.to_owned()))
    }

    /// What kind of value this is, in the words of errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self.content {
            Content::Null | Content::Unresolved => "nothing",
            Content::Boolean(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "text",
            Content::List(_) => "a list",
            Content::Table(_) => "a table",
        }
    }
}

impl fmt::Debug for Node {
    /// The kind alone: the value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} from {})", self.kind(), self.origin)
    }
}

fn merge_key(table: &mut BTreeMap<String, Node>, key: String, value: Node) {
    match table.get_mut(&key) {
        Some(below) => below.merge(value),
        None => {
            table.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(value: &Value) -> Node {
        Node::from_value(value, &Arc::default(), &Spelling::Literal)
    }

    fn merged(below: &Value, above: &Value) -> Value {
        let mut tree = node(below);
        tree.merge(node(above));
        tree.to_value()
    }

    #[test]
    fn tables_merge_key_by_key_and_everything_else_is_replaced() {
        assert_eq!(
            merged(
                &json!({ "a": { "x": 1, "y": [1, 2] }, "b": 1, "c": { "d": 1 } }),
                &json!({ "a": { "y": [3] }, "b": { "z": 1 }, "c": null }),
            ),
            json!({ "a": { "x": 1, "y": [3] }, "b": { "z": 1 }, "c": null }),
        );
    }

    #[test]
    fn a_path_leads_through_tables_and_elements_of_lists() {
        let mut tree = node(&json!({ "list": [{ "a": 1 }], "scalar": 1 }));
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        tree.insert(&path("list.0.b"), node(&json!(2))).unwrap();
        tree.insert(&path("scalar.now.table"), node(&json!(3))).unwrap();
        assert_eq!(
            tree.to_value(),
            json!({ "list": [{ "a": 1, "b": 2 }], "scalar": { "now": { "table": 3 } } })
        );
        for missing in ["list.1", "list.x.y", "list.-1"] {
            assert!(tree.insert(&path(missing), node(&json!(1))).is_err(), "{missing}");
        }
    }
}
