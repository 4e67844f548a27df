//! An upper bound of the tokens that a prompt can cost.

use super::Request;

/// What a prompt may cost when neither its text nor the model's window is known: the largest window in use.
const UNKNOWN_WINDOW: u64 = 1_048_576;

/// What providers add around a prompt: role markers, the wrapping of tool definitions, Anthropic's own system text
/// for tools (at most 804 tokens are documented).
const FRAME: u64 = 2_048;

/// The most tokens of one image. Documented: OpenAI tiles 85 + 8 × 170 = 1,445; OpenAI patches 1,536 × 2.46 = 3,779;
/// Anthropic 4,784; Gemini 16 tiles × 258 = 4,128.
const IMAGE: u64 = 5_000;

/// The same for `detail: original`: 10,000 patches × 1.2, with room.
const ORIGINAL_IMAGE: u64 = 16_000;

/// The same for gpt-4o-mini, where a tile costs 5,667 tokens and an image 2,833 more: 2,833 + 8 × 5,667 = 48,169.
const IMAGE_GPT_4O_MINI: u64 = 50_000;

/// The most tokens that the prompt of `request` can have, its body being `body_len` bytes long (inflated).
///
/// Why this holds. Providers cut text into tokens by byte-level BPE, or by SentencePiece with byte fallback: a token
/// stands for at least one byte of the UTF-8 text, so a text has no more tokens than bytes. All text of the prompt is
/// in the body, and JSON escapes only ever lengthen it (`\n` is two bytes for one, `\u00e9` six for two). The special
/// tokens around a message or a tool are fewer than the bytes of its JSON frame (`{"role":"user","content":""}`
/// has 28); what is added once per request is covered by a constant. Media in the body are paid by their size in
/// pixels or seconds: images get the documented maximum each on top of their bytes; sound has at least 1,000 bytes a
/// second and at most 32 tokens; documents and video can be short in bytes and long in tokens, so they count as hidden
/// input. Hidden input may fill the whole window. Whatever is sent, no prompt is longer than the window, and a request of
/// several prompts (embeddings, completions) has a window for each; but with tools of
/// its own a provider may run the model several times for one request, each time over the window, which no request
/// bounds: settling charges what was really used.
///
/// `request.model` should be the model that is really asked, not an alias, since one model's images cost tenfold.
#[must_use]
pub fn input_bound(request: &Request, body_len: u64, context_window: Option<u64>) -> u64 {
    if request.hidden_input {
        let window = context_window.unwrap_or_else(|| UNKNOWN_WINDOW.max(body_len));
        return window.saturating_mul(request.inputs.max(1));
    }
    let image = match request.model.as_deref() {
        Some(model) if model.contains("4o-mini") => IMAGE_GPT_4O_MINI,
        _ => IMAGE,
    };
    let images = u64::from(request.inline_images).saturating_mul(image);
    let originals = u64::from(request.original_images).saturating_mul(ORIGINAL_IMAGE);
    let bound = body_len.saturating_add(FRAME).saturating_add(images).saturating_add(originals);
    bound.min(context_window.map_or(u64::MAX, |window| window.saturating_mul(request.inputs.max(1))))
}
