//! Reads a request's body, bounded, and inflates it where it is compressed.

use std::fmt;
use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::BodyExt as _;

use super::refusal::Refusal;

/// No body is larger, compressed or not.
const LIMIT: usize = 64 * 1024 * 1024;

/// The body's bytes as the client meant them.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    let bytes = collect(body).await?;
    match headers.get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(bytes),
        Some(b"gzip" | b"x-gzip") => inflate(&bytes),
        Some(_) => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this content-encoding is not understood; send gzip, or nothing compressed",
        )),
    }
}

async fn collect<B>(body: B) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Refusal::bad_request(format!("the request's body can't be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > LIMIT {
            return Err(too_large());
        }
        // Most bodies are one frame: that one is kept as it is.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn inflate(bytes: &[u8]) -> Result<Bytes, Refusal> {
    let mut inflated = Vec::new();
    let most = u64::try_from(LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(bytes)
        .take(most)
        .read_to_end(&mut inflated)
        .map_err(|error| Refusal::bad_request(format!("the request's body is no gzip: {error}")))?;
    if inflated.len() > LIMIT {
        return Err(too_large());
    }
    Ok(inflated.into())
}

fn too_large() -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the request's body is larger than 64 MiB")
}
