//! Upstreams, routes and prices, made of their settings.

use std::sync::Arc;

use anyhow::Context;
use seawall_gateway::{Directory, Route, RouteSettings, Settings, Target, TargetSettings, UpstreamEntry};
use seawall_llm::price::Prices;
use seawall_llm_client::sim::Sim;
use seawall_llm_client::{Transport, Upstream, client_config};

/// Upstreams with their connection pools, and the routes between them. Those of `old` that would be made again just as they
/// are stay: their breakers, retry budgets, calls under way and connections go on through a reload.
pub(crate) fn build(
    settings: &Settings,
    sim: &Sim,
    workers: usize,
    old: Option<&Directory>,
) -> anyhow::Result<Directory> {
    let kept = |entry: &UpstreamEntry| {
        let same = old?.upstream(&entry.settings.name)?;
        same.is_as(&entry.settings, entry.base_url.as_ref()).then(|| Arc::clone(same))
    };
    let mut tls = None;
    let make = |entry: &UpstreamEntry| -> anyhow::Result<Arc<Upstream>> {
        if let Some(kept) = kept(entry) {
            return Ok(kept);
        }
        let transport = match &entry.base_url {
            Some(base) => {
                let tls = match &tls {
                    Some(tls) => Arc::clone(tls),
                    None => Arc::clone(tls.insert(Arc::new(client_config()?))),
                };
                Transport::Http { base: base.clone(), tls }
            }
            None => Transport::Sim(sim.clone()),
        };
        Ok(Arc::new(Upstream::new(entry.settings.clone(), transport, workers)))
    };
    let upstreams: Vec<Arc<Upstream>> = settings.upstreams.iter().map(make).collect::<Result<_, _>>()?;
    let routes = settings.routes.iter().map(|route| connect(route, &upstreams)).collect::<Result<_, _>>()?;
    Ok(Directory { upstreams, routes })
}

fn connect(route: &RouteSettings, upstreams: &[Arc<Upstream>]) -> anyhow::Result<Route> {
    let target = |target: &TargetSettings| {
        let upstream = upstreams
            .iter()
            .find(|upstream| upstream.settings.name == target.upstream)
            .with_context(|| format!("there is no upstream {:?}", target.upstream))?;
        let model = target.model.as_deref().map(Arc::from);
        Ok(Target { upstream: Arc::clone(upstream), model, weight: target.weight })
    };
    Ok(Route {
        model: route.model.clone(),
        to: route.to.iter().map(target).collect::<anyhow::Result<_>>()?,
        fallback: route.fallback.iter().map(target).collect::<anyhow::Result<_>>()?,
    })
}

/// The built-in prices, with those of the configured file before them.
pub(crate) fn prices(settings: &Settings) -> Result<Prices, String> {
    let mut prices = Prices::embedded().map_err(|error| error.to_string())?;
    if let Some(file) = &settings.price_file {
        // In an error it stays on one line.
        let name = file.escape_debug().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("prices.file: {name} can't be read: {error}; check the path"))?;
        prices.overlay(Prices::parse(&text, &name).map_err(|error| format!("prices.file: {error}"))?);
    }
    Ok(prices)
}
