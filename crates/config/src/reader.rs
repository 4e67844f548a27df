//! A cursor over one table of the document, which reads its keys and learns what they are.
//!
//! Reading never stops at an error: the faulty key gives its default, the error is kept, and the next key is read. So
//! all errors come at once, and the reading code needs no error handling of its own.

mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::declaration::{Field, Shape};
use super::error::ConfigError;
use super::hint;
use super::kind::{Fault, Kind};
use super::node::{Content, HIDDEN, Node, Origin};
use super::outcome::{Entry, KNOWN_HERE, UNKNOWN_KEY};
use super::withhold;
use seawall_types::{REDACTED, mask};

/// Why the reading code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To read a document.
    Read,
    /// To learn the keys: every getter gives its default, no error is kept, and every list is visited once.
    Describe,
}

/// Reads the keys of one table.
///
/// Every getter declares its key: the name, words for the documentation, the type, the default. A key that no getter
/// asked for is an unknown key and an error.
///
/// The same code also runs over nothing, to describe the keys. Then getters give their defaults and `required` ones
/// an empty value, so reading code must not panic on those, and must ask for its keys unconditionally.
#[derive(Debug)]
pub struct Reader<'d> {
    mode: Mode,
    /// The key of this table; empty for the root.
    path: String,
    /// The table, where the document has it.
    table: Option<&'d Node>,
    pub(crate) fields: Vec<Field>,
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) entries: Vec<Entry>,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(mode: Mode, path: String, table: Option<&'d Node>) -> Self {
        Self { mode, path, table, fields: Vec::new(), errors: Vec::new(), entries: Vec::new() }
    }

    /// Reads the table at `key`. An absent one is read as an empty one.
    pub fn section<T>(&mut self, key: &str, doc: &str, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let node = self.expanded_child(key);
        let (mode, table) = match node.as_deref() {
            None => (self.mode, None),
            Some(table) if matches!(table.content, Content::Table(_)) => (self.mode, Some(table)),
            Some(other) => {
                self.fault(key, other, &Fault::type_mismatch("a table", other));
                // Its keys are as good as unwritten; asking for required ones would only repeat the error.
                (Mode::Describe, None)
            }
        };
        let (value, fields) = self.visit(mode, self.path_of(key), table, read);
        self.declare(key, doc, Shape::Section(fields));
        value
    }

    /// Reads the table at `key` if there is one, so that its required keys are required only then.
    pub fn optional_section<T>(
        &mut self,
        key: &str,
        doc: &str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<T> {
        if self.is_set(key) {
            return Some(self.section(key, doc, read));
        }
        let (_, fields) = self.visit(Mode::Describe, self.path_of(key), None, read);
        self.declare(key, doc, Shape::Section(fields));
        None
    }

    /// Reads the list of tables at `key`, each with `read`. An absent one is empty.
    pub fn list<T>(&mut self, key: &str, doc: &str, mut read: impl FnMut(&mut Reader<'_>) -> T) -> Vec<T> {
        let node = self.expanded_child(key);
        let mut values = Vec::new();
        let mut fields = Vec::new();
        match node.as_deref().map(|node| (node, &node.content)) {
            Some((_, Content::List(items))) => {
                for (index, item) in items.iter().enumerate() {
                    let element = format!("{key}[{index}]");
                    if let Some((value, declared)) = self.element(&element, item, &mut read) {
                        values.push(value);
                        fields = declared;
                    }
                }
            }
            Some((other, _)) => self.fault(key, other, &Fault::type_mismatch("a list of tables", other)),
            None => {}
        }
        if self.mode == Mode::Describe {
            (_, fields) = self.visit(Mode::Describe, format!("{}[]", self.path_of(key)), None, read);
        }
        self.enter_if_empty(key, values.is_empty(), || Value::Array(Vec::new()));
        self.declare(key, doc, Shape::List(fields));
        values
    }

    /// Reads the tables at `key` that the operator has named, each with `read`, which is given the name.
    pub fn named<T>(
        &mut self,
        key: &str,
        doc: &str,
        mut read: impl FnMut(&str, &mut Reader<'_>) -> T,
    ) -> BTreeMap<String, T> {
        let node = self.expanded_child(key);
        let mut values = BTreeMap::new();
        let mut fields = Vec::new();
        match node.as_deref().map(|node| (node, &node.content)) {
            Some((_, Content::Table(tables))) => {
                for (name, table) in tables.iter().filter(|(_, table)| !table.is_absent()) {
                    let element = format!("{key}.{name}");
                    if let Some((value, declared)) =
                        self.element(&element, table, |reader| read(name, reader))
                    {
                        values.insert(name.clone(), value);
                        fields = declared;
                    }
                }
            }
            Some((other, _)) => {
                self.fault(key, other, &Fault::type_mismatch("a table of named tables", other))
            }
            None => {}
        }
        if self.mode == Mode::Describe {
            let path = format!("{}.NAME", self.path_of(key));
            (_, fields) = self.visit(Mode::Describe, path, None, |reader| read("NAME", reader));
        }
        self.enter_if_empty(key, values.is_empty(), || Value::Object(serde_json::Map::new()));
        self.declare(key, doc, Shape::Named(fields));
        values
    }

    /// Whether the document sets `key`.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.child(key).is_some()
    }

    /// Records an error that no single getter can see, such as two keys that exclude each other. An empty `hint`
    /// means none; an empty `key` means this table. Ignored while describing.
    pub fn error(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let about = self.table.map(|table| if key.is_empty() { table } else { table.reach(key) });
        let origin = about.map_or(Origin::Default, |node| (*node.origin).clone());
        let mut message = message.into();
        if let Some(about) = about {
            message = withhold::from(&message, about);
        }
        self.record(origin, key, &Fault::new(message, hint));
    }

    /// Whether the value of `key`, or an element of its list, is a reference that leads nowhere.
    #[must_use]
    pub fn is_unresolved(&self, key: &str) -> bool {
        let is = |node: &Node| matches!(node.content, Content::Unresolved);
        let node = self.table.and_then(|table| table.get(key));
        node.is_some_and(|node| match &node.content {
            Content::List(items) => items.iter().any(is),
            _ => is(node),
        })
    }

    /// The keys of the values in this table with which something was wrong so far.
    pub fn faulty(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().map(|error| error.key.as_str())
    }

    /// Reads one leaf: declares it, parses it where it is set, and enters its effective value.
    fn leaf<K: Kind>(
        &mut self,
        key: &str,
        doc: &str,
        kind: &K,
        default: Option<&K::Value>,
    ) -> Option<K::Value> {
        let default = default.map(|value| kind.show(value));
        let node = self.child(key);
        let value = node.and_then(|node| match kind.parse(node) {
            Ok(value) => Some(value),
            Err(faults) => {
                for fault in &faults {
                    self.fault(key, node, fault);
                }
                None
            }
        });
        match (node, &value) {
            (Some(node), Some(value)) => self.enter(key, kind.show_written(node, value), Some(node)),
            _ => self.enter(key, default.clone().unwrap_or_default(), None),
        }
        self.declare(key, doc, Shape::Leaf { type_name: kind.name(), schema: kind.schema(), default });
        value
    }

    /// As [`Reader::leaf`], and an error when the key is not set.
    fn required_leaf<K: Kind>(&mut self, key: &str, doc: &str, kind: &K) -> Option<K::Value> {
        let written = self.table.and_then(|table| table.get(key));
        // A reference that leads nowhere was reported when it was resolved.
        if written.is_none_or(|node| matches!(node.content, Content::Null)) {
            self.error(key, "required and not set", format!("expected {}", kind.name()));
        }
        let value = self.leaf(key, doc, kind, None);
        if let Some(field) = self.fields.last_mut() {
            field.required = true;
        }
        value
    }

    /// The keys of this table that nobody has asked for become errors. Called when reading code has returned.
    pub(crate) fn close(&mut self) {
        let Some(Content::Table(table)) = self.table.map(|node| &node.content) else { return };
        for (key, node) in table {
            if self.fields.iter().all(|field| field.key != *key) {
                let known = || self.fields.iter().map(|field| field.key.as_str());
                let hint = match hint::nearest(key, known()) {
                    Some(known) => format!("did you mean {}?", self.path_of(known)),
                    None => format!("{KNOWN_HERE}{}", known().collect::<Vec<_>>().join(", ")),
                };
                self.record((*node.origin).clone(), key, &Fault::new(UNKNOWN_KEY, hint));
            }
        }
    }

    /// Reads one table of several.
    fn element<T>(
        &mut self,
        element: &str,
        node: &Node,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<(T, Vec<Field>)> {
        let node = self.expand(element, node)?;
        if matches!(node.content, Content::Table(_)) {
            return Some(self.visit(self.mode, self.path_of(element), Some(&node), read));
        }
        if !matches!(node.content, Content::Unresolved) {
            self.fault(element, &node, &Fault::type_mismatch("a table", &node));
        }
        None
    }

    /// Runs `read` over a table below this one and takes over what it found.
    fn visit<T>(
        &mut self,
        mode: Mode,
        path: String,
        table: Option<&Node>,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> (T, Vec<Field>) {
        let mut inner = Reader::new(mode, path, table);
        let value = read(&mut inner);
        inner.close();
        self.errors.append(&mut inner.errors);
        self.entries.append(&mut inner.entries);
        (value, inner.fields)
    }

    /// The value at `key`, where it counts as set.
    fn child(&self, key: &str) -> Option<&'d Node> {
        self.table.and_then(|table| table.get(key)).filter(|node| !node.is_absent())
    }

    /// The value at `key`, expanded.
    fn expanded_child(&mut self, key: &str) -> Option<Cow<'d, Node>> {
        self.child(key).and_then(|node| self.expand(key, node))
    }

    /// The value itself or, where a variable or a flag holds it as JSON, what the JSON says.
    fn expand<'n>(&mut self, key: &str, node: &'n Node) -> Option<Cow<'n, Node>> {
        match node.expanded() {
            Ok(expanded) => Some(expanded.map_or(Cow::Borrowed(node), Cow::Owned)),
            Err(message) => {
                self.fault(key, node, &Fault::new(message, "check its quotes and brackets"));
                None
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    fn declare(&mut self, key: &str, doc: &str, shape: Shape) {
        self.fields.push(Field { key: key.to_owned(), doc: doc.to_owned(), required: false, shape });
    }

    /// Enters the value at `key` as people may see it, which was `written` so, or nowhere.
    fn enter(&mut self, key: &str, value: Value, written: Option<&Node>) {
        if self.mode == Mode::Read {
            let (key, value) = (mask(&self.path_of(key)).into_owned(), masked(value));
            let origin = written.map_or(Origin::Default, |node| (*node.origin).clone());
            let hidden = written.filter(|_| hides(&value)).map(|node| node.to_value().to_string().into());
            self.entries.push(Entry { key, value, origin, hidden });
        }
    }

    /// A list or table without elements has an entry of its own; otherwise its elements have.
    fn enter_if_empty(&mut self, key: &str, is_empty: bool, value: impl FnOnce() -> Value) {
        if is_empty {
            self.enter(key, value(), self.child(key));
        }
    }

    fn fault(&mut self, key: &str, node: &Node, fault: &Fault) {
        self.record((*node.origin).clone(), key, fault);
    }

    fn record(&mut self, origin: Origin, key: &str, fault: &Fault) {
        if self.mode == Mode::Read {
            let key = format!("{}{}", self.path_of(key), fault.place);
            self.errors.push(ConfigError::new(origin, &key, &fault.message, &fault.hint));
        }
    }
}

/// Whether what people see of a value leaves something out.
fn hides(shown: &Value) -> bool {
    match shown {
        Value::String(text) => text == HIDDEN || text.contains(REDACTED),
        Value::Array(items) => items.iter().any(hides),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains(REDACTED) || hides(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The last line of defence of `show`: whatever looks like a key is not shown, whoever declared what.
fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask(&text).into_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        Value::Object(map) => Value::Object(
            map.into_iter().map(|(key, value)| (mask(&key).into_owned(), masked(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
