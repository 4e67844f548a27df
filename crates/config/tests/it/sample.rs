//! A configuration with every kind of key, and short ways to read it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use seawall_config::{self as config, Document, Environment, Errors, Reader, Sources};
use seawall_types::{Secret, Usd};
use serde_json::Value;
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Warn,
    Strict,
}

pub(crate) const MODES: [(&str, Mode); 2] = [("warn", Mode::Warn), ("strict", Mode::Strict)];

/// A configuration with every kind of key, much like the product's.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) listen: SocketAddr,
    pub(crate) mode: Mode,
    pub(crate) body: u64,
    pub(crate) in_flight: u64,
    pub(crate) drain: Duration,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) models: Option<Vec<String>>,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) servers: BTreeMap<String, String>,
    pub(crate) issuer: Option<String>,
    pub(crate) budget: Option<Usd>,
    pub(crate) share: f64,
    pub(crate) enabled: bool,
    pub(crate) policy: Option<Value>,
}

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) api_key: Option<Secret<String>>,
    pub(crate) headers: BTreeMap<String, Secret<String>>,
    pub(crate) labels: BTreeMap<String, String>,
}

pub(crate) fn declare(reader: &mut Reader<'_>) -> Sample {
    let mut sample = reader.section("gateway", "The proxy.", gateway);
    sample.upstreams = reader.list("upstreams", "Providers.", upstream);
    sample.servers =
        reader.named("servers", "Tool servers.", |_, server| server.required_text("url", "Where it is."));
    let jwt = |jwt: &mut Reader<'_>| jwt.required_text("issuer", "Who signs.");
    sample.issuer = reader.optional_section("jwt", "Tokens.", jwt);
    sample.policy = reader.raw("policy", "A preset, a file, or rules.");
    sample
}

pub(crate) fn gateway(reader: &mut Reader<'_>) -> Sample {
    let sample = Sample {
        listen: reader.parsed("listen", "Address and port.", SocketAddr::from(([127, 0, 0, 1], 8000))),
        mode: reader.choice("mode", "Whether findings refuse.", Mode::Warn, &MODES),
        body: reader
            .section("limits", "", |limits| limits.size("body", "Largest body.", 32 << 20, 1024..=1 << 30)),
        in_flight: reader.integer("in_flight", "Requests at once.", 1000, 1..=100_000),
        drain: reader.duration(
            "drain",
            "Time to finish.",
            Duration::from_secs(30),
            Duration::ZERO..=Duration::from_secs(3600),
        ),
        trusted_proxies: reader.strings("trusted_proxies", "Who may say where a request is from."),
        models: reader.optional_strings("models", "Allowed models."),
        upstreams: Vec::new(),
        servers: BTreeMap::new(),
        issuer: None,
        budget: reader.optional_usd("budget", "What may be spent."),
        share: reader.number("share", "How much of it.", 0.5, 0.0..=1.0),
        enabled: reader.boolean("enabled", "Whether it runs.", true),
        policy: None,
    };
    if sample.mode == Mode::Strict && !sample.enabled {
        reader.error("mode", "strict and not enabled exclude each other", "enable the gateway");
    }
    sample
}

pub(crate) fn upstream(reader: &mut Reader<'_>) -> Upstream {
    Upstream {
        name: reader.required_text("name", "Its name."),
        mode: reader.required_choice("mode", "How.", Mode::Strict, &MODES),
        api_key: reader.secret("api_key", "Its key."),
        headers: reader.secret_map("headers", "Sent along."),
        labels: reader.map("labels", "Kept with it."),
    }
}

pub(crate) fn read_text(name: &str, text: &str) -> Result<Sample, Errors> {
    read_with(name, text, &[])
}

pub(crate) fn read_with(name: &str, text: &str, variables: &[(&str, &str)]) -> Result<Sample, Errors> {
    let environment = environment(variables);
    config::read(&Document::from_text(Path::new(name), text, &environment)?, declare)
}

pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

/// A folder with these files in it.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

pub(crate) fn sources(files: &[PathBuf], variables: &[(&str, &str)]) -> Sources {
    Sources { files: files.to_vec(), environment: environment(variables), ..Sources::default() }
}
