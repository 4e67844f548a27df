//! JSON written in one way only, so that the hash of a value does not depend on how it was laid out.
//!
//! Members of objects are taken in the order of their names, and there is no white space; everything else is as `serde_json`
//! writes it. Numbers are not made equal: `1` and `1.0` are two. That is stricter than RFC 8785, which a comparison within one
//! program does not need.

use std::io::{self, Write};

use serde_json::Value;

/// Writes the value.
///
/// # Errors
/// When `out` can't be written to.
pub fn write(value: &Value, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Array(items) => {
            out.write_all(b"[")?;
            for (index, item) in items.iter().enumerate() {
                separate(index, out)?;
                write(item, out)?;
            }
            out.write_all(b"]")
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.write_all(b"{")?;
            for (index, (name, member)) in members.into_iter().enumerate() {
                separate(index, out)?;
                serde_json::to_writer(&mut *out, name)?;
                out.write_all(b":")?;
                write(member, out)?;
            }
            out.write_all(b"}")
        }
        plain => Ok(serde_json::to_writer(out, plain)?),
    }
}

fn separate(index: usize, out: &mut impl Write) -> io::Result<()> {
    if index == 0 { Ok(()) } else { out.write_all(b",") }
}
