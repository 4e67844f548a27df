//! Reading one small document from a URL that the operator wrote, such as the key set of a tokens' issuer.
//!
//! The same TLS as for providers, and nothing else of them: no credentials, no retries, no redirects. Whoever calls it
//! decides how often.

use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};

use crate::client::HttpClient;
use crate::{Dispatch, SendError};

/// How much of anything reading a document may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// From the connection to the last byte.
    pub time: Duration,
    /// The document.
    pub bytes: usize,
}

/// A document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There was no answer.
    #[error("{0}")]
    NoAnswer(#[from] SendError),
    /// An answer that is no document. A redirect is one: the URL must be the document's own.
    #[error("answered {0}; the URL must be that of the document itself")]
    Status(StatusCode),
    /// It is too large, or broke off.
    #[error("the document is too large or broke off: {0}")]
    Body(String),
    /// It took too long.
    #[error("not read within {}s", .0.as_secs_f64())]
    Timeout(Duration),
}

/// Reads the document at `url`.
///
/// # Errors
/// When there is none, or not within the limits.
pub async fn fetch(url: &Uri, tls: &rustls::ClientConfig, limits: FetchLimits) -> Result<Bytes, FetchError> {
    let client = HttpClient::new(tls, limits.time);
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url.clone();
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let reading = async {
        let answer = client.send(request, &Dispatch::default()).await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), limits.bytes).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| FetchError::Body(error.to_string()))
    };
    tokio::time::timeout(limits.time, reading).await.unwrap_or(Err(FetchError::Timeout(limits.time)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LIMITS: FetchLimits = FetchLimits { time: Duration::from_millis(500), bytes: 64 };

    /// Reads a document whose server answers with these bytes and then holds the connection open.
    async fn read(answer: &'static str) -> Result<Bytes, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _bytes = stream.read(&mut request).await.unwrap();
            assert!(request.starts_with(b"GET /keys HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        };
        let tls = crate::client_config().unwrap();
        tokio::select! {
            document = fetch(&url, &tls, LIMITS) => document,
            () = serving => unreachable!("it serves until it is dropped"),
        }
    }

    #[tokio::test]
    async fn a_document_is_read_whole() {
        let document = read("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        assert_eq!(document, "{}");
    }

    #[tokio::test]
    async fn what_is_no_document_is_refused() {
        let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(read(elsewhere).await, Err(FetchError::Status(status)) if status == 302));
        let large = "HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n0123456789012345678901234567890123456789012345678901234567890123456789";
        assert!(matches!(read(large).await, Err(FetchError::Body(_))));
        assert!(matches!(read("HTTP/1.1 200 OK\r\n").await, Err(FetchError::Timeout(_))));
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{";
        assert!(matches!(read(half).await, Err(FetchError::Timeout(_))));
    }

    #[tokio::test]
    async fn an_absent_server_is_told() {
        let tls = crate::client_config().unwrap();
        let error = fetch(&Uri::from_static("http://127.0.0.1:1/keys"), &tls, LIMITS).await.unwrap_err();
        assert!(error.to_string().starts_with("can't connect: "), "{error}");
    }
}
