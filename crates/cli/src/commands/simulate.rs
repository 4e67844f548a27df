//! `seawall sim`: the simulated provider on its own port; or a real one, recorded; or what was recorded.

use std::future::Future;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_gateway::default_timeouts;
use seawall_llm_client::sim::cassette::{Recorder, Relay, Replay};
use seawall_llm_client::sim::{Options, Script, Sim, serve, serve_relay};
use seawall_llm_client::{
    BaseUrl, BreakerSettings, Credentials, Transport, Upstream, UpstreamSettings, client_config,
};
use seawall_types::Clock;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::World;
use crate::args::SimArgs;
use crate::exit::{Failure, Outcome};
use crate::{logging, output, settings};

pub(crate) fn run(world: &World<'_>, args: &SimArgs) -> Outcome {
    let sources = settings::sources(world.global, world.environment, Vec::new());
    let (_, settings) = settings::load(&sources).map_err(Failure::usage)?;
    let _telemetry = logging::start(world.global, &settings.logging)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let run = id::new_run(&*clock);
    let provider = provider(args, clock)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(&args.listen)
            .await
            .with_context(|| format!("can't listen on {}", args.listen))?;
        let address = listener.local_addr()?;
        output::line(format!("seawall ready listen=http://{address} pid={} run={run}", std::process::id()));
        provider.serve(listener, stopped()?).await;
        Ok(ExitCode::SUCCESS)
    });
    // Exchanges under way end with the runtime; only then is the cassette complete, which dropping the provider waits for.
    drop(runtime);
    drop(provider);
    served
}

fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Who answers.
enum Provider {
    /// Nobody real: by directives, or as was recorded.
    Simulated(Sim),
    /// A real one, whose answers are recorded.
    Recorded(Arc<Relay>),
}

impl Provider {
    async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) {
        match self {
            Self::Simulated(sim) => serve(listener, sim.clone(), stop).await,
            Self::Recorded(relay) => serve_relay(listener, Arc::clone(relay), stop).await,
        }
    }
}

fn provider(args: &SimArgs, clock: Arc<dyn Clock>) -> Result<Provider, Failure> {
    match (&args.record, &args.cassettes) {
        (Some(url), Some(folder)) => Ok(Provider::Recorded(Arc::new(recorded(url, folder, clock)?))),
        (None, Some(folder)) if args.replay => {
            let replay = Replay::load(folder).map_err(Failure::usage)?;
            Ok(Provider::Simulated(Sim::replaying(replay, clock)))
        }
        (_, Some(_)) => Err(Failure::usage("--cassettes needs --record URL or --replay")),
        (_, None) => Ok(Provider::Simulated(simulated(args, clock)?)),
    }
}

/// The provider at `url`, called with its callers' own credentials.
fn recorded(url: &str, folder: &Path, clock: Arc<dyn Clock>) -> Result<Relay, Failure> {
    let base: BaseUrl = url.parse().map_err(|error| Failure::usage(format!("--record {url}: {error}")))?;
    let settings = UpstreamSettings {
        name: "recorded".to_owned(),
        dialect: None,
        credentials: Credentials::Passthrough,
        models: Vec::new(),
        weight: 1,
        priority: 1,
        headers: http::HeaderMap::new(),
        max_in_flight: usize::MAX,
        timeouts: default_timeouts(),
        retry_attempts: 0,
        retry_budget: 0.0,
        breaker: BreakerSettings { failures: 0, open: Duration::ZERO },
        output_limit: seawall_llm::LimitName::default(),
        include_usage: true,
    };
    let tls = client_config().context("TLS for the recorded provider")?;
    let upstream = Upstream::new(settings, Transport::Http { base, tls: Arc::new(tls) }, 1);
    let recorder = Recorder::new(folder, clock).context("the cassette can't be made")?;
    tracing::info!(cassette = %recorder.path().display(), "recording");
    Ok(Relay::new(recorder, upstream))
}

fn simulated(args: &SimArgs, clock: Arc<dyn Clock>) -> Result<Sim, Failure> {
    let script = match &args.script {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("the script {} can't be read", file.display()))?;
            Some(
                Script::parse(&text)
                    .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?,
            )
        }
    };
    let options = Options {
        latency: Duration::from_millis(args.latency),
        tokens_per_second: args.tokens_per_second,
        script,
    };
    Ok(Sim::new(options, clock))
}
