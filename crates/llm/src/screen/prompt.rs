//! The texts of a request that go to a model: where each stands and whose it is.
//!
//! The four wire formats are one grammar here: objects that may have a `role` and a `type`, and texts under any key.
//! Every string counts as text but for those under keys that are known to hold none, so that a part which nobody here
//! has heard of is looked at too. Of a tool's declaration the descriptions are texts. What a text may say is the caller's
//! to judge.

use std::fmt;

use bytes::Bytes;

use crate::json::{Document, Kind as JsonKind, Value, Walk};
use crate::splice::Splices;
use crate::wire::Wire;

/// Numbers with fewer digits are no account and name nobody by themselves: payment cards have 13 at least (ISO/IEC 7812).
const SHORTEST_NUMBER: usize = 13;

/// Whose text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What the operator tells the model.
    System,
    /// What the user says.
    User,
    /// What the model said, or thought, earlier.
    Assistant,
    /// What the model gave to a tool earlier.
    ToolArguments,
    /// What a tool brought back.
    ToolResult,
    /// What a tool says about itself.
    ToolDescription,
}

/// One text of a request.
#[derive(Debug, Clone, Copy)]
pub struct PromptText<'a> {
    /// Whose it is.
    pub kind: Kind,
    /// The text, unescaped; of what a tool was given or brought back also a long number, as it is written.
    pub text: &'a str,
    /// Where it stands.
    pub place: Place<'a>,
}

impl<'a> PromptText<'a> {
    /// The name that it stands under, that of its list where it is in one.
    #[must_use]
    pub fn name(&self) -> &'a str {
        let mut at = self.place.nodes.get(self.place.at);
        while let Some(node) = at {
            match &node.step {
                Step::Key(key) => return key,
                Step::Element(_) => at = node.parent.and_then(|parent| self.place.nodes.get(parent)),
            }
        }
        ""
    }
}

/// Where a text stands: printed, a JSON pointer (RFC 6901).
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    nodes: &'a [Node],
    at: usize,
}

/// A step from a value to one in it.
#[derive(Debug)]
struct Node {
    parent: Option<usize>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Key(Box<str>),
    Element(usize),
}

/// Shows each text of `body` to `look`, and puts what it gives in the text's place. All other bytes stay as they are; gives
/// nothing when there is nothing to change.
pub fn screen_prompt(
    wire: Wire,
    body: &Document,
    mut look: impl FnMut(&PromptText<'_>) -> Option<String>,
) -> Option<Bytes> {
    let (object, body) = (body.object(), body.text());
    let mut reader = Reader::default();
    for (key, value) in object.iter() {
        let Some(kind) = kind_of_member(wire, &key) else { continue };
        let start = reader.texts.len();
        let node = reader.node(None, Step::Key(key.into()));
        let mut walk = Walk::over(value);
        match kind {
            Kind::ToolDescription => reader.descriptions(&mut walk, node, false),
            _ => reader.value(&mut walk, node),
        }
        reader.resolve(start, Some(kind));
    }
    let mut splices = Splices::default();
    let mut room = String::new();
    for found in &reader.texts {
        let read = match found.value.kind() {
            JsonKind::Number => std::str::from_utf8(found.value.raw()).ok(),
            _ => found.value.read_into(&mut room),
        };
        let Some(text) = read.filter(|text| !text.is_empty()) else { continue };
        let place = Place { nodes: &reader.nodes, at: found.node };
        let kind = found.kind.unwrap_or(Kind::User);
        if let Some(new) = look(&PromptText { kind, text, place }).filter(|new| *new != text) {
            splices.say(found.value, &new);
        }
    }
    (!splices.is_empty()).then(|| splices.apply(body).into())
}

/// Whose the texts under a member of the body are, unless they say something else themselves. Everything else in a body
/// is settings.
fn kind_of_member(wire: Wire, key: &str) -> Option<Kind> {
    match key {
        "messages" | "input" | "prompt" | "suffix" | "contents" | "content" | "requests" => Some(Kind::User),
        "system" | "instructions" | "systemInstruction" | "system_instruction" => Some(Kind::System),
        "tools" | "functions" => Some(Kind::ToolDescription),
        "prediction" => Some(Kind::Assistant),
        // Nobody knows what the members of an unknown body are.
        _ if wire == Wire::Other => Some(Kind::User),
        _ => None,
    }
}

/// Whose the texts under a key inside a message are.
fn kind_of_key(key: &[u8]) -> Option<Kind> {
    match key {
        b"tool_calls" | b"function_call" | b"functionCall" => Some(Kind::ToolArguments),
        b"functionResponse" | b"function_response" => Some(Kind::ToolResult),
        b"systemInstruction" | b"system_instruction" => Some(Kind::System),
        _ => None,
    }
}

/// Keys under which no text stands that a model reads: names, numbers, references, bytes, signatures.
fn is_no_text(key: &[u8]) -> bool {
    matches!(
        key,
        b"id"
            | b"call_id"
            | b"tool_call_id"
            | b"tool_use_id"
            | b"item_id"
            | b"file_id"
            | b"name"
            | b"status"
            | b"phase"
            | b"detail"
            | b"format"
            | b"media_type"
            | b"mime_type"
            | b"mimeType"
            | b"cache_control"
            | b"signature"
            | b"thoughtSignature"
            | b"thought_signature"
            | b"encrypted_content"
            | b"inlineData"
            | b"inline_data"
            | b"input_audio"
            | b"file_data"
    )
}

/// Whose the texts in an object of this type are.
fn kind_of_type(kind: &str) -> Option<Kind> {
    match kind {
        "tool_use" | "server_tool_use" | "mcp_tool_use" => Some(Kind::ToolArguments),
        kind if kind.ends_with("_call") => Some(Kind::ToolArguments),
        kind if kind.ends_with("_call_output") || kind.ends_with("tool_result") => Some(Kind::ToolResult),
        "reasoning" | "thinking" | "redacted_thinking" | "output_text" => Some(Kind::Assistant),
        _ => None,
    }
}

fn kind_of_role(role: &str) -> Option<Kind> {
    match role {
        "system" | "developer" => Some(Kind::System),
        "user" => Some(Kind::User),
        "assistant" | "model" => Some(Kind::Assistant),
        "tool" | "function" => Some(Kind::ToolResult),
        _ => None,
    }
}

#[derive(Debug)]
struct Found<'a> {
    value: Value<'a>,
    node: usize,
    kind: Option<Kind>,
}

/// The texts found so far.
#[derive(Debug, Default)]
struct Reader<'a> {
    nodes: Vec<Node>,
    texts: Vec<Found<'a>>,
}

/// How an object says whose its texts are: its own words come before or after them.
#[derive(Default)]
struct Facts<'a> {
    role: Option<Value<'a>>,
    kind: Option<Value<'a>>,
    data: Option<(Value<'a>, usize)>,
}

impl<'a> Reader<'a> {
    fn node(&mut self, parent: Option<usize>, step: Step) -> usize {
        self.nodes.push(Node { parent, step });
        self.nodes.len() - 1
    }

    /// The texts since `start` that nobody has claimed are of this kind.
    fn resolve(&mut self, start: usize, kind: Option<Kind>) {
        for found in self.texts.iter_mut().skip(start).filter(|found| found.kind.is_none()) {
            found.kind = kind;
        }
    }

    fn value(&mut self, walk: &mut Walk<'a>, node: usize) {
        match walk.kind() {
            JsonKind::String => self.text(walk.value(), node),
            JsonKind::Array => self.array(walk, node, Self::value),
            JsonKind::Object => self.object(walk, node),
            _ => {}
        }
    }

    /// A picture in a URL has no text, whatever its key.
    fn text(&mut self, value: Value<'a>, node: usize) {
        if !value.raw().starts_with(b"\"data:") {
            self.texts.push(Found { value, node, kind: None });
        }
    }

    fn array(
        &mut self,
        walk: &mut Walk<'a>,
        node: usize,
        mut each: impl FnMut(&mut Self, &mut Walk<'a>, usize),
    ) {
        let mut at = 0;
        walk.array(|walk| {
            let element = self.node(Some(node), Step::Element(at));
            at += 1;
            each(self, walk, element);
        });
    }

    fn object(&mut self, walk: &mut Walk<'a>, node: usize) {
        let start = self.texts.len();
        let mut facts = Facts::default();
        walk.object(|key, walk| self.member(key, walk, node, &mut facts));
        let kind = facts.kind.and_then(|kind| kind.as_str());
        if kind.as_deref() == Some("text")
            && let Some((data, node)) = facts.data
        {
            self.text(data, node);
        }
        let role = facts.role.and_then(|role| role.as_str());
        let own = kind.as_deref().and_then(kind_of_type);
        self.resolve(start, own.or_else(|| role.as_deref().and_then(kind_of_role)));
    }

    fn member(&mut self, key: &[u8], walk: &mut Walk<'a>, parent: usize, facts: &mut Facts<'a>) {
        if is_no_text(key) {
            return;
        }
        if matches!((key, walk.kind()), (b"role" | b"type", JsonKind::String)) {
            let fact = if key == b"role" { &mut facts.role } else { &mut facts.kind };
            *fact = Some(walk.value());
            return;
        }
        let start = self.texts.len();
        let node = self.node(Some(parent), Step::Key(String::from_utf8_lossy(key).into()));
        match key {
            // Bytes, but for a document in plain text.
            b"data" => facts.data = Some((walk.value(), node)),
            // What a tool was given, or brought back, may have any keys.
            b"input" | b"args" | b"arguments" | b"response" | b"action" | b"operation" => {
                self.everything(walk, node);
            }
            _ => self.value(walk, node),
        }
        if let Some(kind) = kind_of_key(key) {
            self.resolve(start, Some(kind));
        }
    }

    /// Every string, whatever its key, and every number that may be an account.
    fn everything(&mut self, walk: &mut Walk<'a>, node: usize) {
        match walk.kind() {
            JsonKind::String => self.text(walk.value(), node),
            JsonKind::Number => {
                let value = walk.value();
                if value.raw().len() >= SHORTEST_NUMBER {
                    self.texts.push(Found { value, node, kind: None });
                }
            }
            JsonKind::Array => self.array(walk, node, Self::everything),
            JsonKind::Object => walk.object(|key, walk| {
                let step = Step::Key(String::from_utf8_lossy(key).into());
                let member = self.node(Some(node), step);
                self.everything(walk, member);
            }),
            _ => {}
        }
    }

    /// What stands under `description`, however deep.
    fn descriptions(&mut self, walk: &mut Walk<'a>, node: usize, is_description: bool) {
        match walk.kind() {
            JsonKind::String if is_description => self.text(walk.value(), node),
            JsonKind::Array => self.array(walk, node, |reader, walk, node| {
                reader.descriptions(walk, node, false);
            }),
            JsonKind::Object => walk.object(|key, walk| {
                let step = Step::Key(String::from_utf8_lossy(key).into());
                let member = self.node(Some(node), step);
                self.descriptions(walk, member, key == b"description");
            }),
            _ => {}
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = Vec::new();
        let mut at = Some(self.at);
        while let Some(node) = at.and_then(|at| self.nodes.get(at)) {
            steps.push(&node.step);
            at = node.parent;
        }
        steps.into_iter().rev().try_for_each(|step| match step {
            Step::Key(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Step::Element(at) => write!(f, "/{at}"),
        })
    }
}
