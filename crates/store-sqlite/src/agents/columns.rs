//! How an agent's values stand in columns, beside what stands so in all tables ([`crate::column`]).

use rusqlite::types::Type;
use rusqlite::{Error as SqlError, Result, Row};
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{AgentRow, BlobId, Body, Owner};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

use crate::column::{Columns, json};

/// A word that serde knows, as the text that it is in JSON.
pub(super) fn word(value: &impl Serialize) -> Result<String> {
    let text = json(value)?;
    Ok(text.trim_matches('"').to_owned())
}

/// JSON as text, for a column that people can read.
pub(super) fn text(json: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(json).map_err(|_| StoreError::Corrupt { reason: "JSON is not UTF-8".to_owned() })
}

/// The two columns of a body.
pub(super) fn body(body: &Body) -> Result<(Option<&str>, Option<[u8; 32]>), StoreError> {
    match body {
        Body::Inline(json) => Ok((Some(text(json)?), None)),
        Body::Blob(blob) => Ok((None, Some(*blob.as_bytes()))),
    }
}

/// Reads what only agents have.
pub(super) trait AgentColumns {
    /// A word that serde knows.
    fn word<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<T>;
    /// A body in its two columns.
    fn body(&self) -> Result<Body>;
    /// The name of an agent.
    fn agent(&self, name: &str) -> Result<AgentId>;
    /// An index entry.
    fn entry(&self) -> Result<AgentRow>;
    /// Whose an agent is.
    fn owner(&self) -> Result<Owner>;
}

impl AgentColumns for Row<'_> {
    fn word<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<T> {
        let text: String = self.get(name)?;
        let deserializer: StrDeserializer<'_, serde::de::value::Error> = text.as_str().into_deserializer();
        T::deserialize(deserializer).map_err(|error| senseless(name, &error))
    }

    fn body(&self) -> Result<Body> {
        Ok(match self.get::<_, Option<[u8; 32]>>("blob")? {
            Some(hash) => Body::Blob(BlobId::from_bytes(hash)),
            None => Body::Inline(self.get::<_, String>("body")?.into_bytes()),
        })
    }

    fn agent(&self, name: &str) -> Result<AgentId> {
        self.text(name)
    }

    fn entry(&self) -> Result<AgentRow> {
        Ok(AgentRow {
            id: self.agent("id")?,
            run: self.id("run")?,
            owner: self.owner()?,
            template: shared(self.get("template")?),
            template_version: self.get::<_, Option<String>>("template_version")?.map(shared),
            created_at: self.time("created_at")?,
            updated_at: self.time("updated_at")?,
            seq: self.count("seq")?,
            epoch: self.count("epoch")?,
            state: self.word("state")?,
            breakpoint: self.word("breakpoint")?,
            steps: self.count("steps")?,
            messages: self.count("messages")?,
            cost: self.text("cost")?,
            tokens: self.count("tokens")?,
            lineage: self.json("lineage")?,
            due: self.time_if("due")?,
            is_archived: self.get("archived")?,
        })
    }

    fn owner(&self) -> Result<Owner> {
        let get = |name| Ok::<_, SqlError>(self.get::<_, Option<String>>(name)?.map(shared));
        Ok(Owner { tenant: get("tenant")?, key: get("api_key")?, request: get("request")? })
    }
}

fn shared(text: String) -> std::sync::Arc<str> {
    text.into()
}

fn senseless(name: &str, error: &dyn std::fmt::Display) -> SqlError {
    SqlError::FromSqlConversionFailure(0, Type::Text, format!("column {name}: {error}").into())
}

/// JSON that was kept as text, named where it makes no sense.
pub(super) fn read<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt { reason: format!("{what}: {error}") })
}
