//! `seawall sim`: the simulated provider on its own port.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_llm_client::sim::{Options, Script, Sim, serve};
use seawall_types::Clock;
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
    let sim = simulated(args, clock)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(&args.listen)
            .await
            .with_context(|| format!("can't listen on {}", args.listen))?;
        let address = listener.local_addr()?;
        output::line(format!("seawall ready listen=http://{address} pid={} run={run}", std::process::id()));
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serve(listener, sim, stop).await;
        Ok(ExitCode::SUCCESS)
    })
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
