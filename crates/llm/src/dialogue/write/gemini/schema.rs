//! The schema of a tool's arguments as Gemini takes it, which is nearly as it stands.
//!
//! `parametersJsonSchema` takes JSON Schema where the older `parameters` takes a part of OpenAPI's. What is still refused there:
//! `$schema`; `$ref` beside anything but a description and a default; and `$ref` to anywhere but the root's `$defs`, as
//! `#/definitions/…`. So `$schema` is left out, and what is referred to
//! stands in the reference's place. Only a schema that contains itself keeps its references.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::pen;

/// How deep references are followed. A schema that goes deeper keeps its references from there on.
const DEEPEST: usize = 24;
/// The most that a schema may grow to by following its references, in bytes. What is larger keeps its references.
const LARGEST: usize = 256 * 1024;

/// The keywords whose value is a schema for each name of the author's choice.
const NAMED: &[&str] = &["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];
/// The keywords whose value is JSON of the author's choice.
const PLAIN: &[&str] = &["enum", "const", "default", "examples", "example", "required", "type"];

/// Writes the schema.
pub(super) fn write(schema: &Value, out: &mut Vec<u8>) {
    let start = out.len();
    let mut writer = Writer { root: schema, out, start, following: Vec::new(), kept: false, follows: true };
    writer.schema(schema);
    if writer.kept {
        // Once more, with everything that references lead to.
        out.truncate(start);
        Writer { root: schema, out, start, following: Vec::new(), kept: false, follows: false }
            .schema(schema);
    }
}

struct Writer<'s, 'o> {
    root: &'s Value,
    out: &'o mut Vec<u8>,
    start: usize,
    /// The references that lead here.
    following: Vec<&'s str>,
    /// A reference had to stay.
    kept: bool,
    /// Whether references are replaced by what they lead to.
    follows: bool,
}

impl<'s> Writer<'s, '_> {
    fn schema(&mut self, schema: &'s Value) {
        match schema {
            Value::Object(members) => self.object(members),
            Value::Array(schemas) => {
                self.out.push(b'[');
                for (index, schema) in schemas.iter().enumerate() {
                    self.separate(index);
                    self.schema(schema);
                }
                self.out.push(b']');
            }
            other => pen::json(self.out, other),
        }
    }

    fn object(&mut self, members: &'s Map<String, Value>) {
        let Some(reference) = members.get("$ref").and_then(Value::as_str) else {
            return self.members(members.iter());
        };
        match self.target(reference) {
            Some(target) => {
                self.following.push(reference);
                // What stands beside the reference says more about this place than what it leads to.
                let own = members.iter().filter(|(key, _)| *key != "$ref");
                let other = target.iter().filter(|(key, _)| !members.contains_key(*key));
                if target.contains_key("$ref") {
                    self.object(target);
                } else {
                    self.members(other.chain(own));
                }
                self.following.pop();
            }
            None => {
                self.kept = true;
                self.kept_reference(members, reference);
            }
        }
    }

    /// A reference that stays, to the only place where the provider looks for it.
    fn kept_reference(&mut self, members: &Map<String, Value>, reference: &str) {
        let place = match reference.strip_prefix("#/definitions/") {
            Some(name) => Cow::Owned(format!("#/$defs/{name}")),
            None => Cow::Borrowed(reference),
        };
        pen::object(self.out, None, |object| {
            object.member("$ref", &*place);
            object.some("description", members.get("description"));
            object.some("default", members.get("default"));
        });
    }

    /// What a reference within this schema leads to, unless it leads back to itself.
    fn target(&self, reference: &'s str) -> Option<&'s Map<String, Value>> {
        let is_bounded = self.following.len() < DEEPEST && self.out.len() - self.start < LARGEST;
        let goes_on = self.follows && is_bounded && !self.following.contains(&reference);
        let pointer = reference.strip_prefix('#').filter(|_| goes_on)?;
        self.root.pointer(&crate::wire::percent_decode(pointer))?.as_object()
    }

    fn members(&mut self, members: impl Iterator<Item = (&'s String, &'s Value)>) {
        self.out.push(b'{');
        let mut written = 0;
        for (key, value) in members {
            // What references lead to stands in their places already.
            let is_gone = key == "$schema" || (self.follows && (key == "$defs" || key == "definitions"));
            if is_gone {
                continue;
            }
            self.separate(written);
            written += 1;
            pen::json(self.out, if key == "definitions" { "$defs" } else { key });
            self.out.push(b':');
            match value {
                Value::Object(named) if NAMED.contains(&key.as_str()) => self.named(named),
                value if PLAIN.contains(&key.as_str()) => pen::json(self.out, value),
                value => self.schema(value),
            }
        }
        self.out.push(b'}');
    }

    fn named(&mut self, schemas: &'s Map<String, Value>) {
        self.out.push(b'{');
        for (index, (name, schema)) in schemas.iter().enumerate() {
            self.separate(index);
            pen::json(self.out, name);
            self.out.push(b':');
            self.schema(schema);
        }
        self.out.push(b'}');
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
    }
}
