//! What is not words, in a request: base64, or words where a format can't carry it.

use std::borrow::Cow;
use std::io::Write as _;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

use crate::dialogue::{Media, Part, Source};

/// The pictures that every model sees which sees any, but for Gemini.
const IMAGES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Whether it is a picture that models see. What an address leads to is for the provider to find out.
pub(super) fn is_picture(image: Media<'_>) -> bool {
    matches!(image.source, Source::Url(_)) || IMAGES.contains(&image.mime_type)
}

/// What stands in the place of a part that a format can't carry.
fn placeholder(part: &Part<'_>) -> String {
    let kind = match part {
        Part::Image(_) => "An image",
        Part::Audio(_) => "A sound",
        _ => "A file",
    };
    match media_of(part) {
        Some(Media { mime_type, source: Source::Url(url) }) => {
            format!("[{kind} ({mime_type}) at {url} that can't be shown to this model.]")
        }
        Some(Media { mime_type, .. }) => format!("[{kind} ({mime_type}) that can't be shown to this model.]"),
        None => format!("[{kind} that can't be shown to this model.]"),
    }
}

pub(super) fn media_of<'a>(part: &Part<'a>) -> Option<Media<'a>> {
    match part {
        Part::Image(media) | Part::Audio(media) | Part::File(media) => Some(*media),
        Part::Text(_) | Part::ToolUse(_) | Part::ToolResult(_) | Part::Reasoning(_) => None,
    }
}

/// The words of a file that has nothing else in it: every model reads those, whatever its provider says of files.
fn text_file(part: &Part<'_>) -> Option<String> {
    let Part::File(Media { mime_type, source: Source::Bytes(bytes) }) = part else { return None };
    let kind = mime_type.split(';').next().unwrap_or_default().trim();
    let is_text = kind.starts_with("text/")
        || ["application/json", "application/xml", "application/yaml", "application/toml"].contains(&kind);
    let text = std::str::from_utf8(bytes).ok().filter(|text| is_text && !text.trim().is_empty())?;
    Some(format!("[A file ({mime_type}):]\n{text}"))
}

/// A part in words: its own, where it has any, else that it is not shown.
pub(super) fn described<'a>(part: &Part<'_>) -> Cow<'a, str> {
    Cow::Owned(text_file(part).unwrap_or_else(|| placeholder(part)))
}

/// Writes the bytes in base64, as a JSON string.
pub(super) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    write_base64(out, bytes);
    out.push(b'"');
}

/// Writes a `data:` URL (RFC 2397) of the bytes, as a JSON string. The type is one of those that we know.
pub(super) fn data_url(out: &mut Vec<u8>, mime_type: &str, bytes: &[u8]) {
    out.extend_from_slice(b"\"data:");
    out.extend_from_slice(mime_type.as_bytes());
    out.extend_from_slice(b";base64,");
    write_base64(out, bytes);
    out.push(b'"');
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3).saturating_mul(4));
    // Writing into memory does not fail.
    let _ = write!(out, "{}", Base64Display::new(bytes, &STANDARD));
}

/// Writes where it is as one URL: the one given, or one that has all of it.
pub(super) fn url(out: &mut Vec<u8>, media: Media<'_>) {
    match media.source {
        Source::Url(url) => super::pen::json(out, url),
        Source::Bytes(bytes) => data_url(out, media.mime_type, bytes),
    }
}
