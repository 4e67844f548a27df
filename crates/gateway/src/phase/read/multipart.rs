//! The model that a form names: multipart bodies of uploads, audio and images (RFC 7578). Nothing else in them is read.
//!
//! Two readers of a form may disagree about what is odd in it, so whatever could be the model's field and is not
//! plainly just that is refused; and where they may disagree about where its parts begin and end, it names no model, so
//! that it passes only for who may call any.

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

/// The model that a form names; none in anything else, nor in a form that two readers may cut into other parts.
pub(super) fn model(content_type: &str, body: &[u8]) -> Result<Option<String>, Refusal> {
    let Some(parts) = boundary(content_type).and_then(|boundary| parts(body, boundary)) else {
        return Ok(None);
    };
    let mut model = None;
    for part in parts {
        let Some(value) = model_in(part)? else { continue };
        if model.replace(value).is_some() {
            return Err(odd("the form names the model twice"));
        }
    }
    Ok(model)
}

/// What stands between the parts of a form, where its type says so in one way only.
fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').map(str::trim);
    parameters.next().filter(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))?;
    let mut boundary = None;
    for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        if quoted.unwrap_or(value).contains(['"', '\\']) {
            return None; // What is quoted may hold a semicolon, and then this is no parameter.
        }
        let name = name.trim_end().to_ascii_lowercase();
        if !name.starts_with("boundary") {
            continue;
        }
        let is_plain = if let Some(quoted) = quoted {
            quoted.bytes().all(|byte| is_token(byte) || b"(),/:=?".contains(&byte))
        } else {
            value.bytes().all(is_token)
        };
        let named = quoted.unwrap_or(value);
        if name != "boundary" || !is_plain || !(1..=70).contains(&named.len()) || boundary.is_some() {
            return None;
        }
        boundary = Some(named);
    }
    boundary
}

/// What a boundary may have (RFC 2046 §5.1.1) and need not quote (RFC 2045 §5.1).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'+_-.".contains(&byte)
}

/// The parts of a form. None where another reader may see others: something stands before or after them, a delimiter does
/// not stand in a line of its own, or the last is missing.
fn parts<'b>(body: &'b [u8], boundary: &str) -> Option<Vec<&'b [u8]>> {
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    let mut rest = body.strip_prefix(b"\r\n").unwrap_or(body).strip_prefix(delimiter)?;
    let mut parts = Vec::new();
    loop {
        if let Some(epilogue) = rest.strip_prefix(b"--") {
            return matches!(epilogue, b"" | b"\r\n").then_some(parts);
        }
        let part = rest.strip_prefix(b"\r\n")?;
        let (part, after) = part.split_at_checked(memmem::find(part, delimiter)?)?;
        parts.push(part.strip_suffix(b"\r\n")?);
        rest = after.strip_prefix(delimiter)?;
    }
}

/// The value of a part, if its name is `model`.
fn model_in(part: &[u8]) -> Result<Option<String>, Refusal> {
    let ambiguous = || odd("the form has a field that may or may not be the model");
    let begin = part.get(..MAX_HEAD).unwrap_or(part);
    let Some(head_end) = memmem::find(begin, b"\r\n\r\n") else {
        let names_field = begin.to_ascii_lowercase();
        let is_odd = part.len() > MAX_HEAD || memmem::find(&names_field, b"content-disposition").is_some();
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
    match std::str::from_utf8(part.get(head_end + 4..).unwrap_or_default()) {
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
    fn a_form_that_others_may_cut_into_other_parts_names_none() {
        let part = "Content-Disposition: form-data; name=\"model\"\n\ngpt-4o\n";
        let plain = format!("--xx\n{part}--xx--");
        for body in [
            format!("before\n{plain}"),
            format!("{plain}\nafter"),
            format!("{plain}\n--yy\n{part}--yy--"),
            format!("--yy\n{part}--yy--\n{plain}"),
            format!("--xx\nX: y\n\nabc--xx\n{part}--xx--"),
            format!("--xx \n{part}--xx--"),
            format!("--xxy\n{part}--xxy--"),
            format!("--xx\n{part}"),
        ] {
            assert_eq!(form(&body).unwrap(), None, "{body}");
        }
        let bare = plain.replace("\n--xx--", "\r\n--xx--");
        assert_eq!(model("multipart/form-data; boundary=xx", bare.as_bytes()).unwrap(), None);
        let crlf = plain.replace('\n', "\r\n");
        for (parameters, is_read) in [
            ("boundary=xx", true),
            ("Boundary=\"xx\"", true),
            ("charset=\"utf-8\"; boundary=xx;", true),
            ("boundary=xx; boundary=yy", false),
            ("boundary=yy; boundary=xx", false),
            ("boundary=xx; boundary*=utf-8''yy", false),
            ("boundary =yy; boundary=xx", false),
            ("boundary=\"y\\y\"; boundary=xx", false),
            ("boundary=\"xx\\\"", false),
            ("charset=\"; boundary=xx; x=\"", false),
            ("boundary='xx'", false),
            ("boundary=xx, multipart/form-data", false),
            ("boundary=", false),
            ("boundary", false),
        ] {
            let found = model(&format!("multipart/form-data; {parameters}"), crlf.as_bytes()).unwrap();
            assert_eq!(found.as_deref(), is_read.then_some("gpt-4o"), "{parameters}");
        }
        let hidden = format!("--xx\nX: {}\n{part}--xx--", "y".repeat(MAX_HEAD));
        assert!(form(&hidden).is_err(), "what stands behind so much of a head is not seen");
    }

    #[test]
    fn other_bodies_name_none() {
        assert_eq!(model("", b"--xx").unwrap(), None);
        assert_eq!(model("audio/wav", b"--xx").unwrap(), None);
    }
}
