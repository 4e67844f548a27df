//! What requests say: JSON bodies and queries, with the place of what is wrong in them.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use seawall_types::Code;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::problem::Problem;

/// A JSON body. One that is empty says nothing: `{}`.
#[derive(Debug)]
pub(super) struct Input<T>(pub(super) T);

/// The query of the address.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

const REMEDY: &str = "see /openapi.json for what this route takes";

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        let is_json = essence.eq_ignore_ascii_case("application/json");
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let detail = format!("the body can't be read ({})", rejection.into_response().status());
            Problem::new(Code::BadRequest, detail, "send all of it")
        })?;
        if bytes.is_empty() {
            return read(b"{}").map(Self);
        }
        // Pages of other sites can send anything but this type without being asked first.
        if !is_json {
            let remedy = "send JSON with `content-type: application/json`";
            return Err(Problem::input("", "the body is not said to be JSON", remedy));
        }
        read(&bytes).map(Self)
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Problem::input(&pointer(error.path()), error.inner().to_string(), REMEDY))?;
    reader.end().map_err(|error| Problem::input("", error.to_string(), REMEDY))?;
    Ok(value)
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&name);
    }
    pointer
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::input("", rejection.body_text(), REMEDY)),
        }
    }
}

/// How many rows of a list, and after how many others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) skip: u32,
    pub(super) most: u32,
}

/// Rows of a list at the most.
const MOST: u32 = 1_000;

impl Page {
    pub(super) fn new(limit: Option<u32>, offset: Option<u32>) -> Result<Self, Problem> {
        let most = limit.unwrap_or(MOST);
        if most == 0 || most > MOST {
            let message = format!("the limit is {most}, not 1 to {MOST}");
            return Err(Problem::input("/limit", message, "ask for pages by limit and offset"));
        }
        Ok(Self { skip: offset.unwrap_or(0), most })
    }

    /// One row more than is shown tells whether there is another page.
    pub(super) fn with_one_more(self) -> u32 {
        self.most.saturating_add(1)
    }

    /// The rows of the page, and where the next one begins.
    pub(super) fn cut<T>(self, mut rows: Vec<T>) -> (Vec<T>, Option<u32>) {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let next = (rows.len() > most).then(|| self.skip.saturating_add(self.most));
        rows.truncate(most);
        (rows, next)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read for its errors")]
    struct Outer {
        a: Vec<u8>,
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, expected) in [
            (r#"{"a":[1,"x"]}"#, "/a/1"),
            (r#"{"a":true}"#, "/a"),
            (r#"{"a":[],"b/c":1}"#, "/b~1c"),
            ("{}", ""),
            (r#"{"a":[]} x"#, ""),
        ] {
            let problem = read::<Outer>(text.as_bytes()).unwrap_err();
            assert_eq!(problem.errors[0].0, expected, "{text}: {problem:?}");
        }
    }

    #[test]
    fn a_page_tells_of_the_next_one() {
        let page = Page::new(Some(2), Some(4)).unwrap();
        assert_eq!(page.cut(vec![1, 2, 3]), (vec![1, 2], Some(6)));
        assert_eq!(page.cut(vec![1, 2]), (vec![1, 2], None));
        for limit in [0, MOST + 1] {
            assert!(Page::new(Some(limit), None).is_err(), "{limit}");
        }
    }
}
