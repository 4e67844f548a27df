//! What a configuration may ask for and this build does not do: known by name, and refused rather than passed over.

use serde_json::{Value, json};

use super::choice::Choice;
use super::{Fault, Kind, quoted, text_of};
use crate::node::{Content, Node};

const ABSENT: &str = "not in this build";

/// A key that this build has nothing for. Empty tables and lists ask for nothing.
pub(crate) struct Absent<'a> {
    pub(crate) remedy: &'a str,
}

impl Kind for Absent<'_> {
    type Value = ();

    fn name(&self) -> String {
        "nothing".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "null" })
    }

    fn parse(&self, node: &Node) -> Result<(), Vec<Fault>> {
        let is_empty = match &node.content {
            Content::Null => true,
            Content::List(items) => items.is_empty(),
            Content::Table(keys) => keys.is_empty(),
            Content::Text(text) => text.is_empty(),
            Content::Unresolved | Content::Boolean(_) | Content::Number(_) => false,
        };
        if is_empty { Ok(()) } else { Err(vec![Fault::new(ABSENT, self.remedy)]) }
    }

    fn show(&self, (): &()) -> Value {
        Value::Null
    }

    // It may have been meant as a secret.
    fn show_written(&self, _node: &Node, (): &()) -> Value {
        Value::Null
    }
}

/// One of a few names, beside others that this build knows and does not do.
pub(crate) struct Partly<'a, T> {
    pub(crate) choices: &'a [(&'a str, T)],
    pub(crate) absent: &'a [&'a str],
}

impl<T: Copy + PartialEq> Kind for Partly<'_, T> {
    type Value = T;

    fn name(&self) -> String {
        Choice(self.choices).name()
    }

    fn schema(&self) -> Value {
        Choice(self.choices).schema()
    }

    fn parse(&self, node: &Node) -> Result<T, Vec<Fault>> {
        match text_of(node).filter(|text| self.absent.contains(text)) {
            Some(text) => {
                let message = format!("{} is {ABSENT}", quoted(text));
                Err(vec![Fault::new(message, format!("write {}", Choice(self.choices).listed()))])
            }
            None => Choice(self.choices).parse(node),
        }
    }

    fn show(&self, value: &T) -> Value {
        Choice(self.choices).show(value)
    }
}
