//! `mcp`: the servers behind `/mcp/NAME`, as they are configured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use seawall_config::Reader;
use seawall_types::Secret;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// How long a request may take that nobody configured otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest name of a server: it stands in paths, in names of tools, in labels.
const LONGEST_NAME: usize = 64;

/// `mcp.servers.NAME`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSettings {
    /// Where it is.
    pub place: Place,
    /// `policy`: a preset or a file, for callers without a policy of their own.
    pub policy: Option<String>,
    /// `timeout`.
    pub timeout: Duration,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A program that we start, and that speaks over its standard streams.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
        /// Variables that it gets beside the few that every program does.
        environment: BTreeMap<String, Secret<String>>,
        /// The folder that it is confined to; `None`: it is not confined.
        sandbox: Option<PathBuf>,
    },
    /// A server that speaks streamable HTTP.
    Url {
        /// Its endpoint.
        url: Uri,
        /// What every request to it gets.
        headers: HeaderMap,
    },
}

/// Reads the section. Errors are collected by the reader.
pub fn declare(reader: &mut Reader<'_>) -> BTreeMap<String, ServerSettings> {
    reader.section("mcp", "Model Context Protocol.", |mcp| {
        let doc = "Servers behind /mcp/NAME: a command that is started, or the url of one that runs.";
        let servers = mcp.named("servers", doc, server);
        servers.into_iter().filter_map(|(name, settings)| Some((name, settings?))).collect()
    })
}

fn server(name: &str, reader: &mut Reader<'_>) -> Option<ServerSettings> {
    check_name(name, reader);
    let command =
        reader.strings("command", "The program and its arguments; it speaks over its standard streams.");
    let environment =
        reader.secret_map("env", "Variables for the command, by reference where they are secret.");
    let doc = "A folder that the command is confined to, by the kernel, as the policy says; relative paths mean it.";
    let sandbox = reader.optional_text("sandbox", doc).map(PathBuf::from);
    let url = reader.optional_text("url", "The endpoint of a server that speaks streamable HTTP.");
    let headers = headers(reader);
    let doc = "A preset, or the file of a policy, for callers without a policy of their own; default: the configured policy.";
    let policy = reader.optional_text("policy", doc);
    let timeout = reader.duration("timeout", "How long a request may take.", TIMEOUT, SECOND / 10..=DAY);
    let of_a_command = ["env", "sandbox"].into_iter().find(|key| reader.is_set(key));
    let place = match (command.is_empty(), url) {
        (false, None) => {
            if reader.is_set("headers") {
                reader.error("headers", "a command gets no headers", "give it variables in env");
            }
            Place::Command { command, environment, sandbox }
        }
        (true, Some(url)) => {
            if let Some(key) = of_a_command {
                reader.error(
                    key,
                    "only a command that is started here has this",
                    "leave it out, or give a command",
                );
            }
            Place::Url { url: endpoint(&url, reader)?, headers }
        }
        (true, None) => {
            let hint = "add command: [\"program\", \"argument\"], or url: https://…";
            reader.error("", "a server needs a command or a url", hint);
            return None;
        }
        (false, Some(_)) => {
            reader.error("url", "a server has a command or a url, not both", "leave out one of them");
            return None;
        }
    };
    Some(ServerSettings { place, policy, timeout })
}

fn check_name(name: &str, reader: &mut Reader<'_>) {
    let is_good = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !is_good {
        let hint = "use letters, digits, - and _, at most 64";
        reader.error("", format!("{name:?} can't be the name of a server"), hint);
    }
}

fn endpoint(text: &str, reader: &mut Reader<'_>) -> Option<Uri> {
    let is_http = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    let has_user = |url: &Uri| url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match text.parse::<Uri>() {
        Ok(url) if is_http(&url) && !has_user(&url) => Some(url),
        Ok(url) if is_http(&url) => {
            reader.error(
                "url",
                "a user name does not belong into the url",
                "put the credential into headers",
            );
            None
        }
        _ => {
            reader.error(
                "url",
                format!("{text:?} is no address of a server"),
                "for example https://mcp.example.com/mcp",
            );
            None
        }
    }
}

fn headers(reader: &mut Reader<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let doc = "Headers that every request to the url gets, by reference where they are secret.";
    for (name, value) in reader.secret_map("headers", doc) {
        // Files of secrets end in a line break, which no header can hold.
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value.expose().trim())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => reader.error(
                "headers",
                format!("{name:?} or its value can't be a header"),
                "use printable ASCII",
            ),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use seawall_config::{Document, attempt};
    use serde_json::{Value, json};

    use super::*;

    fn read(servers: &Value) -> (BTreeMap<String, ServerSettings>, Vec<String>) {
        let document = Document::from_value(&json!({ "mcp": { "servers": servers } }));
        let (settings, outcome) = attempt(&document, declare);
        let errors = outcome.err().map(|errors| errors.0).unwrap_or_default();
        (settings, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_server_is_a_command_or_a_url() {
        let (servers, errors) = read(&json!({
            "files": { "command": ["server", "--root", "."], "env": { "TOKEN": "x" }, "sandbox": "data", "timeout": "5s" },
            "web": { "url": "https://mcp.example.com/mcp?x=1", "headers": { "authorization": "Bearer x" }, "policy": "safe" },
        }));
        assert_eq!(errors, Vec::<String>::new());
        let Place::Command { command, environment, sandbox } = &servers["files"].place else {
            panic!("it is a command")
        };
        assert_eq!((command.len(), sandbox.as_deref()), (3, Some(std::path::Path::new("data"))));
        assert_eq!(environment["TOKEN"].expose(), "x");
        assert_eq!(servers["files"].timeout, 5 * SECOND);
        let Place::Url { url, headers } = &servers["web"].place else { panic!("it is a url") };
        assert_eq!(url.to_string(), "https://mcp.example.com/mcp?x=1");
        assert!(headers["authorization"].is_sensitive());
        assert_eq!((servers["web"].policy.as_deref(), servers["web"].timeout), (Some("safe"), TIMEOUT));
        assert!(!format!("{servers:?}").contains("Bearer"), "secrets have no printable form");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let (_, errors) = read(&json!({
            "none": {},
            "both": { "command": ["a"], "url": "http://x/" },
            "not here": { "command": ["a"] },
            "user": { "url": "http://me:secret@x/" },
            "file": { "url": "file:///x" },
            "mixed": { "url": "http://x/", "sandbox": "d" },
            "reversed": { "command": ["a"], "headers": { "a": "b" } },
            "odd": { "command": ["a"], "shell": true },
        }));
        for (name, said) in [
            ("none", "a command or a url"),
            ("both", "not both"),
            ("not here", "can't be the name"),
            ("user", "user name"),
            ("file", "no address"),
            ("mixed", "only a command"),
            ("reversed", "no headers"),
            ("odd", "shell"),
        ] {
            let is_said = |error: &String| error.contains(name) && error.contains(said);
            assert!(errors.iter().any(is_said), "{name}: {errors:#?}");
        }
        assert!(!errors.iter().any(|error| error.contains("secret")), "{errors:#?}");
    }
}
