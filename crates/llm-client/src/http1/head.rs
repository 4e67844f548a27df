//! The head of a request as it is written, and the head of an answer as it is read (RFC 9112).

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::Http1Error;

/// The longest head of an answer. Providers' are below 4 KB.
const MAX_HEAD: usize = 64 * 1024;
/// Headers of an answer, at most.
const MAX_HEADERS: usize = 128;

/// How the end of an answer's body is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes. None follow the answer to a `HEAD`, nor a 204 or 304.
    Length(u64),
    /// By the last of its chunks.
    Chunked,
    /// By the end of the connection.
    UntilClosed,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection may carry another request after it.
    pub(super) keeps_open: bool,
}

/// Writes the head of a request. `target` is the path with its query, or `*`.
pub(super) fn write(
    method: &Method,
    target: &str,
    host: &HeaderValue,
    headers: &HeaderMap,
    length: usize,
) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    for piece in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        head.extend_from_slice(piece.as_bytes());
    }
    write_header(&mut head, &HOST, host.as_bytes());
    for (name, value) in headers {
        if ![HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name) {
            write_header(&mut head, name, value.as_bytes());
        }
    }
    // Of a method that is expected to bring a body, its absence is told (RFC 9110 §8.6).
    if length > 0 || [Method::POST, Method::PUT, Method::PATCH].contains(method) {
        write_header(&mut head, &CONTENT_LENGTH, length.to_string().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn write_header(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    for piece in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(piece);
    }
}

/// Finds the end of a head in what comes bit by bit, without looking at any byte twice.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    searched: usize,
    /// An interim answer has come.
    has_read: bool,
}

impl HeadReader {
    /// Whether the upstream has said anything yet.
    pub(super) const fn has_read(&self) -> bool {
        self.has_read
    }

    /// Takes the head from the beginning of `unread` when it is there whole; `None`: more must come. Interim answers
    /// (100, 103) are taken and dropped.
    pub(super) fn take(
        &mut self,
        unread: &mut BytesMut,
        method: &Method,
    ) -> Result<Option<Head>, Http1Error> {
        while let Some(end) = self.end(unread) {
            if end > MAX_HEAD {
                return Err(too_long());
            }
            (self.searched, self.has_read) = (0, true);
            let head = parse(&unread.split_to(end).freeze(), method)?;
            match head.status {
                StatusCode::SWITCHING_PROTOCOLS => {
                    return Err(Http1Error::NotHttp("a switch of protocols that nobody asked for"));
                }
                status if status.is_informational() => {}
                _ => return Ok(Some(head)),
            }
        }
        if unread.len() > MAX_HEAD { Err(too_long()) } else { Ok(None) }
    }

    /// The position after the empty line.
    fn end(&mut self, unread: &[u8]) -> Option<usize> {
        let mut from = self.searched;
        while let Some(found) = unread.get(from..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let after = from + found + 1;
            match unread.get(after..)? {
                [b'\n', ..] => return Some(after + 1),
                [b'\r', b'\n', ..] => return Some(after + 2),
                [] | [b'\r'] => {
                    // What follows this line is not there yet.
                    self.searched = after - 1;
                    return None;
                }
                _ => from = after,
            }
        }
        self.searched = unread.len();
        None
    }
}

const fn too_long() -> Http1Error {
    Http1Error::NotHttp("its head is too long")
}

fn parse(head: &Bytes, method: &Method) -> Result<Head, Http1Error> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut fields);
    match answer.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(httparse::Status::Complete(_)) => return Err(Http1Error::NotHttp("its head ends twice")),
        Ok(httparse::Status::Partial) => return Err(Http1Error::NotHttp("its head is empty")),
        Err(httparse::Error::TooManyHeaders) => return Err(Http1Error::NotHttp("too many headers")),
        Err(_) => return Err(Http1Error::NotHttp("its head can't be read")),
    }
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Http1Error::NotHttp("its status is no number from 100 to 999"))?;
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    for field in answer.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Http1Error::NotHttp("a header can't be read"));
        };
        headers.append(name, value);
    }
    let is_1_1 = answer.version == Some(1);
    let mut framing = framing(&mut headers, is_1_1)?;
    if *method == Method::HEAD || status == 204 || status == 304 || status.is_informational() {
        framing = Framing::Length(0);
    }
    // A body that ends with its connection leaves none.
    let keeps_open = framing != Framing::UntilClosed && keeps_open(&headers, is_1_1);
    Ok(Head { status, headers, framing, keeps_open })
}

fn keeps_open(headers: &HeaderMap, is_1_1: bool) -> bool {
    let says = |word: &str| {
        let values = headers.get_all(CONNECTION).iter().map(HeaderValue::as_bytes);
        let mut named = values.flat_map(|value| value.split(|byte| *byte == b','));
        named.any(|named| named.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    !says("close") && (is_1_1 || says("keep-alive"))
}

/// How the body ends. A length beside chunks is how one reader is made to see another end than the next one: refused, and
/// so is every coding but chunks, since nobody asks for one.
fn framing(headers: &mut HeaderMap, is_1_1: bool) -> Result<Framing, Http1Error> {
    if let Some(coding) = headers.get(TRANSFER_ENCODING) {
        let is_alone = headers.get_all(TRANSFER_ENCODING).iter().count() == 1;
        if !is_1_1 {
            return Err(Http1Error::NotHttp("chunks, which its version does not have"));
        }
        if !is_alone || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Http1Error::NotHttp("a transfer coding other than chunked"));
        }
        if headers.contains_key(CONTENT_LENGTH) {
            return Err(Http1Error::NotHttp("both a length and chunks"));
        }
        return Ok(Framing::Chunked);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(length);
    let Some(first) = lengths.next() else { return Ok(Framing::UntilClosed) };
    let length = first.filter(|_| lengths.all(|other| other == first));
    let length = length.ok_or(Http1Error::NotHttp("its length is no number"))?;
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        // Told once from here on.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(Framing::Length(length))
}

/// Digits alone: `+1`, which `u64` would take for a number, is none.
fn length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Head>, Http1Error> {
        HeadReader::default().take(&mut BytesMut::from(text), &Method::POST)
    }

    fn framing_of(headers: &str) -> Option<Framing> {
        read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).ok().flatten().map(|head| head.framing)
    }

    #[test]
    fn the_end_of_a_body_is_told_in_one_way_or_refused() {
        for (headers, expected) in [
            ("content-length: 5\r\n", Some(Framing::Length(5))),
            ("content-length: 5\r\nContent-Length: 5\r\n", Some(Framing::Length(5))),
            ("content-length: 5\r\ncontent-length: 6\r\n", None),
            ("content-length: 5, 5\r\n", None),
            ("content-length: +5\r\n", None),
            ("content-length: \r\n", None),
            ("content-length: 99999999999999999999\r\n", None),
            ("transfer-encoding: chunked\r\n", Some(Framing::Chunked)),
            ("transfer-encoding: Chunked\r\n", Some(Framing::Chunked)),
            ("transfer-encoding: gzip, chunked\r\n", None),
            ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", None),
            ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", None),
            ("transfer-encoding: identity\r\n", None),
            ("", Some(Framing::UntilClosed)),
        ] {
            assert_eq!(framing_of(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_connection_stays_open_as_the_version_has_it() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n", true),
            ("HTTP/1.1 200 OK\r\nconnection: close\r\n", false),
            ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n", false),
            ("HTTP/1.1 200 OK\r\nconnection: \u{e9},close\r\n", false),
            ("HTTP/1.0 200 OK\r\n", false),
            ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n", true),
            ("HTTP/1.0 200 OK\r\nconnection: keep-alive, close\r\n", false),
        ] {
            let head = format!("{head}content-length: 0\r\n\r\n");
            assert_eq!(read(&head).unwrap().unwrap().keeps_open, expected, "{head:?}");
        }
    }

    #[test]
    fn answers_without_a_body_have_none_whatever_their_length_says() {
        for status in ["204 No Content", "304 Not Modified"] {
            let head = read(&format!("HTTP/1.1 {status}\r\ncontent-length: 7\r\n\r\n")).unwrap().unwrap();
            assert_eq!(head.framing, Framing::Length(0), "{status}");
        }
        let mut answer = BytesMut::from("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
        let head = HeadReader::default().take(&mut answer, &Method::HEAD).unwrap().unwrap();
        assert_eq!(head.framing, Framing::Length(0));
        assert_eq!(head.headers[CONTENT_LENGTH], "7", "what a GET would have brought stays told");
    }

    #[test]
    fn a_head_is_found_however_it_is_cut() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 201 Made\r\na: b\r\n\r\nrest";
        let mut reader = HeadReader::default();
        let mut unread = BytesMut::new();
        let mut found = None;
        for byte in text.bytes() {
            unread.extend_from_slice(&[byte]);
            if found.is_none() {
                found = reader.take(&mut unread, &Method::POST).unwrap();
            }
        }
        assert_eq!(found.unwrap().status, 201);
        assert_eq!(unread, "rest");
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\na : x\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: x\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 304 Same\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "\r\n\r\n",
            &long,
            &many,
        ] {
            assert!(read(text).is_err(), "{:?}", text.get(..40));
        }
    }

    #[test]
    fn a_request_says_its_length_where_one_is_expected() {
        let headers = HeaderMap::from_iter([
            (HeaderName::from_static("x-a"), HeaderValue::from_static("1")),
            (HOST, HeaderValue::from_static("elsewhere")),
        ]);
        let host = HeaderValue::from_static("here");
        let head = |method: Method, length| {
            String::from_utf8(write(&method, "/v1/x?y", &host, &headers, length)).unwrap()
        };
        assert_eq!(
            head(Method::POST, 0),
            "POST /v1/x?y HTTP/1.1\r\nhost: here\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n"
        );
        assert_eq!(head(Method::GET, 0), "GET /v1/x?y HTTP/1.1\r\nhost: here\r\nx-a: 1\r\n\r\n");
        assert!(head(Method::DELETE, 12).ends_with("content-length: 12\r\n\r\n"));
    }
}
