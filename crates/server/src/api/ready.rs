//! `GET /ready`: whether this server can do its work: store, upstreams, disk, trace, configuration.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use seawall_base::tasks::Group;
use seawall_llm_client::BreakerState;
use serde::Serialize;

use crate::App;

/// How long an answer holds.
const FRESH: Duration = Duration::from_secs(2);
/// How long each check may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Free space under which the disk counts as degraded, and under which it counts as full.
const LOW_BYTES: u64 = 512 * 1024 * 1024;
const FULL_BYTES: u64 = 1024 * 1024;

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    healthy: bool,
    degraded: bool,
    message: String,
    latency_ms: f64,
}

impl Check {
    fn good(message: impl Into<String>) -> Self {
        Self { healthy: true, degraded: false, message: message.into(), latency_ms: 0.0 }
    }

    fn degraded(message: impl Into<String>) -> Self {
        Self { degraded: true, ..Self::good(message) }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self { healthy: false, ..Self::good(message) }
    }
}

/// The answer of `/ready`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    status: &'static str,
    ready: bool,
    simulated_provider: bool,
    checks: Checks,
}

#[derive(Debug, Clone, Serialize)]
struct Checks {
    database: Check,
    upstreams: Check,
    disk: Check,
    trace: Check,
    config: Check,
}

impl Checks {
    fn all(&self) -> [&Check; 5] {
        [&self.database, &self.upstreams, &self.disk, &self.trace, &self.config]
    }
}

/// The last report, kept for a moment, since probes come often; and which checks are under way.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    last: Mutex<Option<(Duration, Report)>>,
    looking: tokio::sync::Mutex<()>,
    looks: Group,
    database: AtomicBool,
    upstreams: AtomicBool,
    disk: AtomicBool,
    trace: AtomicBool,
    config: AtomicBool,
}

impl Readiness {
    /// The last report, while it holds.
    fn fresh(&self, now: Duration) -> Option<Report> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| now.saturating_sub(*at) < FRESH).map(|(_, report)| report.clone())
    }

    fn keep(&self, at: Duration, report: &Report) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, report.clone()));
    }
}

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let report = current(&app).await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn current(app: &Arc<App>) -> Report {
    if app.is_stopping() {
        return draining(app);
    }
    let now = app.parts.clock.monotonic();
    if let Some(report) = app.readiness.fresh(now) {
        return report;
    }
    // A probe that gives up leaves the look to those who come after it.
    let for_look = Arc::clone(app);
    let shared = app.readiness.looks.spawn("readiness", async move {
        // Probes that come together share one look.
        let _alone = for_look.readiness.looking.lock().await;
        if for_look.readiness.fresh(now).is_none() {
            let report = look(&for_look).await;
            for_look.readiness.keep(now, &report);
        }
    });
    let _the_group_counts_panics = shared.await;
    app.readiness.fresh(now).unwrap_or_else(|| draining(app))
}

fn draining(app: &App) -> Report {
    let check = || Check::good("not looked at while shutting down");
    Report {
        status: "draining",
        ready: false,
        simulated_provider: app.parts.sim.is_some(),
        checks: Checks {
            database: check(),
            upstreams: check(),
            disk: check(),
            trace: check(),
            config: check(),
        },
    }
}

async fn look(app: &Arc<App>) -> Report {
    let (database, upstreams, disk, trace, config) = tokio::join!(
        bounded(app, |readiness| &readiness.database, database),
        bounded(app, |readiness| &readiness.upstreams, upstreams),
        bounded(app, |readiness| &readiness.disk, disk),
        bounded(app, |readiness| &readiness.trace, trace),
        bounded(app, |readiness| &readiness.config, config),
    );
    let checks = Checks { database, upstreams, disk, trace, config };
    let ready = checks.all().iter().all(|check| check.healthy);
    let degraded = checks.all().iter().any(|check| check.degraded);
    let status = match (ready, degraded) {
        (false, _) => "not_ready",
        (true, true) => "degraded",
        (true, false) => "ready",
    };
    Report { status, ready, simulated_provider: app.parts.sim.is_some(), checks }
}

/// Does one check on a thread that may wait, for a bounded time. A check that hangs is not begun again until it has come
/// back: each probe would leave one more thread behind.
async fn bounded(app: &Arc<App>, running: fn(&Readiness) -> &AtomicBool, check: fn(&App) -> Check) -> Check {
    if running(&app.readiness).swap(true, Ordering::AcqRel) {
        return Check::bad("it has not answered since it was last asked");
    }
    let for_check = Arc::clone(app);
    let checking = tokio::task::spawn_blocking(move || {
        let _until_it_ends = Running(running(&for_check.readiness));
        timed(|| check(&for_check))
    });
    match tokio::time::timeout(PATIENCE, checking).await {
        Ok(Ok(checked)) => checked,
        Ok(Err(_panicked)) => Check::bad("the check broke off; see the log"),
        Err(_elapsed) => Check::bad(format!("no answer within {}s", PATIENCE.as_secs())),
    }
}

/// Says that a check has come back, also when it broke off.
struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn timed(check: impl FnOnce() -> Check) -> Check {
    let before = Instant::now();
    let checked = check();
    Check { latency_ms: (before.elapsed().as_secs_f64() * 1e6).round() / 1e3, ..checked }
}

/// The server's own store, and that of its agents, which may be another machine's.
fn database(app: &App) -> Check {
    if app.parts.store.ping().is_err() {
        return Check::bad("the store does not answer; see the log");
    }
    let Some(agents) = &app.parts.agents else { return Check::good("ok") };
    match agents.home().block_on(agents.store().health()) {
        Ok(health) if health.connected && health.writable => Check::good("ok"),
        Ok(health) if health.connected => {
            Check::degraded("the store of agents can't be written; see the log")
        }
        Ok(_) | Err(_) => Check::bad("the store of agents does not answer; see the log"),
    }
}

/// Upstreams that rest are a degradation, also all of them: what is cached or passed elsewhere still works, and no balancer
/// can mend it.
fn upstreams(app: &App) -> Check {
    let snapshot = app.gateway().snapshot();
    let upstreams = &snapshot.directory.upstreams;
    let now = app.parts.clock.monotonic();
    let resting: Vec<&str> = upstreams
        .iter()
        .filter(|upstream| upstream.breaker.state(now) == BreakerState::Open)
        .map(|upstream| upstream.settings.name.as_str())
        .collect();
    match (upstreams.len(), resting.len()) {
        (0, _) => Check::bad("no upstream is configured"),
        (_, 0) if upstreams.iter().all(|upstream| upstream.is_simulated()) => {
            Check::good("the simulated provider answers")
        }
        (_, 0) => Check::good("ok"),
        (all, some) if some < all => {
            Check::degraded(format!("resting after failures: {}", resting.join(", ")))
        }
        _ => Check::degraded("every upstream rests after failures"),
    }
}

fn disk(app: &App) -> Check {
    let Ok(space) = rustix::fs::statvfs(&app.parts.data_dir) else {
        return Check::bad("the data directory can't be looked at");
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let megabytes = free / (1024 * 1024);
    if free < FULL_BYTES {
        Check::degraded("the disk of the data directory is full")
    } else if free < LOW_BYTES {
        Check::degraded(format!("{megabytes} MB left on the disk of the data directory"))
    } else {
        Check::good(format!("{megabytes} MB free"))
    }
}

fn trace(app: &App) -> Check {
    let handle = app.gateway().checkpoint().trace();
    let stats = handle.stats();
    if handle.check().is_err() {
        return Check::bad("the trace can't be written and actions are refused; see the log");
    }
    if !stats.available {
        return Check::degraded(format!("the trace can't be written; {} events were dropped", stats.dropped));
    }
    Check::good(format!("{} events", stats.events))
}

fn config(app: &App) -> Check {
    match app.last_reload_error() {
        None => Check::good("ok"),
        Some(_withheld) => {
            Check::degraded("the last reload was refused; the old configuration is in force; see the log")
        }
    }
}
