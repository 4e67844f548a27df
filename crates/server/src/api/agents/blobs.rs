//! `/api/agents/{id}/blobs`: pictures, sounds and files that messages speak of, each under the hash of its bytes.

use std::collections::BTreeSet;
use std::fmt::Display;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use seawall_engine::{Block, Source};
use seawall_store::agents::BlobId;
use seawall_types::Code;
use serde::Serialize;

use super::found::{Found, of_path};
use crate::App;
use crate::problem::Problem;

const REMEDY: &str = "send its bytes to POST /api/agents/{id}/blobs first, and name the blob of the answer";

/// Bytes are kept under this name.
#[derive(Debug, Serialize)]
struct Kept {
    blob: String,
    bytes: usize,
}

/// A blob of the path.
pub(super) struct Named(BlobId);

impl FromRequestParts<std::sync::Arc<App>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &std::sync::Arc<App>) -> Result<Self, Problem> {
        let name = of_path(parts, app, "blob").await?;
        name.parse().map(Self).map_err(|error| unknown("/blob", &error))
    }
}

/// Keeps the bytes of the body, whatever they are. The same bytes again have the same name.
pub(super) async fn keep(found: Found, bytes: Bytes) -> Result<Response, Problem> {
    if bytes.is_empty() {
        let remedy = "send the bytes of the picture, sound or file as the body";
        return Err(Problem::input("", "the body is empty", remedy));
    }
    let blob = found.store().put_blob(found.id(), &bytes).await?.to_string();
    Ok((StatusCode::CREATED, Json(Kept { blob, bytes: bytes.len() })).into_response())
}

/// The bytes. Nobody's browser is to run what a model or a tool has made.
pub(super) async fn show(found: Found, Named(id): Named) -> Result<Response, Problem> {
    let Some(bytes) = found.store().blob(found.id(), &id).await? else {
        let detail = format!("the agent {} has no blob {id}", found.id());
        return Err(Problem::new(
            Code::NotFound,
            detail,
            "see the agent's messages for the blobs that there are",
        ));
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")),
    ];
    Ok((headers, bytes).into_response())
}

/// Whether every blob that a message names is there. Each is looked for once.
pub(super) async fn verify(found: &Found, content: &[Block]) -> Result<(), Problem> {
    let mut known = BTreeSet::new();
    for (index, block) in content.iter().enumerate() {
        let (Block::Image(media) | Block::Audio(media) | Block::File(media)) = block else { continue };
        let Source::Blob(name) = &media.source else { continue };
        let pointer = format!("/content/{index}/blob");
        let id: BlobId = name.parse().map_err(|error| unknown(&pointer, &error))?;
        if known.insert(id) && !found.store().has_blob(found.id(), &id).await? {
            return Err(unknown(&pointer, &format!("the agent {} has no blob {id}", found.id())));
        }
    }
    Ok(())
}

fn unknown(pointer: &str, why: &dyn Display) -> Problem {
    Problem::input(pointer, why.to_string(), REMEDY)
}
