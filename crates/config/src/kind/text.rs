//! Texts: plain, secret, and those with a form of their own.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use seawall_types::Secret;
use serde_json::{Value, json};

use super::{Fault, Kind, text_of};
use crate::node::{Content, HIDDEN, Node};

/// Any text.
pub(crate) struct Text;

impl Kind for Text {
    type Value = String;

    fn name(&self) -> String {
        "text".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "string" })
    }

    fn parse(&self, node: &Node) -> Result<String, Vec<Fault>> {
        text_of(node).map(str::to_owned).ok_or_else(|| vec![not_text(node)])
    }

    fn show(&self, value: &String) -> Value {
        Value::String(value.clone())
    }
}

/// A text that is never shown, neither when it is right nor when its type is wrong.
pub(crate) struct SecretText;

impl Kind for SecretText {
    type Value = Secret<String>;

    fn name(&self) -> String {
        "secret".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "string", "writeOnly": true })
    }

    fn parse(&self, node: &Node) -> Result<Secret<String>, Vec<Fault>> {
        text_of(node).map(|text| Secret::new(text.to_owned())).ok_or_else(|| vec![not_text(node)])
    }

    fn show(&self, _value: &Secret<String>) -> Value {
        Value::String(HIDDEN.to_owned())
    }
}

fn not_text(node: &Node) -> Fault {
    let mut fault = Fault::type_mismatch("text", node);
    if matches!(node.content, Content::Number(_) | Content::Boolean(_)) {
        "put quotes around it".clone_into(&mut fault.hint);
    }
    fault
}

/// A text that a type of the program reads: an address, a URL, a range of addresses.
pub(crate) struct Parsed<T>(PhantomData<fn() -> T>);

impl<T> Parsed<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromStr<Err: Display> + Display> Kind for Parsed<T> {
    type Value = T;

    fn name(&self) -> String {
        "text".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "string" })
    }

    fn parse(&self, node: &Node) -> Result<T, Vec<Fault>> {
        let text = text_of(node).ok_or_else(|| vec![not_text(node)])?;
        text.parse().map_err(|error: T::Err| {
            let reason = format!("{} can't be read: {error}", super::quoted(text));
            vec![Fault::unreadable("valid here", node, reason, "")]
        })
    }

    fn show(&self, value: &T) -> Value {
        Value::String(value.to_string())
    }
}
