//! `store`: where durable state lives.

use std::path::{Path, PathBuf};

use seawall_config::Reader;
use seawall_types::Secret;

/// Where durable state lives. Keys, limits, approvals and heads of traces are always in a database of SQLite, the server's own;
/// agents are there too, or where many servers find them.
#[derive(Debug, Clone, Default)]
pub(crate) enum StoreChoice {
    /// The server's own database, in the data directory.
    #[default]
    Own,
    /// The server's own database, here.
    Sqlite(PathBuf),
    /// Agents in a folder of lines that people can read.
    Json(PathBuf),
    /// Agents in PostgreSQL.
    Postgres(Secret<String>),
}

impl StoreChoice {
    /// Where the server's own database is.
    pub(crate) fn database(&self, data_dir: &Path) -> PathBuf {
        match self {
            Self::Sqlite(path) => path.clone(),
            Self::Own | Self::Json(_) | Self::Postgres(_) => data_dir.join("seawall.db"),
        }
    }

    /// What is written as `sqlite:PATH`, `json:FOLDER` or `postgres://…`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Some(Self::Postgres(Secret::new(text.to_owned())));
        }
        match text.split_once(':')? {
            (_, "") => None,
            ("sqlite", path) => Some(Self::Sqlite(path.into())),
            ("json", path) => Some(Self::Json(path.into())),
            _ => None,
        }
    }
}

/// How a store is written.
pub(crate) const FORMS: &str = "write sqlite:PATH, json:FOLDER or postgres://USER@HOST/DATABASE";

pub(super) fn declare(reader: &mut Reader<'_>) -> StoreChoice {
    let doc = "Where durable state lives: sqlite:PATH, or for agents json:FOLDER or postgres://…; never shown, since it may have a \
               password in it. Default: sqlite in the data directory.";
    let Some(store) = reader.secret("store", doc) else { return StoreChoice::Own };
    StoreChoice::parse(store.expose()).unwrap_or_else(|| {
        reader.error("store", "this names no store", FORMS);
        StoreChoice::Own
    })
}
