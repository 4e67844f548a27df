//! `/metrics`: what the specification names is there, promtool finds nothing to object to, and no stranger can make it
//! grow.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::metrics::Metrics;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;
use crate::support::upstream::{Reply, Upstream};

/// A server that has seen some of everything.
async fn lived_in() -> Program {
    let upstream = Upstream::start(|seen, number| match number {
        0 => Reply::whole(503, &[("content-type", "application/json")], "{}"),
        _ if seen.line().starts_with("GET") => Reply::json(r#"{"object":"list","data":[]}"#),
        _ if seen.text().contains("\"stream\":true") => Reply::events(Format::Chat.events(true)),
        _ => Reply::json(Format::Chat.answer()),
    });
    let server = Setup::proxy(&format!(
        "budgets: [ {{ scope: global, window: day, usd: \"5\" }} ]\n{}",
        one_upstream(&upstream.url()).replace("attempts: 0", "attempts: 1")
    ))
    .start();
    for stream in [false, true] {
        assert_eq!(server.ask(Format::Chat.request("hi", stream)).await.status, 200);
    }
    server.ask(raw::post("/v1/chat/completions", "{")).await;
    server.get("/v1/models").await;
    server
}

/// What promtool says of a page.
fn promtool(page: &str) -> (bool, String) {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        tool.spawn().expect("promtool; install it with `bash tests/packages.sh` (Debian: prometheus)");
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[tokio::test]
async fn promtool_has_nothing_to_object_to() {
    let server = lived_in().await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let (is_clean, said) = promtool(answer.text());
    assert!(is_clean && said.trim().is_empty(), "{said}");
}

/// A real Prometheus that asks this server every second. It prefers OpenMetrics.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    fn start(server: &Program) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let text = "scrape_configs: [ { job_name: seawall, scrape_interval: 1s, static_configs: [ { targets: [\"TARGET\"] } ] } ]";
        std::fs::write(&config, text.replace("TARGET", &server.address.to_string())).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error"])
            .spawn()
            .expect("prometheus; install it with `bash tests/packages.sh`");
        Self { child, address, _folder: folder }
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        // It takes a moment until it listens.
        drop(tokio::net::TcpStream::connect(self.address).await.map_err(|error| error.to_string())?);
        let answer = raw::exchange(self.address, raw::get(path)).await;
        if answer.status == 200 { Ok(answer.json()) } else { Err(format!("{answer:?}")) }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _gone_already = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[tokio::test]
async fn a_real_prometheus_reads_the_page_as_openmetrics() {
    let server = lived_in().await;
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let page = server.ask(raw::request("GET", "/metrics", &accept, "")).await;
    assert_eq!(
        page.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let is_counter = |line: &&str| line.starts_with("# TYPE ") && line.ends_with(" counter");
    let counters: Vec<&str> = page.text().lines().filter(is_counter).collect();
    assert!(counters.len() > 10 && counters.iter().all(|line| !line.contains("_total ")), "{counters:?}");
    assert!(page.text().ends_with("\n# EOF\n"));

    let prometheus = Prometheus::start(&server);
    let counted = eventually("what Prometheus has read", async || {
        let targets = prometheus.get("/api/v1/targets").await?;
        let target = &targets["data"]["activeTargets"][0];
        if target["health"] != "up" {
            return Err(targets.to_string());
        }
        let sum = prometheus.get("/api/v1/query?query=sum(seawall_requests_total)").await?;
        sum["data"]["result"][0]["value"][1]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("{targets} {sum}"))
    })
    .await;
    assert_eq!(counted.parse::<f64>().unwrap(), server.metrics().await.sum("seawall_requests_total", &[]));
}

#[tokio::test]
async fn promtool_has_nothing_to_object_to_where_agents_were_at_work() {
    let setup = Setup::simulated("");
    std::fs::create_dir(setup.path("templates")).unwrap();
    let template = "id: helper\nmodel: { provider: openai, name: sim-small }\ntools: ['*']\n";
    setup.write("templates/helper.yaml", template);
    let server = setup.start();
    let made = server.ask(raw::post("/api/agents", r#"{"id":"a","template":"helper"}"#)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let said = r#"{"message":"sim:tool fs_glob {\"pattern\":\"*\"}\nsim:turn 1 sim:text done"}"#;
    let ended = server.ask(raw::post("/api/agents/a/message", said)).await;
    assert_eq!(ended.status, 200, "{ended:?}");
    let counted = eventually("the agents of the store are counted", async || {
        let metrics = server.metrics().await;
        if metrics.sum("seawall_agents", &[("state", "ready")]) == 1.0 { Ok(metrics) } else { Err("not yet") }
    });
    let metrics = counted.await;
    assert_eq!(metrics.sum("kode_tool_duration_seconds_count", &[("tool", "fs_glob")]), 1.0);
    assert!(metrics.sum("seawall_agent_cost_usd_total", &[]) > 0.0);
    let (is_clean, said) = promtool(server.get("/metrics").await.text());
    assert!(is_clean && said.trim().is_empty(), "{said}");
}

#[tokio::test]
async fn every_metric_of_the_documentation_exists() {
    let metrics = lived_in().await.metrics().await;
    for (name, labels) in [
        ("seawall_requests_total", &["route", "method", "status"][..]),
        ("seawall_request_duration_seconds_count", &["route"]),
        ("seawall_overhead_seconds_count", &["route"]),
        ("seawall_upstream_duration_seconds_count", &["upstream", "model"]),
        ("seawall_time_to_first_token_seconds_count", &["upstream", "model"]),
        ("seawall_tokens_total", &["upstream", "model", "kind"]),
        ("seawall_cost_usd_total", &["tenant", "model"]),
        ("seawall_budget_remaining_usd", &["scope"]),
        ("seawall_violations_total", &["code", "verdict"]),
        ("seawall_retries_total", &["upstream", "cause"]),
        ("seawall_upstream_available", &["upstream"]),
        ("seawall_breaker_state", &["upstream"]),
        ("seawall_in_flight", &[]),
        ("seawall_trace_events_total", &[]),
        ("seawall_trace_dropped_total", &[]),
        ("seawall_cache_hits_total", &[]),
        ("seawall_config_reload_failures_total", &[]),
        ("process_resident_memory_bytes", &[]),
        ("process_cpu_seconds_total", &[]),
        ("process_open_fds", &[]),
        ("process_start_time_seconds", &[]),
    ] {
        let found = metrics.0.iter().find(|series| series.name == name);
        let series = found.unwrap_or_else(|| panic!("{name} is missing"));
        for label in labels {
            assert!(series.labels.contains_key(*label), "{name} has no {label}: {series:?}");
        }
    }
}

#[tokio::test]
async fn what_is_counted_is_what_happened() {
    let metrics = lived_in().await.metrics().await;
    let prompt = Format::Chat.body("hi", false).len().div_ceil(3);
    let failed = f64::from(u32::try_from(prompt).unwrap());
    let chat = ("route", "/v1/chat/completions");
    assert_eq!(metrics.sum("seawall_requests_total", &[chat, ("method", "POST"), ("status", "200")]), 2.0);
    assert_eq!(metrics.sum("seawall_requests_total", &[chat, ("status", "400")]), 1.0);
    assert_eq!(metrics.sum("seawall_requests_total", &[("route", "/v1/models"), ("method", "GET")]), 1.0);
    assert_eq!(
        metrics.sum("seawall_tokens_total", &[("upstream", "main"), ("model", "sim-*"), ("kind", "input")]),
        // Three in each answer, and what the try that failed may have read.
        6.0 + failed
    );
    assert_eq!(metrics.sum("seawall_tokens_total", &[("kind", "output")]), 4.0);
    let cost = metrics.sum("seawall_cost_usd_total", &[("model", "sim-*")]);
    assert!((cost - (14.0 + failed) * 1e-6).abs() < 1e-12, "{cost}");
    let left = metrics.sum("seawall_budget_remaining_usd", &[("scope", "global")]);
    assert!((left - (5.0 - cost)).abs() < 1e-9, "{left}");
    assert_eq!(metrics.sum("seawall_violations_total", &[("code", "BAD_REQUEST"), ("verdict", "deny")]), 1.0);
    assert_eq!(metrics.sum("seawall_retries_total", &[("upstream", "main"), ("cause", "5xx")]), 1.0);
    assert_eq!(metrics.sum("seawall_time_to_first_token_seconds_count", &[]), 1.0);
    assert_eq!(metrics.sum("seawall_upstream_available", &[("upstream", "main")]), 1.0);
    assert_eq!(metrics.sum("seawall_in_flight", &[]), 0.0);
    assert!(metrics.sum("process_resident_memory_bytes", &[]) > 1e6);
}

/// What a stranger's request fails with at the simulated provider, if it is one that fails there: some of them, since each
/// waits a little before it is tried again.
fn failure(number: usize) -> Option<u16> {
    match number % 100 {
        48 => Some(503),
        98 => Some(429),
        _ => None,
    }
}

/// A request that nobody has made before, on one of many kinds of paths.
fn stranger(number: usize) -> Vec<u8> {
    let name = format!("n{}", number.wrapping_mul(2_654_435_761) % 1_000_003);
    let chat = format!(r#"{{"model":"{name}","messages":[],"max_tokens":1}}"#);
    let said = failure(number).map_or_else(|| "hi".to_owned(), |status| format!("sim:error {status}"));
    let stream = Format::Chat.body(&said, true).replace("sim-c", &name);
    match number % 10 {
        0 => raw::get(&format!("/{name}")),
        1 => raw::get(&format!("/v1/{name}/{name}")),
        2 => raw::post("/v1/chat/completions", chat),
        3 => raw::post(&format!("/v1beta/models/{name}:generateContent"), "{}"),
        4 => raw::post(&format!("/u/{name}/v1/chat/completions"), chat),
        5 => raw::request(&format!("X{}", name.to_uppercase()), "/v1/messages", &[], ""),
        6 => {
            raw::request("POST", "/v1/messages", &[("authorization", &format!("Bearer sk-sw-{name}"))], "{}")
        }
        7 => raw::post(
            &format!("/v1beta/models/{name}:streamGenerateContent?alt=sse"),
            Format::Gemini.body("hi", true),
        ),
        8 => raw::post("/v1/chat/completions", stream),
        _ => raw::post(
            "/v1/messages",
            chat.replace("\"max_tokens\":1", &format!("\"max_tokens\":1,\"{name}\":1")),
        ),
    }
}

async fn strangers(server: &Program, numbers: std::ops::Range<usize>) {
    const CLIENTS: usize = 8;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let mut connection = server.connect().await;
        let mine: Vec<usize> = numbers.clone().skip(client).step_by(CLIENTS).collect();
        clients.spawn(async move {
            for number in mine {
                connection.send(stranger(number)).await;
                let answer = connection.answer().await;
                match failure(number) {
                    Some(status) => assert_eq!(answer.status, status, "{answer:?}"),
                    None => assert!(answer.status < 500 && answer.complete, "{answer:?}"),
                }
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

fn series(metrics: &Metrics) -> BTreeSet<String> {
    metrics.0.iter().map(|series| format!("{} {:?}", series.name, series.labels)).collect()
}

#[tokio::test]
async fn ten_thousand_strange_paths_and_models_add_no_series() {
    let server = Setup::proxy(&one_upstream("sim:").replace("attempts: 0", "attempts: 1")).start();
    strangers(&server, 0..400).await;
    let before = series(&server.metrics().await);
    strangers(&server, 400..10_400).await;
    let page = server.get("/metrics").await;
    let after = Metrics::read(page.text());
    let new: Vec<_> = series(&after).difference(&before).cloned().collect();
    assert!(new.is_empty(), "{new:#?}");
    assert!(before.len() < 700, "{} series", before.len());
    assert!(after.sum("seawall_requests_total", &[]) >= 7_000.0);
    // Of every hundred twenty are streams, and two of those fail instead, each in its way.
    assert_eq!(after.sum("seawall_time_to_first_token_seconds_count", &[]), 104.0 * 18.0);
    for cause in ["5xx", "429"] {
        assert_eq!(after.sum("seawall_retries_total", &[("cause", cause)]), 104.0, "{cause}");
    }
    let (is_clean, said) = promtool(page.text());
    assert!(is_clean && said.trim().is_empty(), "{said}");
}

#[tokio::test]
async fn a_port_of_their_own_has_the_metrics_and_the_main_one_has_not() {
    let server = Setup::simulated("metrics: { listen: \"127.0.0.1:0\" }").start();
    let said = server.stderr.wait_for("metrics have a port of their own").unwrap();
    let url = serde_json::from_str::<serde_json::Value>(&said).unwrap()["url"].as_str().unwrap().to_owned();
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap().parse().unwrap();

    let answer = raw::exchange(address, raw::get("/metrics")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(Metrics::read(answer.text()).has("seawall_in_flight"));
    for path in ["/health", "/api/budgets", "/v1/models"] {
        assert_eq!(raw::exchange(address, raw::get(path)).await.status, 404, "{path}");
    }
    assert_eq!(server.get("/metrics").await.status, 404);
    let mut scraper = raw::Connection::open(address).await;
    scraper.send(raw::get("/metrics")).await;
    assert_eq!(scraper.answer().await.header("connection"), Some("close"));
    assert!(scraper.is_closed().await, "nobody keeps the port from the others");
    assert!(server.stop().success());
}

#[tokio::test]
async fn metrics_can_be_switched_off_and_a_bad_address_does_not_start() {
    let server = Setup::simulated("metrics: { enabled: false }").start();
    assert_eq!(server.get("/metrics").await.status, 404);
    let refused = Setup::simulated("metrics: { listen: nowhere }").run();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("metrics.listen") && said.contains("nowhere"), "{said}");
    let taken = Setup::simulated(&format!("metrics: {{ listen: \"{}\" }}", server.address)).run();
    assert!(String::from_utf8_lossy(&taken.stderr).contains("metrics.listen"), "{taken:?}");
}
