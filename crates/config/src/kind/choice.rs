//! One of a few names.

use serde_json::{Value, json};

use super::{Fault, Kind, quoted, text_of};
use crate::hint;
use crate::node::Node;

/// One of these names, each of which stands for a value.
pub(crate) struct Choice<'a, T>(pub(crate) &'a [(&'a str, T)]);

impl<T> Choice<'_, T> {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| *name)
    }

    pub(crate) fn listed(&self) -> String {
        self.names().collect::<Vec<_>>().join(", ")
    }
}

impl<T: Copy + PartialEq> Kind for Choice<'_, T> {
    type Value = T;

    fn name(&self) -> String {
        format!("one of {}", self.listed())
    }

    fn schema(&self) -> Value {
        json!({ "enum": self.names().collect::<Vec<_>>() })
    }

    fn parse(&self, node: &Node) -> Result<T, Vec<Fault>> {
        let text = text_of(node).ok_or_else(|| vec![Fault::type_mismatch(&self.name(), node)])?;
        let chosen = self.0.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        chosen.ok_or_else(|| {
            let reason = format!("{} is not one of {}", quoted(text), self.listed());
            let hint = hint::nearest(text, self.names()).map(|name| format!("did you mean {name}?"));
            vec![Fault::unreadable(&self.name(), node, reason, &hint.unwrap_or_default())]
        })
    }

    fn show(&self, value: &T) -> Value {
        let name = self.0.iter().find(|(_, known)| known == value).map(|(name, _)| *name);
        json!(name)
    }
}
