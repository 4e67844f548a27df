//! Where one is in a JSON value, without an allocation until somebody asks.

use std::fmt;

/// A place in a JSON value, as a chain of steps from the inside to the outside; shown as a JSON pointer (RFC 6901).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pointer<'p> {
    Root,
    Key(&'p Pointer<'p>, &'p str),
    Index(&'p Pointer<'p>, usize),
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(outer, key) => {
                fmt::Display::fmt(outer, f)?;
                f.write_str("/")?;
                write_key(key, f)
            }
            Self::Index(outer, index) => write!(f, "{outer}/{index}"),
        }
    }
}

/// A key with its `~` and `/` escaped. Most have none, and go out whole.
fn write_key(key: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut rest = key;
    while let Some((at, sign)) = rest.char_indices().find(|(_, character)| matches!(character, '~' | '/')) {
        let (plain, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        f.write_str(plain)?;
        f.write_str(if sign == '~' { "~0" } else { "~1" })?;
        rest = behind.get(1..).unwrap_or_default();
    }
    f.write_str(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shown_pointer_leads_to_its_place() {
        let value = json!({ "a/b~c": [0, { "d": "here" }] });
        let pointer = Pointer::Key(&Pointer::Root, "a/b~c");
        let pointer = Pointer::Index(&pointer, 1);
        let pointer = Pointer::Key(&pointer, "d");
        assert_eq!(value.pointer(&pointer.to_string()), Some(&json!("here")));
        assert_eq!(Pointer::Root.to_string(), "");
    }
}
