//! What a call says, for the trace: what is new in its prompt, what tools gave, what the model answered.
//!
//! A request's is copied, an answer's was taken down as it was read; that is all that happens here, only where the trace keeps
//! payloads, and bounded, so that a large body costs no more than its beginning. Redacting and writing is the trace's own
//! thread's.

use std::borrow::Cow;
use std::ops::Range;

use seawall_llm::transcript::{Channel, Part, Taken};
use seawall_trace::content::Payload;

use crate::Gateway;
use crate::phase::Payload as Body;
use crate::tool::MAX_TOOLS;

/// The most that is copied of one text, in bytes.
const LONGEST: usize = 64 * 1024;
/// The most that is copied of one request, in bytes.
const LONGEST_REQUEST: usize = 256 * 1024;

/// What a request tells the model that it has not been told before.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) prompt: Option<Payload>,
    /// What tools gave, in the order of the request's new results.
    pub(crate) outputs: Vec<Payload>,
}

impl Told {
    /// Copies it, where the trace keeps it.
    pub(crate) fn of(gateway: &Gateway, body: &Body) -> Self {
        if !gateway.checkpoint().trace().keeps_payloads() {
            return Self::default();
        }
        let mut room = LONGEST_REQUEST;
        let results = body.request.new_results().iter().take(MAX_TOOLS);
        let outputs = results.map(|result| copy("output", &body.text, &result.output, &mut room)).collect();
        let news = &body.request.news;
        let prompt = (!news.is_empty()).then(|| copy("prompt", &body.text, news, &mut room));
        Self { prompt, outputs }
    }
}

/// The beginning of a stretch of a body that is JSON: a value, or the elements of a list.
fn copy(field: &'static str, body: &[u8], place: &Range<usize>, room: &mut usize) -> Payload {
    let whole = body.get(place.clone()).unwrap_or_default();
    let is_list = body.get(place.end) == Some(&b']') && field == "prompt";
    let whole = if is_list { whole.trim_ascii_start().strip_prefix(b",").unwrap_or(whole) } else { whole };
    let kept = whole.get(..LONGEST.min(*room)).unwrap_or(whole);
    let cut = whole.len() - kept.len();
    *room -= kept.len();
    // A character that was cut is left out with the rest.
    let kept: Cow<'_, str> = match std::str::from_utf8(kept) {
        Ok(kept) => kept.into(),
        Err(_) if cut > 0 => kept.utf8_chunks().next().map_or("", |chunk| chunk.valid()).into(),
        Err(_) => String::from_utf8_lossy(kept),
    };
    let text = match (is_list, cut) {
        (false, _) => kept.into_owned(),
        (true, 0) => ["[", &kept, "]"].concat(),
        (true, _) => ["[", &kept].concat(),
    };
    let bytes = if cut == 0 { text.len() } else { whole.len().max(text.len() + 1) };
    Payload::json(field, text, u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// What a model answered: its texts, in the order in which they began.
pub(crate) fn answer(texts: Vec<Part>) -> Vec<Payload> {
    let payload = |Part { channel, taken: Taken { text, bytes }, .. }| {
        Payload::text("answer", text, bytes).as_element(match channel {
            Channel::Text => "text",
            Channel::Reasoning => "reasoning",
        })
    };
    texts.into_iter().map(payload).collect()
}

/// The arguments of a tool call, where it has any.
pub(crate) fn arguments(Taken { text, bytes }: Taken) -> Option<Payload> {
    (bytes > 0).then(|| Payload::json("arguments", text, bytes))
}
