//! The gateway's part of the configuration: its keys, declared once, read into [`Settings`].

mod cache;
mod route;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use seawall_budget::rate::Rate;
use seawall_budget::{Limit, OnStoreDown};
use seawall_config::Reader;
use seawall_llm::price::Price;
use seawall_llm::wire::Dialect;
use seawall_types::{Mode, Pattern, Scope, Usd, Window};
use serde_json::Value;

pub use cache::CacheSettings;
pub use route::{RouteSettings, TargetSettings};
pub use upstream::{UpstreamEntry, default_timeouts};

use crate::address::Network;
use crate::token::{self, JwtSettings};
use crate::{Limits, RateRule, RateScope, RequestTimeouts};

/// Who must show a key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// On loopback nobody, elsewhere everybody.
    #[default]
    Auto,
    /// Everybody.
    Required,
}

/// What to do about a model without a known price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPrice {
    /// Refuse it.
    Deny,
    /// Charge an assumed price.
    #[default]
    Estimate,
    /// Charge nothing, and count it.
    Zero,
}

/// What becomes of a call of a tool that policy denies in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolDenied {
    /// A text of the model's stands in its place, so that an agent can correct itself.
    #[default]
    Refuse,
    /// The answer ends in an error.
    Error,
}

/// Where the policy is.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicySource {
    /// A preset's name or a file's path.
    Named(String),
    /// In the configuration itself.
    Inline(Value),
}

/// The gateway's settings. What is in them holds for a request from its beginning to its end.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `gateway.listen`.
    pub listen: String,
    /// `gateway.mode`.
    pub mode: Mode,
    /// `gateway.limits`.
    pub limits: Limits,
    /// `gateway.timeouts`.
    pub timeouts: RequestTimeouts,
    /// `gateway.busy_poll`.
    pub busy_poll: Duration,
    /// `gateway.trusted_proxies`.
    pub trusted_proxies: Vec<IpNet>,
    /// `gateway.passthrough`; `None`: everything, and for tenants what holds nothing of the account.
    pub passthrough: Option<Vec<Pattern>>,
    /// `gateway.tool_denied`.
    pub tool_denied: ToolDenied,
    /// `gateway.websockets`.
    pub websockets: bool,
    /// `cache`; `None`: no answer is kept.
    pub cache: Option<CacheSettings>,
    /// `auth.mode`.
    pub auth: AuthMode,
    /// `auth.jwt`; `None`: tokens are the providers' business.
    pub jwt: Option<JwtSettings>,
    /// `upstreams`.
    pub upstreams: Vec<UpstreamEntry>,
    /// `routes`.
    pub routes: Vec<RouteSettings>,
    /// `prices.file`.
    pub price_file: Option<String>,
    /// `prices.unknown`.
    pub unknown_price: UnknownPrice,
    /// What `estimate` assumes.
    pub assumed_price: Arc<Price>,
    /// `prices.other_request`: what a request costs whose cost can't be seen.
    pub other_request: Option<Usd>,
    /// `budgets`.
    pub budgets: Vec<Limit>,
    /// `ledger.hold_grace`.
    pub hold_grace: Duration,
    /// `rate_limits`.
    pub rate_limits: Vec<RateRule>,
    /// `policy`.
    pub policy: PolicySource,
    /// An action goes ahead only when its admission is on disk (`trace.durability: each`).
    pub trace_before_sending: bool,
}

const MIB: u64 = 1024 * 1024;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

impl Settings {
    /// Reads the keys. Errors are collected by the reader.
    pub fn declare(reader: &mut Reader<'_>) -> Self {
        let gateway = reader.section("gateway", "The proxy.", gateway);
        let (auth, jwt) = reader.section("auth", "Who may call.", |auth| {
            let modes = [("auto", AuthMode::Auto), ("required", AuthMode::Required)];
            let doc = "Whether callers need a key of ours or a token: required, or auto (not on loopback).";
            let mode = auth.choice("mode", doc, AuthMode::Auto, &modes);
            (mode, auth.optional_section("jwt", "Tokens (JWT) of an issuer that is trusted.", token::declare))
        });
        let upstreams = reader.list("upstreams", "Where model calls go.", upstream::declare);
        let routes = reader.list("routes", "Names for models, and what serves them.", route::declare);
        check_names(reader, &upstreams, &routes);
        check_kinds(reader, &upstreams, &routes);
        let (price_file, unknown_price, assumed_price, other_request) =
            reader.section("prices", "What models cost.", prices);
        let budgets = reader.list("budgets", "Limits on money and tokens.", budget);
        let hold_grace = reader.section("ledger", "The book of budgets.", |ledger| {
            let doc = "How long after a call's total time-out its reservation becomes spend.";
            let grace = ledger.duration("hold_grace", doc, 30 * SECOND, Duration::ZERO..=HOUR);
            let doc = "Where several servers keep one book together: none, each keeps its own.";
            ledger.partial_choice("shared", doc, (), &[("none", ())], &["postgres", "redis"]);
            grace
        });
        let cache =
            reader.section("cache", "Answers that are given again to the same request.", cache::declare);
        let rate_limits = reader.list("rate_limits", "Requests and tokens a minute.", rate_limit);
        let policy = policy(reader);
        Self {
            listen: gateway.listen,
            mode: gateway.mode,
            limits: gateway.limits,
            timeouts: gateway.timeouts,
            busy_poll: gateway.busy_poll,
            trusted_proxies: gateway.trusted_proxies,
            passthrough: gateway.passthrough,
            tool_denied: gateway.tool_denied,
            websockets: gateway.websockets,
            cache,
            auth,
            jwt,
            upstreams,
            routes,
            price_file,
            unknown_price,
            assumed_price,
            other_request,
            budgets: budgets.into_iter().flatten().collect(),
            hold_grace,
            rate_limits,
            policy,
            trace_before_sending: false,
        }
    }
}

/// `gateway`.
struct GatewaySection {
    listen: String,
    mode: Mode,
    limits: Limits,
    timeouts: RequestTimeouts,
    busy_poll: Duration,
    trusted_proxies: Vec<IpNet>,
    tool_denied: ToolDenied,
    websockets: bool,
    passthrough: Option<Vec<Pattern>>,
}

fn gateway(gateway: &mut Reader<'_>) -> GatewaySection {
    let listen = gateway.text("listen", "Address and port; port 0 takes a free one.", "127.0.0.1:8000");
    let modes = [("warn", Mode::Warn), ("strict", Mode::Strict)];
    let mode = gateway.choice(
        "mode",
        "Whether findings refuse (strict) or are recorded (warn).",
        Mode::Warn,
        &modes,
    );
    let limits = gateway.section("limits", "How much of anything one request may take.", limits);
    let standard = RequestTimeouts::default();
    let timeouts =
        gateway.section("timeouts", "How long clients may take, and the server to stop.", |reader| RequestTimeouts {
            header_read: reader.duration(
                "header_read",
                "For the headers.",
                standard.header_read,
                SECOND / 10..=HOUR,
            ),
            body_read: reader.duration("body_read", "For the body.", standard.body_read, SECOND / 10..=HOUR),
            answer_write: reader.duration(
                "answer_write",
                "For the client to take something of its answer; past it the connection is closed.",
                standard.answer_write,
                SECOND / 10..=HOUR,
            ),
            drain_delay: reader.duration(
                "drain_delay",
                "How long new requests are still taken at shutdown, while /ready says 503: as long as balancers need to notice.",
                standard.drain_delay,
                Duration::ZERO..=HOUR,
            ),
            drain: reader.duration(
                "drain",
                "For streams to finish at shutdown.",
                standard.drain,
                Duration::ZERO..=HOUR,
            ),
        });
    let doc = "How long a worker that was busy asks for more before it sleeps: less latency for processor time; 0s: not at all.";
    let busy_poll = gateway.duration("busy_poll", doc, Duration::ZERO, Duration::ZERO..=SECOND);
    let doc = "Addresses and address ranges whose X-Forwarded-For is believed.";
    let trusted = gateway.parsed_list::<Network>("trusted_proxies", doc);
    let trusted_proxies = trusted.into_iter().map(|Network(network)| network).collect();
    let doc = "What becomes of a call of a tool that policy denies in an answer: a text in its place, or the end of the answer.";
    let denied = [("refuse", ToolDenied::Refuse), ("error", ToolDenied::Error)];
    let tool_denied = gateway.choice("tool_denied", doc, ToolDenied::Refuse, &denied);
    let doc = "Whether websockets (realtime APIs) are passed through; what they cost can't be seen.";
    let websockets = gateway.boolean("websockets", doc, true);
    let doc = "Provider's paths that pass though no wire format claims them; one `*` stands for any text. Default: all, \
               but for callers with a tenant only what holds nothing of the whole account.";
    let passthrough = gateway.optional_parsed_list("passthrough", doc);
    GatewaySection {
        listen,
        mode,
        limits,
        timeouts,
        busy_poll,
        trusted_proxies,
        tool_denied,
        websockets,
        passthrough,
    }
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    let standard = Limits::default();
    let mut size = |key, doc, default: usize, most| {
        let default = u64::try_from(default).unwrap_or(u64::MAX);
        usize::try_from(reader.size(key, doc, default, 1024..=most)).unwrap_or(usize::MAX)
    };
    let body = size("body", "A request's body.", standard.body, 4096 * MIB);
    let inflated_body =
        size("inflated_body", "A compressed request's body, inflated.", standard.inflated_body, 16384 * MIB);
    let headers = size("headers", "All headers of a request.", standard.headers, MIB);
    let buffer = size("buffer", "All bodies in memory, of all requests.", standard.buffer, u64::MAX);
    let mut count = |key, doc, default: usize, most| {
        let default = u64::try_from(default).unwrap_or(u64::MAX);
        usize::try_from(reader.integer(key, doc, default, 1..=most)).unwrap_or(usize::MAX)
    };
    let json_depth = count("json_depth", "Levels of nesting in a JSON body.", standard.json_depth, 1_000);
    let connections =
        count("connections", "Connections of clients at the same time.", standard.connections, 1_000_000);
    let in_flight = count("in_flight", "Requests at the same time.", standard.in_flight, 1_000_000);
    Limits { body, inflated_body, headers, json_depth, connections, in_flight, buffer }
}

fn prices(reader: &mut Reader<'_>) -> (Option<String>, UnknownPrice, Arc<Price>, Option<Usd>) {
    let file = reader.optional_text("file", "A JSON file with prices that go before the built-in ones.");
    let choices =
        [("deny", UnknownPrice::Deny), ("estimate", UnknownPrice::Estimate), ("zero", UnknownPrice::Zero)];
    let doc = "A model without a known price: refuse it, charge an assumed price, or charge nothing.";
    let unknown = reader.choice("unknown", doc, UnknownPrice::Estimate, &choices);
    // Dearer than all but a handful of models on sale: an assumption must not let a budget be overrun.
    let input =
        reader.usd("assumed_input", "Dollars for a million tokens read, where assumed.", usd_per_million(15));
    let output = reader.usd(
        "assumed_output",
        "Dollars for a million tokens written, where assumed.",
        usd_per_million(75),
    );
    let doc = "Dollars for a request to a path that no wire format claims (images, audio, batches …); without it, strict mode refuses such requests of callers with a budget in money.";
    let other = reader.optional_usd("other_request", doc);
    (file, unknown, Arc::new(assumed(per_token(input), per_token(output))), other)
}

fn usd_per_million(dollars: u128) -> Usd {
    Usd::from_picos(dollars * 1_000_000_000_000)
}

fn assumed(input: Usd, output: Usd) -> Price {
    Price {
        id: "assumed".into(),
        input,
        output,
        cached: input,
        cache_write: input,
        cache_write_1h: input,
        long_context: None,
        premium: None,
        sound: None,
        search: None,
        may_reason: true,
        max_input: None,
        max_output: None,
    }
}

/// The price of one token, rounded up to the pico-dollar.
fn per_token(per_million: Usd) -> Usd {
    Usd::from_picos(per_million.as_picos().div_ceil(1_000_000))
}

fn budget(reader: &mut Reader<'_>) -> Option<Limit> {
    let scope = reader.required_parsed::<Scope>("scope", "global, key:NAME, tenant:NAME or run:ID.");
    let windows = [
        ("total", Window::Total),
        ("minute", Window::Minute),
        ("day", Window::Day),
        ("month", Window::Month),
    ];
    let window = reader.choice("window", "Over what time.", Window::Total, &windows);
    let usd = reader.optional_usd("usd", "Dollars.");
    let tokens = reader.optional_integer("tokens", "Tokens.", 0..=u64::MAX);
    let choices = [("closed", OnStoreDown::Closed), ("open", OnStoreDown::Open)];
    let doc = "When the ledger can't be written: refuse (closed) or go on (open).";
    let on_store_down = reader.choice("on_store_down", doc, OnStoreDown::Closed, &choices);
    if !reader.is_set("usd") && !reader.is_set("tokens") {
        reader.error("", "a budget needs usd or tokens", "add usd: \"10\" or tokens: 1000000");
    }
    Some(Limit { scope: scope?, window, usd, tokens, on_store_down })
}

fn rate_limit(reader: &mut Reader<'_>) -> RateRule {
    let scopes = [("key", RateScope::Key), ("ip", RateScope::Ip), ("model", RateScope::Model)];
    let scope = reader.required_choice("scope", "For each key, ip or model.", RateScope::Key, &scopes);
    let requests = reader.optional_integer("rpm", "Requests a minute.", 1..=1_000_000_000);
    let tokens = reader.optional_integer("tpm", "Tokens a minute.", 1..=1_000_000_000_000);
    let routes =
        reader.parsed_list("routes", "Paths it counts for; one `*` stands for any text; default: all.");
    if !reader.is_set("rpm") && !reader.is_set("tpm") {
        reader.error("", "a rate limit needs rpm or tpm", "add rpm: 600 or tpm: 1000000");
    }
    RateRule { scope, rate: Rate { requests, tokens }, routes }
}

fn policy(reader: &mut Reader<'_>) -> PolicySource {
    let doc = "A preset's name, a policy file's path, or a policy written here; default: off, which looks for nothing.";
    match reader.raw("policy", doc) {
        None => PolicySource::Named("off".to_owned()),
        Some(Value::String(name)) => PolicySource::Named(name),
        Some(inline @ Value::Object(_)) => PolicySource::Inline(inline),
        Some(_) => {
            reader.error(
                "policy",
                "expected a name, a path or a table",
                "for example: policy: ./policy.yaml",
            );
            PolicySource::Named("off".to_owned())
        }
    }
}

/// A route that leads to upstreams of two kinds would need its requests translated.
fn check_kinds(reader: &mut Reader<'_>, upstreams: &[UpstreamEntry], routes: &[RouteSettings]) {
    for (index, route) in routes.iter().enumerate() {
        let mut kinds: Vec<(&str, Dialect)> = Vec::new();
        for target in route.to.iter().chain(&route.fallback) {
            let upstream = upstreams.iter().find(|upstream| upstream.settings.name == target.upstream);
            kinds.extend(upstream.and_then(|upstream| Some((&*target.upstream, upstream.settings.dialect?))));
        }
        if let Some((first, kind)) = kinds.first()
            && let Some((other, _)) = kinds.iter().find(|(_, other)| other != kind)
        {
            let message = format!(
                "upstreams {first:?} and {other:?} speak different wire formats, and none is translated"
            );
            reader.error(&format!("routes[{index}]"), message, "make a route for each kind");
        }
    }
}

/// Names must be unique, and routes lead somewhere.
fn check_names(reader: &mut Reader<'_>, upstreams: &[UpstreamEntry], routes: &[RouteSettings]) {
    let names: Vec<&str> = upstreams.iter().map(|upstream| upstream.settings.name.as_str()).collect();
    // Of one that can't be read nobody knows the name.
    let is_name = |key: &str| {
        let below = key.strip_prefix("upstreams");
        below.is_some_and(|below| below.ends_with(".name") || !below.contains('.'))
    };
    let none_is_missing = !names.contains(&"") && !reader.is_unresolved("upstreams");
    let all_are_known = none_is_missing && !reader.faulty().any(is_name);
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|earlier| earlier == name) {
            reader.error(
                &format!("upstreams[{index}]"),
                format!("there are two upstreams {name:?}"),
                "give each its own name",
            );
        }
    }
    if !all_are_known {
        return;
    }
    for (index, route) in routes.iter().enumerate() {
        for target in route.to.iter().chain(&route.fallback) {
            if !names.contains(&target.upstream.as_str()) {
                let message = format!("there is no upstream {:?}", target.upstream);
                reader.error(&format!("routes[{index}]"), message, format!("known: {}", names.join(", ")));
            }
        }
    }
}
