//! One number for what a JSON text says, however it is written.
//!
//! Two texts that differ in white space, in the order of keys or in how characters are escaped say the same to every
//! provider and have the same digest; any other difference gives another one. Numbers are compared as they are written
//! (`1.0` is not `1`): the worst that comes of it is that two equal texts are told apart.
//!
//! Each object and array is digested from the digests of what is in it, so that the text is read once and nothing has
//! to be copied into order, however deep it nests.

use super::{JsonError, Kind, Value, Walk, text};

/// 32 bytes (BLAKE3) that stand for what a JSON text says.
pub type Digest = [u8; 32];

/// What a digest is made of, as its first byte: a string never has the digest of a number that looks like it.
const SCALAR: u8 = b'v';
const TEXT: u8 = b's';
const RAW_TEXT: u8 = b'r';
const ARRAY: u8 = b'a';
const OBJECT: u8 = b'o';

/// Digests a text that is one value and nothing else. Uses thread stack in proportion to `max_depth`.
///
/// # Errors
/// As [`Value::parse`].
pub fn digest(text: &[u8], max_depth: usize) -> Result<Digest, JsonError> {
    let value = Value::parse(text, max_depth)?;
    Ok(of(&mut Walk::over(value)))
}

fn of(walk: &mut Walk<'_>) -> Digest {
    match walk.kind() {
        Kind::Object => object(walk),
        Kind::Array => array(walk),
        Kind::String => string(walk.value().quoted().unwrap_or_default()),
        Kind::Number | Kind::Bool | Kind::Null | Kind::Invalid => hash(SCALAR, walk.value().raw()),
    }
}

/// Members count in the order of their keys. Of two with the same key the order stays: readers differ in which counts.
fn object(walk: &mut Walk<'_>) -> Digest {
    let mut members: Vec<[Digest; 2]> = Vec::new();
    walk.quoted_object(|key, walk| members.push([string(key), of(walk)]));
    members.sort_by_key(|[key, _]| *key);
    hash(OBJECT, members.as_flattened().as_flattened())
}

fn array(walk: &mut Walk<'_>) -> Digest {
    let mut elements: Vec<Digest> = Vec::new();
    walk.array(|walk| elements.push(of(walk)));
    hash(ARRAY, elements.as_flattened())
}

/// Half a surrogate pair stands for no character and reads as U+FFFD, so that two strings which differ in it would look
/// alike: such a string counts as it is written.
fn string(quoted: &[u8]) -> Digest {
    if text::has_half_a_pair(quoted) {
        hash(RAW_TEXT, quoted)
    } else {
        hash(TEXT, &text::decode_bytes(quoted))
    }
}

/// Not inlined: a hasher is two kilobytes, which must not stand on the stack once for each level of nesting.
#[inline(never)]
fn hash(what: u8, bytes: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[what]);
    hasher.update(bytes);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str) -> Digest {
        digest(text.as_bytes(), 1_000).unwrap()
    }

    #[test]
    fn order_of_keys_white_space_and_escapes_are_irrelevant() {
        let expected = of_text(r#"{"a":[1,{"x":"é/","y":null}],"b":true}"#);
        for same in [
            r#" { "b" : true , "a" : [ 1 , { "y" : null , "x" : "é/" } ] } "#,
            "{\"b\":true,\n\"a\":[1,{\"x\":\"\\u00e9\\/\",\"\\u0079\":null}]}",
        ] {
            assert_eq!(of_text(same), expected, "{same}");
        }
    }

    #[test]
    fn what_is_not_the_same_is_told_apart() {
        let texts = [
            "1",
            "1.0",
            "-1",
            r#""1""#,
            "[1]",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "[1,2]",
            "[2,1]",
            "[[1],2]",
            "[1,[2]]",
            "true",
            "false",
            "null",
            r#""true""#,
            r#""""#,
            r#""\ud800""#,
            r#""\ud801""#,
            r#""�""#,
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"b":1}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":2,"a":1}"#,
            r#"{"\ud800":1}"#,
            r#"{"\ud801":1}"#,
            r#"["a",1]"#,
            r#"[["a",1]]"#,
            "18446744073709551616",
            "18446744073709551617",
        ];
        for (at, a) in texts.iter().enumerate() {
            for b in texts.iter().skip(at + 1) {
                assert_ne!(of_text(a), of_text(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn the_deepest_nesting_that_is_ever_allowed_fits_on_a_small_stack() {
        let text = format!("{}{}", "[{\"a\":".repeat(500), "1".to_owned() + &"}]".repeat(500));
        let digested =
            std::thread::Builder::new().stack_size(1024 * 1024).spawn(move || of_text(&text)).unwrap();
        assert_ne!(digested.join().unwrap(), of_text("1"));
    }
}
