//! The model that a form names: multipart bodies of uploads, audio and images (RFC 7578). Nothing else in them is read.
//!
//! Two readers of a form may disagree about what is odd in it, so whatever could be the model's field and is not
//! plainly just that is refused.

use memchr::memmem;
use seawall_types::Code;

use crate::refusal::Refusal;

/// The most headers of one part that are looked at, in bytes.
const MAX_HEAD: usize = 4_096;

/// Whether a content type says JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// The model that a form names; none in anything else.
pub(super) fn model(content_type: &str, body: &[u8]) -> Result<Option<String>, Refusal> {
    let Some(boundary) = boundary(content_type) else { return Ok(None) };
    let delimiter = format!("--{boundary}");
    let mut model = None;
    let starts: Vec<usize> = memmem::find_iter(body, delimiter.as_bytes()).collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(body.len());
        let part = body.get(start + delimiter.len()..end).unwrap_or_default();
        let Some(value) = model_in(part)? else { continue };
        if model.replace(value).is_some() {
            return Err(odd("the form names the model twice"));
        }
    }
    Ok(model)
}

fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').map(str::trim);
    parameters.next().filter(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))?;
    let is_boundary =
        |parameter: &&str| parameter.get(..9).is_some_and(|name| name.eq_ignore_ascii_case("boundary="));
    let named = parameters.find(is_boundary)?.get(9..)?.trim_matches('"');
    Some(named).filter(|boundary| !boundary.is_empty())
}

/// The value of a part, if its name is `model`.
fn model_in(part: &[u8]) -> Result<Option<String>, Refusal> {
    let ambiguous = || odd("the form has a field that may or may not be the model");
    let begin = part.get(..MAX_HEAD).unwrap_or(part);
    let Some(head_end) = memmem::find(begin, b"\r\n\r\n") else {
        let names_field = begin.to_ascii_lowercase();
        let is_odd = memmem::find(&names_field, b"content-disposition").is_some();
        return if is_odd { Err(ambiguous()) } else { Ok(None) };
    };
    let head = String::from_utf8_lossy(part.get(..head_end).unwrap_or_default());
    let is_folded =
        head.split("\r\n").any(|line| line.starts_with([' ', '\t']) || line.contains(['\r', '\n']));
    if is_folded {
        return Err(ambiguous());
    }
    let plain = r#"form-data; name="model""#;
    let mut names_model = false;
    for line in head.split("\r\n") {
        let Some((header, value)) = line.split_once(':') else { continue };
        if !header.trim().eq_ignore_ascii_case("content-disposition") {
            continue;
        }
        let value = value.trim();
        if value.eq_ignore_ascii_case(plain) && value.ends_with(r#""model""#) {
            names_model = true;
        } else if may_name_model(value) {
            return Err(ambiguous());
        }
    }
    if !names_model {
        return Ok(None);
    }
    let value = part.get(head_end + 4..).unwrap_or_default();
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    match std::str::from_utf8(value) {
        Ok(value) => Ok(Some(value.to_owned())),
        Err(_) => Err(odd("the form's model is no text")),
    }
}

/// Whether some reader may take the field for the model's: by another case, other quotes, or a name written twice.
fn may_name_model(disposition: &str) -> bool {
    let without: String =
        disposition.chars().filter(|c| !matches!(c, ' ' | '"' | '\'' | '\\' | '\t')).collect();
    let lower = without.to_ascii_lowercase();
    lower.split(';').any(|parameter| {
        parameter == "name=model"
            || parameter.strip_prefix("name*=").is_some_and(|name| name.ends_with("model"))
    })
}

fn odd(message: &'static str) -> Refusal {
    Refusal::new(
        Code::BadRequest,
        message,
        r#"send one part with `Content-Disposition: form-data; name="model"`"#,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parts: &str) -> Result<Option<String>, Refusal> {
        model("multipart/form-data; boundary=\"xx\"", parts.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn the_model_of_a_form_is_read() {
        let file = "--xx\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\n\nmodel\n";
        let part = "--xx\nContent-Disposition: form-data; name=\"model\"\n\ngpt-4o-transcribe\n";
        let whole = format!("{file}{part}--xx--\n");
        assert_eq!(form(&whole).unwrap().as_deref(), Some("gpt-4o-transcribe"));
        assert_eq!(form(&format!("{file}--xx--\n")).unwrap(), None);
        assert_eq!(form("").unwrap(), None);
        assert!(form(&format!("{part}{part}--xx--\n")).is_err());
    }

    #[test]
    fn what_may_or_may_not_be_the_model_is_refused() {
        for disposition in [
            "form-data; name=model",
            "form-data; name=\"Model\"",
            "form-data; name='model'",
            "form-data; name=\"x\"; name=\"model\"",
            "form-data; name=\"model\"; filename=\"a\"",
            "form-data; name*=utf-8''model",
        ] {
            let text = format!("--xx\nContent-Disposition: {disposition}\n\nm\n--xx--\n");
            assert!(form(&text).is_err(), "{disposition}");
        }
        assert!(form("--xx\nContent-Disposition: form-data;\n name=\"model\"\n\nm\n--xx--\n").is_err());
        assert!(form("--xx\nContent-Disposition: form-data; name=\"model\"\nm\n--xx--\n").is_err());
    }

    #[test]
    fn other_bodies_name_none() {
        assert_eq!(model("", b"--xx").unwrap(), None);
        assert_eq!(model("audio/wav", b"--xx").unwrap(), None);
    }
}
