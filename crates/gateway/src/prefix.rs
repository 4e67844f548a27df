//! Our own part of a path: which upstream it chooses, and the provider's path after it.
//!
//! Clients append paths to base URLs with and without a version, so behind a prefix a missing one is put in.

use seawall_llm::wire::{Dialect, is_version};

use crate::Directory;

/// Prefixes that choose the upstreams of a kind.
const KINDS: [(&str, Dialect); 3] =
    [("/openai", Dialect::OpenAi), ("/anthropic", Dialect::Anthropic), ("/gemini", Dialect::Gemini)];

/// Before the names of servers of tools.
const MCP: &str = "/mcp";

/// Where Gemini takes files, before the version.
const UPLOAD: &str = "/upload";

/// What a prefix chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// There is none; the path decides.
    ByPath,
    /// The upstreams of this kind.
    Kind(Dialect),
    /// This one, and what it is for.
    Named(String, Option<Dialect>),
}

impl Chosen {
    /// The kind of the upstreams that may serve the request, where the prefix says it.
    pub(crate) fn kind(&self) -> Option<Dialect> {
        match self {
            Self::ByPath => None,
            Self::Kind(kind) => Some(*kind),
            Self::Named(_, kind) => *kind,
        }
    }

    /// The upstream's name, where the prefix says it.
    pub(crate) fn into_name(self) -> Option<String> {
        match self {
            Self::ByPath | Self::Kind(_) => None,
            Self::Named(name, _) => Some(name),
        }
    }
}

/// Whether a path is the gateway's.
pub(crate) fn owns(path: &str) -> bool {
    ["/v1", "/v1beta", "/openai", "/anthropic", "/gemini", "/u", MCP]
        .iter()
        .any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The server of tools that a path names.
pub(crate) fn server_of_tools(path: &str) -> Option<&str> {
    let name = path.strip_prefix(MCP)?.strip_prefix('/')?;
    let name = name.strip_suffix('/').unwrap_or(name);
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// What the path chooses, and the provider's path.
pub(crate) fn split(path: &str, directory: &Directory) -> (Chosen, String) {
    if let Some(rest) = path.strip_prefix("/u/") {
        let name = rest.split('/').next().unwrap_or_default();
        let rest = rest.get(name.len()..).unwrap_or_default();
        let kind = directory.upstream(name).and_then(|upstream| upstream.settings.dialect);
        return (Chosen::Named(name.to_owned(), kind), with_version(rest, kind));
    }
    for (prefix, kind) in KINDS {
        if let Some(rest) = path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            return (Chosen::Kind(kind), with_version(rest, Some(kind)));
        }
    }
    (Chosen::ByPath, path.to_owned())
}

/// The path with the version that a provider of this kind wants. Where the kind is any, a verb (`models/m:countTokens`)
/// tells Gemini's.
fn with_version(path: &str, kind: Option<Dialect>) -> String {
    let (upload, rest) = match path.strip_prefix(UPLOAD).filter(|rest| rest.starts_with('/')) {
        Some(rest) => (UPLOAD, rest),
        None => ("", path),
    };
    if rest.get(1..).is_some_and(is_version) {
        return path.to_owned();
    }
    let is_gemini = kind.map_or_else(|| rest.contains(':'), |kind| kind == Dialect::Gemini);
    let version = if is_gemini { "/v1beta" } else { "/v1" };
    format!("{upload}{version}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_choose_and_leave_the_providers_path() {
        let (openai, anthropic, gemini) =
            (Chosen::Kind(Dialect::OpenAi), Chosen::Kind(Dialect::Anthropic), Chosen::Kind(Dialect::Gemini));
        let backup = Chosen::Named("backup".to_owned(), None);
        for (path, chosen, expected) in [
            ("/v1/messages", &Chosen::ByPath, "/v1/messages"),
            ("/openai/v1/chat/completions", &openai, "/v1/chat/completions"),
            ("/openai/chat/completions", &openai, "/v1/chat/completions"),
            ("/openai/vector_stores", &openai, "/v1/vector_stores"),
            ("/anthropic/v1/messages", &anthropic, "/v1/messages"),
            ("/anthropic/v1/chat/completions", &anthropic, "/v1/chat/completions"),
            ("/gemini/v1beta/models/g:countTokens", &gemini, "/v1beta/models/g:countTokens"),
            ("/gemini/models", &gemini, "/v1beta/models"),
            ("/gemini/upload/v1beta/files", &gemini, "/upload/v1beta/files"),
            ("/gemini/upload/files", &gemini, "/upload/v1beta/files"),
            ("/gemini/uploads", &gemini, "/v1beta/uploads"),
            ("/u/backup/v2/rerank", &backup, "/v2/rerank"),
            ("/gemini/v1alpha/models", &gemini, "/v1alpha/models"),
            ("/u/backup/v1/models", &backup, "/v1/models"),
            ("/u/backup/chat/completions", &backup, "/v1/chat/completions"),
            ("/u/backup/models/g:countTokens", &backup, "/v1beta/models/g:countTokens"),
            ("/u/backup", &backup, "/v1"),
        ] {
            let split = split(path, &Directory::default());
            assert_eq!((&split.0, split.1.as_str()), (chosen, expected), "{path}");
        }
    }

    #[test]
    fn a_server_of_tools_is_one_name_behind_its_prefix() {
        for (path, name) in [
            ("/mcp/files", Some("files")),
            ("/mcp/files/", Some("files")),
            ("/mcp", None),
            ("/mcp/", None),
            ("/mcp/a/b", None),
            ("/mcpx/a", None),
            ("/v1/mcp/a", None),
        ] {
            assert_eq!(server_of_tools(path), name, "{path}");
        }
    }

    #[test]
    fn only_provider_paths_are_ours() {
        for path in ["/v1", "/v1/x", "/v1beta/models", "/openai/v1/models", "/u/x/v1/models", "/mcp/files"] {
            assert!(owns(path), "{path}");
        }
        for path in [
            "/",
            "/health",
            "/v10/x",
            "/v2/x",
            "/user",
            "/api/budgets",
            "/openai.json",
            "/upload/v1beta/files",
        ] {
            assert!(!owns(path), "{path}");
        }
    }
}
