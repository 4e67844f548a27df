//! The whole configuration of the binary: every section, read once.

mod agents;
mod approvals;
mod otlp;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use seawall_base::telemetry;
use seawall_checkpoint::PayloadRedactor;
use seawall_config::{Document, Environment, Errors, Origin, Reader, Sources, attempt as attempt_keys};
use seawall_gateway::Settings as GatewaySettings;
use seawall_mcp::ServerSettings;
use seawall_server::{MetricsPlace, Server};
use seawall_trace::content::Content;
use seawall_trace::sign::SignKey;
use seawall_trace::{Durability, OnUnavailable};
use seawall_types::mask;
use serde_json::{Value, json};

use crate::args::{Global, LogFormat, ServeArgs};
use crate::otlp::Endpoint;

pub(crate) use self::agents::AgentSettings;
pub(crate) use self::approvals::ApprovalSettings;
pub(crate) use self::store::{FORMS as STORE_FORMS, StoreChoice};

const SECOND: Duration = Duration::from_secs(1);

/// Everything that is configured.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) gateway: GatewaySettings,
    pub(crate) trace: TraceSettings,
    pub(crate) approvals: ApprovalSettings,
    pub(crate) agents: AgentSettings,
    pub(crate) store: StoreChoice,
    pub(crate) logging: LoggingSettings,
    pub(crate) metrics: MetricsPlace,
    /// Where spans are sent while the server runs, if anywhere.
    pub(crate) otlp: Option<Endpoint>,
    /// Servers of tools behind `/mcp`, by name.
    pub(crate) mcp: BTreeMap<String, ServerSettings>,
}

/// `trace`.
#[derive(Debug, Clone)]
pub(crate) struct TraceSettings {
    /// What is kept of payloads.
    pub(crate) content: Kept,
    pub(crate) durability: Durability,
    /// `None`: as the mode says.
    pub(crate) on_unavailable: Option<OnUnavailable>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_bytes: Option<u64>,
    /// Signs the heads of the chains.
    pub(crate) sign_key: Option<Arc<SignKey>>,
}

/// `trace.content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    Redacted,
    Everything,
}

impl Kept {
    /// The same for the trace, with what redacts it.
    pub(crate) fn content(self) -> Content {
        match self {
            Self::Nothing => Content::None,
            Self::Redacted => Content::Redacted(Arc::new(PayloadRedactor::new())),
            Self::Everything => Content::Full,
        }
    }
}

/// `logging`.
#[derive(Debug, Clone)]
pub(crate) struct LoggingSettings {
    pub(crate) level: String,
    pub(crate) format: Option<LogFormat>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) rotate_size: Option<u64>,
    pub(crate) keep: u32,
}

impl Settings {
    /// Reads every key. One declaration for the configuration itself, its schema and its documentation.
    pub(crate) fn declare(reader: &mut Reader<'_>) -> Self {
        let mut gateway = GatewaySettings::declare(reader);
        let trace = reader.section("trace", "The event log.", trace);
        gateway.trace_before_sending = matches!(trace.durability, Durability::Each);
        let approvals = approvals::declare(reader);
        let store = store::declare(reader);
        let logging = reader.section("logging", "Logs.", logging);
        let metrics = reader.section("metrics", "Figures for Prometheus.", metrics);
        let otlp = otlp::declare(reader);
        let mcp = seawall_mcp::declare(reader);
        let agents = agents::declare(reader);
        Self { gateway, trace, approvals, agents, store, logging, metrics, otlp, mcp }
    }

    /// Where the database is.
    pub(crate) fn database(&self, data_dir: &Path) -> PathBuf {
        self.store.database(data_dir)
    }
}

fn trace(reader: &mut Reader<'_>) -> TraceSettings {
    let doc = "What is kept of prompts, answers, arguments and results of tools: none, redacted (without secrets and personal data), full.";
    let contents = [("none", Kept::Nothing), ("redacted", Kept::Redacted), ("full", Kept::Everything)];
    let content = reader.choice("content", doc, Kept::Redacted, &contents);
    let kinds = [("buffered", 0_u8), ("group", 1), ("each", 2)];
    let doc = "When events are on disk: buffered (when the kernel likes), group (every group_every), each (before the action).";
    let kind = reader.choice("durability", doc, 1, &kinds);
    let every = reader.duration(
        "group_every",
        "How often a group is made durable.",
        SECOND / 50,
        SECOND / 1000..=10 * SECOND,
    );
    let durability = match kind {
        0 => Durability::Buffered,
        1 => Durability::Group { every },
        _ => Durability::Each,
    };
    let choices = [("refuse", OnUnavailable::Refuse), ("count", OnUnavailable::Count)];
    let doc = "When the trace can't be written: refuse actions, or count what is lost; default: refuse in strict mode.";
    let on_unavailable = reader.optional_choice("on_unavailable", doc, &choices);
    let (max_age, max_bytes) =
        reader.section("retention", "What is removed, by the running server.", |retention| {
            let age = retention.optional_duration(
                "age",
                "Runs that ended longer ago.",
                SECOND..=Duration::from_secs(86_400 * 3_650),
            );
            (
                age,
                retention.optional_size("size", "The oldest, past this size in all.", 1024 * 1024..=u64::MAX),
            )
        });
    let sign_key = sign_key(reader);
    TraceSettings { content, durability, on_unavailable, max_age, max_bytes, sign_key }
}

fn sign_key(reader: &mut Reader<'_>) -> Option<Arc<SignKey>> {
    let doc = "An Ed25519 key that signs the heads of the chains: a PEM, or a seed in base64 or hexadecimal; by reference.";
    let text = reader.secret("sign_key", doc)?;
    match SignKey::parse(&text) {
        Ok(key) => Some(Arc::new(key)),
        Err(error) => {
            reader.error("sign_key", error.to_string(), "write ${VARIABLE}, and the key into that variable");
            None
        }
    }
}

fn logging(reader: &mut Reader<'_>) -> LoggingSettings {
    let level = reader.text(
        "level",
        "trace, debug, info, warn or error; also for parts: info,seawall_gateway=debug.",
        "info",
    );
    if telemetry::check_level(&level).is_err() {
        let hint = "write trace, debug, info, warn or error, or parts like info,seawall_gateway=debug";
        reader.error("level", format!("{level:?} is no level"), hint);
    }
    let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    let format =
        reader.optional_choice("format", "json or text; default: text on a terminal, else json.", &formats);
    let (file, rotate_size, keep) = reader.section("file", "A file for logs, instead of stderr.", |file| {
        let path = file.optional_text("path", "Its path.").map(PathBuf::from);
        let rotate = file.optional_size("rotate_size", "When it is rotated.", 64 * 1024..=u64::MAX);
        (path, rotate, file.integer("keep", "Rotated files that are kept.", 10, 1..=1_000))
    });
    reader.absent(
        "syslog",
        "Logs to syslog; not in this build.",
        "leave it out; systemd's journal takes stderr, and logging.file writes a file",
    );
    LoggingSettings { level, format, file, rotate_size, keep: u32::try_from(keep).unwrap_or(u32::MAX) }
}

fn metrics(reader: &mut Reader<'_>) -> MetricsPlace {
    let enabled = reader.boolean("enabled", "Whether /metrics is served.", true);
    let doc = "An address and port of its own for /metrics; default: beside everything else.";
    match reader.optional_text("listen", doc) {
        _ if !enabled => MetricsPlace::Nowhere,
        None => MetricsPlace::Here,
        Some(listen) => {
            if let Err(error) = Server::address_of(&listen) {
                reader.error("listen", error.to_string(), "for example: 127.0.0.1:9090");
            }
            MetricsPlace::Apart(listen)
        }
    }
}

/// The folder of all state.
pub(crate) fn data_dir(global: &Global, environment: &Environment) -> PathBuf {
    let named = || environment.get("SEAWALL_HOME").map(PathBuf::from);
    global.data_dir.clone().or_else(named).unwrap_or_else(|| PathBuf::from(".seawall"))
}

/// Where configuration comes from: files, environment, and the flags of this command.
pub(crate) fn sources(global: &Global, environment: &Environment, flags: Vec<(String, Value)>) -> Sources {
    Sources {
        files: global.config.clone(),
        env_name: environment.get("SEAWALL_ENV").map(str::to_owned),
        environment: environment.clone(),
        flags,
    }
}

/// Loads the configuration as far as it can be read, with what is wrong with it. Where it names no upstream, it has those of
/// [`default_upstreams`].
///
/// # Errors
/// When a file can't be read at all.
pub(crate) fn attempt(sources: &Sources) -> Result<(Document, Settings, Result<(), Errors>), Errors> {
    let read = attempt_as_written(sources)?;
    // Upstreams that can't be read are a fault to tell, not none at all.
    let are_faulty = |errors: &Errors| errors.0.iter().any(|error| error.key.starts_with("upstreams"));
    if !read.1.gateway.upstreams.is_empty() || read.2.as_ref().is_err_and(are_faulty) {
        return Ok(read);
    }
    let mut sources = sources.clone();
    sources.flags.push(("upstreams".to_owned(), default_upstreams(&sources.environment)));
    attempt_as_written(&sources)
}

fn attempt_as_written(sources: &Sources) -> Result<(Document, Settings, Result<(), Errors>), Errors> {
    let document = Document::load(sources)?;
    let (settings, outcome) = attempt_keys(&document, Settings::declare);
    Ok((document, settings, outcome))
}

/// Loads the configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load(sources: &Sources) -> Result<(Document, Settings), Errors> {
    let (document, settings, outcome) = attempt(sources)?;
    outcome.map(|()| (document, settings))
}

/// Faults, one a line (`key: what is wrong`), each with where its key was written and without what came there by reference.
pub(crate) fn placed(document: &Document, faults: &str) -> Vec<String> {
    let placed = |line: &str| {
        let (key, fault) = line.split_once(": ").unwrap_or(("", line));
        let fault = document.keep_back(key, fault);
        let line = if key.is_empty() { fault } else { format!("{key}: {fault}") };
        let line = match document.origin(key) {
            None | Some(Origin::Default) => line,
            Some(origin) => format!("{origin}: {line}"),
        };
        mask(&line).into_owned()
    };
    faults.lines().map(placed).collect()
}

/// The flags of `up` and `proxy` as configuration keys.
pub(crate) fn flags(args: &ServeArgs, environment: &Environment) -> Vec<(String, Value)> {
    let mut flags = Vec::new();
    let mut set = |key: &str, value: Value| flags.push((key.to_owned(), value));
    if let Some(listen) = &args.listen {
        set("gateway.listen", json!(listen));
    }
    if let Some(mode) = &args.mode {
        set("gateway.mode", json!(mode));
    }
    if let Some(policy) = &args.policy {
        set("policy", json!(policy));
    }
    if let Some(url) = &args.upstream {
        set("upstreams", json!([upstream(url, environment)]));
    }
    if let Some(store) = &args.agents.store {
        set("store", json!(store));
    }
    if let Some(templates) = &args.agents.templates {
        set("agents.templates", json!(templates));
    }
    if let Some(most) = args.agents.max_agents {
        set("agents.max_agents", json!(most));
    }
    if let Some(lease) = &args.agents.lease {
        set("agents.lease", json!(lease));
    }
    flags
}

/// One upstream for every wire format, as `--upstream` names it.
fn upstream(url: &str, environment: &Environment) -> Value {
    let mut upstream =
        json!({ "name": if url == "sim:" { "sim" } else { "default" }, "kind": "any", "base_url": url });
    let key = environment.get("SEAWALL_UPSTREAM_API_KEY").filter(|key| !key.is_empty() && url != "sim:");
    if let (Some(key), Some(map)) = (key, upstream.as_object_mut()) {
        map.insert("api_key".to_owned(), json!(key));
    }
    upstream
}

/// Where calls go when nothing is configured: to the providers whose keys are in the environment, else to the simulated
/// one.
fn default_upstreams(environment: &Environment) -> Value {
    let providers = [
        ("openai", "openai", "OPENAI_API_KEY", "https://api.openai.com/v1"),
        ("anthropic", "anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com"),
        ("gemini", "gemini", "GEMINI_API_KEY", "https://generativelanguage.googleapis.com"),
    ];
    let found: Vec<Value> = providers
        .into_iter()
        .filter_map(|(name, kind, variable, url)| {
            let key = environment.get(variable).filter(|key| !key.is_empty())?;
            Some(json!({ "name": name, "kind": kind, "base_url": url, "api_key": key }))
        })
        .collect();
    if found.is_empty() { json!([upstream("sim:", environment)]) } else { json!(found) }
}
