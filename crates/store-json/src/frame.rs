//! One line of a file: a value with the length and the checksum of its bytes.
//!
//! ```text
//! {"n":41,"c":"5c2a9d07","e":{"v":1,"seq":1,…}}
//! ```
//!
//! `n` is the number of bytes of the value, `c` their CRC-32C (RFC 3720, appendix B.4) as eight hexadecimal digits, and the
//! last key says what the value is. So every line is JSON that any tool reads, and every byte of it counts: a line that
//! somebody has changed, or that is not whole, is told from one that was written.
//!
//! What lines follow each other, and what their values say, is not known here.

use std::fmt;

use serde::Serialize;

/// A line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// What the value is.
    pub(crate) key: &'a str,
    /// Its JSON.
    pub(crate) value: &'a [u8],
}

/// Why bytes are no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// They end without a line feed.
    Unfinished,
    /// They don't look like one.
    Form,
    /// There are more or fewer of them than were written.
    Length { said: u64, is: u64 },
    /// They are others than were written.
    Checksum { said: u32, is: u32 },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished => f.write_str("it ends in the middle"),
            Self::Form => f.write_str("it is no record"),
            Self::Length { said, is } => write!(f, "it was written with {said} bytes and has {is}"),
            Self::Checksum { said, is } => {
                write!(f, "it was written with the checksum {said:08x} and now has {is:08x}")
            }
        }
    }
}

/// Adds a line to `out`. The value is JSON without line feeds, as serde writes it.
pub(crate) fn push(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let head = format!("{{\"n\":{},\"c\":\"{:08x}\",\"{key}\":", value.len(), crc32c::crc32c(value));
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(value);
    out.extend_from_slice(b"}\n");
}

/// Adds a line with a value that is not JSON yet.
pub(crate) fn push_value(out: &mut Vec<u8>, key: &str, value: &impl Serialize) -> serde_json::Result<()> {
    push(out, key, &serde_json::to_vec(value)?);
    Ok(())
}

/// Reads a line, with or without its line feed.
pub(crate) fn read(line: &[u8]) -> Result<Line<'_>, Flaw> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (said, rest) = head(line).ok_or(Flaw::Form)?;
    let (sum, key, value) = tail(rest).ok_or(Flaw::Form)?;
    let is = u64::try_from(value.len()).unwrap_or(u64::MAX);
    if said != is {
        return Err(Flaw::Length { said, is });
    }
    let (said, is) = (sum, crc32c::crc32c(value));
    if said != is { Err(Flaw::Checksum { said, is }) } else { Ok(Line { key, value }) }
}

/// `{"n":NUMBER,` and what follows.
fn head(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(b"{\"n\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    // One number has one form: any other was not written by us.
    let is_plain = number == b"0" || number.first().is_some_and(|first| *first != b'0');
    let number = std::str::from_utf8(number).ok()?.parse().ok().filter(|_| is_plain)?;
    Some((number, rest.strip_prefix(b",\"c\":\"")?))
}

/// `HEXADECIMAL","KEY":VALUE}`.
fn tail(rest: &[u8]) -> Option<(u32, &str, &[u8])> {
    let (sum, rest) = rest.split_at_checked(8)?;
    let is_plain = sum.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let sum = std::str::from_utf8(sum).ok().filter(|_| is_plain)?;
    let rest = rest.strip_prefix(b"\",\"")?;
    let letters = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let (key, rest) = rest.split_at_checked(letters)?;
    let value = rest.strip_prefix(b"\":")?.strip_suffix(b"}")?;
    Some((u32::from_str_radix(sum, 16).ok()?, std::str::from_utf8(key).ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push(&mut out, "e", value);
        out
    }

    #[test]
    fn a_line_is_json_with_length_and_checksum() {
        // The checksum of "123456789" is the check value of CRC-32C.
        assert_eq!(line(b"123456789"), b"{\"n\":9,\"c\":\"e3069283\",\"e\":123456789}\n");
        let json: serde_json::Value = serde_json::from_slice(&line(br#"{"a":"}\n"}"#)).unwrap();
        assert_eq!(json["e"]["a"], "}\n");
    }

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        for value in [&b"{}"[..], b"", b"[1,2]", br#"{"n":3,"c":"x","e":1}"#] {
            assert_eq!(read(&line(value)), Ok(Line { key: "e", value }));
        }
    }

    #[test]
    fn each_changed_byte_shows() {
        let good = line(br#"{"text":"hello","seq":12}"#);
        for at in 0..good.len() {
            for other in [b'0', b'1', b'x', 0, good[at] ^ 1, good[at] ^ 0x20] {
                let mut bad = good.clone();
                bad[at] = other;
                // The key is no part of the checksum: who reads a line knows which keys may stand there.
                let is_other_key = read(&bad).is_ok_and(|line| line.key != "e");
                let is_fine = bad == good || is_other_key;
                assert_eq!(read(&bad).is_ok(), is_fine, "{at} {:?}", String::from_utf8_lossy(&bad));
            }
        }
    }

    #[test]
    fn each_part_of_a_line_is_none() {
        let good = line(br#"{"text":"hello"}"#);
        for cut in 0..good.len() - 1 {
            assert!(read(&good[..cut]).is_err(), "{cut}");
        }
        for foreign in [&b""[..], b"{}", b"\0\0\0", b"{\"n\":2,\"c\":\"ZZZZZZZZ\",\"e\":{}}", &[0xff; 40]] {
            assert!(read(foreign).is_err());
        }
    }
}
