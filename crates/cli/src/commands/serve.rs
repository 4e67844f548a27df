//! `seawall up`, `proxy`, `serve` and `worker`: from the command line to a server that answers, and to its orderly end.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use seawall_base::telemetry::TelemetryHandle;
use seawall_llm_client::Upstream;
use seawall_server::{App, Drained, Notifier, ServerState};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::World;
use crate::args::ServeArgs;
use crate::boot::{self, Booted, Request};
use crate::exit::{Failure, Outcome};
use crate::{logging, output};

pub(crate) fn run(world: &World<'_>, args: ServeArgs) -> Outcome {
    let request = request(world, args);
    let plan = request.plan()?;
    let telemetry = logging::start(world.global, &plan.settings.logging)?;
    let pid_file = request.args.pid_file.clone();
    let quiet = world.global.quiet;
    let booted = boot::boot(&request, &plan)?;
    if let Some(file) = &pid_file {
        std::fs::write(file, format!("{}\n", std::process::id()))
            .with_context(|| format!("the pid file {} can't be written", file.display()))?;
    }
    let drained = serve(booted, &telemetry, quiet)?;
    if let Some(file) = &pid_file {
        let _gone_already = std::fs::remove_file(file);
    }
    if drained == Drained::CutOff {
        tracing::warn!("some requests were cut off");
    }
    Ok(ExitCode::SUCCESS)
}

/// A worker listens for health checks and metrics alone, and on a port of its own, unless one is named.
pub(super) fn of_a_worker(args: ServeArgs) -> ServeArgs {
    let listen = args.listen.or_else(|| Some("127.0.0.1:0".to_owned()));
    ServeArgs { listen, ..args }
}

pub(crate) fn request(world: &World<'_>, args: ServeArgs) -> Request {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = args.workers.unwrap_or(processors).clamp(1, 256);
    Request {
        global: world.global.clone(),
        args,
        environment: world.environment.clone(),
        workers,
        listens: true,
    }
}

/// Answers until it is told to stop, then ends everything in the order in which it depends on each other.
fn serve(booted: Booted, telemetry: &TelemetryHandle, quiet: bool) -> Result<Drained, Failure> {
    let Booted { server, app, run, agents, writer, exporter, housekeeper, data_dir, changes, lock } = booted;
    let address = server.address();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let drained = runtime.block_on(async {
        let (stop, at_once) = (CancellationToken::new(), CancellationToken::new());
        let signals = Signals::listen()?;
        if !quiet {
            banner(&address.to_string(), &app.gateway().snapshot().directory.upstreams);
        }
        // Who reads the ready line may come with a token at once.
        boot::key_sets::refresh(app.gateway()).await;
        output::line(format!("seawall ready listen=http://{address} pid={} run={run}", std::process::id()));
        Notifier.ready(&format!("listening on {address}"));
        let attend = attend(signals, changes, &app, telemetry, stop.clone(), at_once.clone());
        let key_sets = boot::key_sets::keep_fresh(Arc::clone(app.gateway()));
        let serving = server.run(stop, at_once);
        tokio::pin!(serving);
        Ok::<_, Failure>(tokio::select! {
            drained = &mut serving => drained,
            () = attend => serving.await,
            never = key_sets => match never {},
        })
    })?;
    agents.stop();
    // What its processes were still asked is settled before the trace ends.
    app.gateway().mcp().stop();
    finish(&app, drained);
    housekeeper.stop();
    drop(app);
    let stats = writer.stop();
    if let Some(exporter) = exporter {
        exporter.stop();
    }
    tracing::info!(events = stats.events, dropped = stats.dropped, "stopped");
    ServerState::remove(&data_dir);
    drop(lock);
    Ok(drained)
}

/// The last line of the session's trace.
fn finish(app: &Arc<App>, drained: Drained) {
    #[derive(Serialize)]
    struct Finished {
        reason: &'static str,
        requests_cut_off: bool,
    }
    let gateway = app.gateway();
    let finished = Finished { reason: "stopped", requests_cut_off: drained == Drained::CutOff };
    gateway.checkpoint().trace().finish_run(gateway.run(), &finished);
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Reacts to signals, changed files and systemd's watchdog, until a second signal says: at once.
async fn attend(
    mut signals: Signals,
    changes: Receiver<()>,
    app: &Arc<App>,
    telemetry: &TelemetryHandle,
    stop: CancellationToken,
    at_once: CancellationToken,
) {
    // Kept from one turn to the next: what has been noticed must not be forgotten because something else came first.
    let mut change = pin!(boot::changed(changes));
    let watchdog = Notifier.watchdog_period();
    let mut alive = tokio::time::interval(watchdog.unwrap_or(std::time::Duration::from_secs(3_600)));
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => {}
            _ = signals.interrupt.recv() => {}
            _ = signals.hangup.recv() => {
                if let Err(error) = telemetry.reopen() {
                    tracing::error!(%error, "the log file can't be opened again");
                }
                reload(app).await;
                continue;
            }
            changes = &mut change => {
                change.set(boot::changed(changes));
                reload(app).await;
                continue;
            }
            _ = alive.tick(), if watchdog.is_some() => {
                Notifier.alive();
                continue;
            }
        }
        if stop.is_cancelled() {
            at_once.cancel();
            return;
        }
        tracing::info!("stopping: requests under way finish");
        Notifier.stopping();
        stop.cancel();
    }
}

async fn reload(app: &Arc<App>) {
    Notifier.reloading();
    let app = Arc::clone(app);
    let _logged_already = tokio::task::spawn_blocking(move || app.reload()).await;
    Notifier.ready("serving");
}

/// For the person at the terminal: what this is, and how to use it.
fn banner(address: &str, upstreams: &[Arc<Upstream>]) {
    let simulated = upstreams.iter().filter(|upstream| upstream.is_simulated());
    let simulated: Vec<&str> = simulated.map(|upstream| upstream.settings.name.as_str()).collect();
    let answers = if simulated.len() == upstreams.len() {
        "The simulated provider answers: a stand-in, not a model. A provider does with its key in OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or with --upstream URL."
            .to_owned()
    } else if simulated.is_empty() {
        "Model calls go to the configured upstreams.".to_owned()
    } else {
        format!(
            "Model calls go to the configured upstreams, of which {} is simulated: a stand-in, not a model.",
            simulated.join(", ")
        )
    };
    // Which models a provider has is its own affair.
    let try_it = if simulated.len() == upstreams.len() {
        "chat/completions -H 'content-type: application/json' -d '{\"model\":\"sim-small\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}'"
    } else {
        "models"
    };
    output::say(format!(
        "\nSeawall {} on http://{address}\n{answers}\n\n\
         curl http://{address}/v1/{try_it}\n\
         export OPENAI_BASE_URL=http://{address}/v1\n\
         export ANTHROPIC_BASE_URL=http://{address}\n",
        env!("CARGO_PKG_VERSION")
    ));
}
