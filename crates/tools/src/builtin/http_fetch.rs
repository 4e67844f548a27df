//! `http_fetch`: a document of the web. The address that was judged is the one that is connected to, also after a redirect.

mod pinned;
mod resolver;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use seawall_engine::EffectClass;
use seawall_types::{Code, Effect, Severity};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{described, read, spec};
use crate::bound::cut;
use crate::{BoxFuture, Call, Description, Failure, Outcome, Tool};
use pinned::Pinned;
pub use resolver::{Resolver, SystemResolver};

/// From the first look-up to the last byte.
const TIME: Duration = Duration::from_mins(1);
/// So much of a document is read where nobody says how much, and at most.
const BYTES: usize = 1024 * 1024;
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// So much of it is shown: with what JSON needs to write it, less than a result may have.
const SHOWN: usize = 48 * 1024;
/// So many redirects are followed.
const REDIRECTS: usize = 5;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    url: String,
    max_bytes: Option<usize>,
}

/// Fetches documents.
#[derive(Debug)]
pub struct HttpFetch {
    description: Description,
    tls: rustls::ClientConfig,
    resolver: Arc<dyn Resolver>,
}

impl HttpFetch {
    /// Fetches with this TLS, after names were looked up by `resolver`.
    #[must_use]
    pub fn new(tls: rustls::ClientConfig, resolver: Arc<dyn Resolver>) -> Self {
        let parameters = json!({
            "type": "object",
            "properties": {
                "url": { "type": "string", "minLength": 1, "description": "An http or https URL" },
                "max_bytes": {
                    "type": "integer", "minimum": 1, "maximum": MOST_BYTES,
                    "description": "Read no more of the document (default: 1048576)"
                },
            },
            "required": ["url"],
            "additionalProperties": false,
        });
        let description = "Fetches a URL with GET. Gives status, url (where redirects led), content_type and body. A long \
            body, or one that is no text, is kept in a file, which is named.";
        let spec = spec(EffectClass::Pure, false, TIME);
        let description = described("http_fetch", description, parameters, spec);
        Self { description: description.touching(Effect::Net, &["url"]), tls, resolver }
    }

    async fn fetch(&self, call: Call<'_>) -> Result<Outcome, Failure> {
        let Arguments { url, max_bytes } = read(call.arguments)?;
        let mut url = url;
        for _redirect in 0..=REDIRECTS {
            let (at, pinned) = self.judged(call, &url).await?;
            let answer = pinned.get(&self.tls, &at).await?;
            if let Some(next) = redirect(&at, answer.status(), answer.headers()) {
                url = next?;
                continue;
            }
            return show(call, &at, answer, max_bytes.unwrap_or(BYTES)).await;
        }
        Err(Failure::new(format!(
            "it leads on and on: more than {REDIRECTS} redirects; fetch the URL that is meant"
        )))
    }

    /// The URL, and the addresses that may be connected to for it.
    async fn judged(&self, call: Call<'_>, url: &str) -> Result<(Url, Pinned), Failure> {
        let Some(rules) = call.place.network() else {
            return Err(Failure::new("there is no network in this agent's place"));
        };
        let judged = rules.judge_url(url);
        let Some(target) = judged.target.filter(|_| judged.found.is_empty()) else {
            return Err(Failure::rules(&judged.found));
        };
        if !matches!(target.scheme.as_str(), "http" | "https") {
            return Err(Failure::rules(&[seawall_detect::Found {
                code: Code::NetScheme,
                severity: Severity::High,
                message: format!("the scheme {} is not fetched", target.scheme),
                remedy: "use http or https".to_owned(),
            }]));
        }
        let addresses = match target.literal {
            Some(address) => vec![address],
            None => resolver::resolve(&self.resolver, &target.host).await,
        };
        let found = rules.judge_addresses(&target, &addresses);
        if !found.is_empty() {
            return Err(Failure::rules(&found));
        }
        let mut at =
            Url::parse(url).map_err(|error| Failure::new(format!("the URL can't be read: {error}")))?;
        at.set_fragment(None);
        // What is connected to is what was judged, in the same spelling.
        let is_same = match target.literal {
            Some(address) => at.set_ip_host(address).is_ok(),
            None => at.set_host(Some(&target.host)).is_ok(),
        };
        if !is_same {
            return Err(Failure::new("the URL's host can't be read in one way only"));
        }
        Ok((at, Pinned::to(&addresses)))
    }
}

impl Tool for HttpFetch {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                fetched = self.fetch(call) => fetched.unwrap_or_else(Outcome::from),
                // Dropping what is under way closes its connection.
                () = call.cancel.cancelled() => Outcome::error("interrupted"),
            }
        })
    }
}

/// Where an answer leads on to.
fn redirect(at: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Result<String, Failure>> {
    let leads_on = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = headers.get(LOCATION).filter(|_| leads_on)?;
    let next = location.to_str().ok().and_then(|location| at.join(location).ok());
    Some(next.map(String::from).ok_or_else(|| Failure::new("it leads on to what is no URL")))
}

async fn show(call: Call<'_>, at: &Url, answer: Response<Incoming>, most: usize) -> Result<Outcome, Failure> {
    let status = answer.status();
    let content_type =
        answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let (body, truncated) = body(answer, most).await?;
    let mut told = json!({
        "url": at.as_str(), "status": status.as_u16(), "content_type": content_type, "bytes": body.len(),
        "truncated": truncated,
    });
    let (text, file) = shown(call, &body)?;
    if let Some(fields) = told.as_object_mut() {
        fields.insert("body".to_owned(), text.map_or(Value::Null, Value::from));
        fields.extend(file.map(|file| ("file".to_owned(), Value::from(file))));
    }
    let mut outcome = Outcome::json(&told);
    outcome.result.is_error = status.is_client_error() || status.is_server_error();
    Ok(outcome)
}

/// At most `most` bytes of the body; whether there are more.
async fn body(answer: Response<Incoming>, most: usize) -> Result<(Vec<u8>, bool), Failure> {
    let (mut body, mut read) = (answer.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::new(format!("the document broke off: {error}")))?;
        let data = frame.into_data().unwrap_or_else(|_trailers| Bytes::new());
        let room = most - read.len();
        read.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
        if data.len() > room {
            return Ok((read, true));
        }
    }
    Ok((read, false))
}

/// The body as it is shown, and the file where it is whole.
fn shown(call: Call<'_>, body: &[u8]) -> Result<(Option<String>, Option<String>), Failure> {
    let is_text = !body.contains(&0);
    if is_text && body.len() <= SHOWN {
        return Ok((Some(String::from_utf8_lossy(body).into_owned()), None));
    }
    let file = call.place.keep(&format!("{}.body", call.id), body)?.display().to_string();
    let rest = format!("the whole is in {file}; read it with fs_read (offset, limit, byte_offset)");
    let text = is_text.then(|| cut(&String::from_utf8_lossy(body), SHOWN, &rest));
    Ok((text, Some(file)))
}
