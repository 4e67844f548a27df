//! Changes single facts of a request in place: everything else stays byte for byte what the client wrote.

use bytes::Bytes;

use super::flag;
use crate::json::{Document, JsonError, Object};
use crate::splice::Splices;
use crate::wire::Wire;

/// What to change. Nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edits<'a> {
    /// Ask for usage in the stream, where the wire format makes that optional and the request is for a stream.
    pub include_usage: bool,
    /// The most tokens that a choice may have, whatever the request says.
    pub max_output: Option<u64>,
    /// What a chat upstream calls it: the limit stands there under this name, whatever the request calls it.
    pub limit_name: LimitName,
    /// Another model. Gemini's is in the path, so that its bodies stay as they are.
    pub model: Option<&'a str>,
}

/// What an upstream calls the most tokens of a chat's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LimitName {
    /// `max_completion_tokens`: OpenAI, which refuses the older name for models that reason.
    #[default]
    MaxCompletionTokens,
    /// `max_tokens`: what nearly all others know, and often the only name they know.
    MaxTokens,
}

impl Edits<'_> {
    /// Whether nothing is to be changed, whatever the body is.
    #[must_use]
    pub fn change_nothing(&self) -> bool {
        *self == (Self { limit_name: self.limit_name, ..Self::default() })
    }
}

/// Applies `edits` to `body`; gives nothing when there is nothing to do.
///
/// # Errors
/// When an object to be changed has a key twice.
pub fn edit(wire: Wire, body: &Document, edits: &Edits<'_>) -> Result<Option<Bytes>, JsonError> {
    if edits.change_nothing() {
        return Ok(None);
    }
    let (object, body) = (body.object(), body.text());
    let mut splices = Splices::default();
    let mut top = Target::new(&object);
    if let Some(model) = edits.model {
        set_model(wire, &mut top, model, &mut splices);
    }
    if let Some(limit) = edits.max_output {
        set_limit(wire, &mut top, (limit, edits.limit_name), &mut splices)?;
    }
    if edits.include_usage && matches!(wire, Wire::OpenAiChat | Wire::OpenAiCompletions) {
        include_usage(&mut top, &mut splices)?;
    }
    top.finish(&mut splices);
    Ok((!splices.is_empty()).then(|| splices.apply(body).into()))
}

fn set_model(wire: Wire, top: &mut Target<'_, '_>, model: &str, splices: &mut Splices) {
    let in_body = match wire {
        Wire::GeminiGenerate | Wire::GeminiStream | Wire::GeminiCountTokens | Wire::GeminiEmbed => false,
        Wire::Other => top.object.get("model").is_some(),
        _ => true,
    };
    if in_body {
        top.set("model", serde_json::Value::from(model).to_string(), splices);
    }
}

fn set_limit(
    wire: Wire,
    top: &mut Target<'_, '_>,
    (limit, name): (u64, LimitName),
    splices: &mut Splices,
) -> Result<(), JsonError> {
    match wire {
        Wire::OpenAiChat => set_chat_limit(top, limit, name, splices),
        Wire::OpenAiCompletions | Wire::AnthropicMessages => {
            top.set("max_tokens", limit.to_string(), splices);
        }
        Wire::OpenAiResponses => top.set("max_output_tokens", limit.to_string(), splices),
        Wire::GeminiGenerate | Wire::GeminiStream => set_gemini_limit(top, limit, splices)?,
        Wire::OpenAiEmbeddings
        | Wire::OpenAiCompact
        | Wire::AnthropicCountTokens
        | Wire::GeminiCountTokens
        | Wire::GeminiEmbed
        | Wire::Other => {}
    }
    Ok(())
}

/// The limit goes under the upstream's own name, which is the one that it surely heeds, and under that alone: several
/// providers (OpenAI, Google, Volcengine) refuse a request with both. Only who sends both gets both on.
fn set_chat_limit(top: &mut Target<'_, '_>, limit: u64, name: LimitName, splices: &mut Splices) {
    let (old, new) = ("max_tokens", "max_completion_tokens");
    let (own, other) = match name {
        LimitName::MaxTokens => (old, new),
        LimitName::MaxCompletionTokens => (new, old),
    };
    let limit = limit.to_string();
    let Some(key) = top.object.key_span_of(other).filter(|_| top.object.some(other).is_some()) else {
        top.set(own, limit, splices);
        return;
    };
    match top.object.get(own) {
        None => {
            splices.put(key, own.to_owned());
            top.set(other, limit, splices);
        }
        Some(absent) if absent.is_null() => {
            top.set(own, limit, splices);
            top.set(other, "null".to_owned(), splices);
        }
        Some(_) => {
            top.set(own, limit.clone(), splices);
            top.set(other, limit, splices);
        }
    }
}

/// Google's JSON mapping knows two spellings of every field; the client's own is kept.
fn set_gemini_limit(top: &mut Target<'_, '_>, limit: u64, splices: &mut Splices) -> Result<(), JsonError> {
    let snake =
        top.object.some("generationConfig").is_none() && top.object.some("generation_config").is_some();
    let outer = if snake { "generation_config" } else { "generationConfig" };
    let config = top.object.get(outer).and_then(|config| config.as_object());
    let snake = config.is_some_and(|config| config.get("max_output_tokens").is_some());
    let inner = if snake { "max_output_tokens" } else { "maxOutputTokens" };
    top.set_inside(outer, inner, &limit.to_string(), splices)
}

/// Providers refuse `stream_options` on a request that is for no stream.
fn include_usage(top: &mut Target<'_, '_>, splices: &mut Splices) -> Result<(), JsonError> {
    if !flag(top.object, "stream") {
        return Ok(());
    }
    top.set_inside("stream_options", "include_usage", "true", splices)
}

/// An object that gets members set: existing ones are replaced where they stand, new ones go to its end.
struct Target<'o, 'a> {
    object: &'o Object<'a>,
    appended: String,
}

impl<'o, 'a> Target<'o, 'a> {
    const fn new(object: &'o Object<'a>) -> Self {
        Self { object, appended: String::new() }
    }

    /// Sets `key`, a plain name, to `value`, a JSON text.
    fn set(&mut self, key: &str, value: String, splices: &mut Splices) {
        match self.object.get(key) {
            Some(current) if current.raw() == value.as_bytes() => {}
            Some(current) => splices.replace(current, value),
            None => {
                if !self.appended.is_empty() || !self.object.is_empty() {
                    self.appended.push(',');
                }
                self.appended.extend(["\"", key, "\":", &value]);
            }
        }
    }

    /// Sets `inner` in the object `outer`, which is made when there is none. A value of another type stays as it is:
    /// the upstream refuses it, with its own words.
    fn set_inside(
        &mut self,
        outer: &str,
        inner: &str,
        value: &str,
        splices: &mut Splices,
    ) -> Result<(), JsonError> {
        let Some(existing) = self.object.some(outer) else {
            self.set(outer, format!("{{\"{inner}\":{value}}}"), splices);
            return Ok(());
        };
        if let Some(object) = existing.as_unique_object()? {
            let mut target = Target::new(&object);
            target.set(inner, value.to_owned(), splices);
            target.finish(splices);
        }
        Ok(())
    }

    /// Puts the new members before the closing brace.
    fn finish(self, splices: &mut Splices) {
        if !self.appended.is_empty() {
            let close = self.object.close_offset();
            splices.put(close..close, self.appended);
        }
    }
}
