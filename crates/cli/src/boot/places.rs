//! Upstreams that templates of agents bring along: made when they are first asked, and kept for the next call.
//!
//! Their calls go the way of all others, through the gateway in this process; only who is asked is the template's to say.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use seawall_config::Environment;
use seawall_llm::request::LimitName;
use seawall_llm::wire::Dialect;
use seawall_llm_client::sim::{Options, Sim};
use seawall_llm_client::{
    BreakerSettings, Credentials, Timeouts, Transport, Upstream, UpstreamSettings, client_config,
};
use seawall_runtime::{ModelPlace, NoReply};
use seawall_types::{Clock, Secret};

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(5);
/// Calls of one place at the same time.
const AT_ONCE: usize = 1_000;
/// Failures in a row after which it is left alone, and for how long.
const FAILURES: u32 = 5;
const REST: Duration = Duration::from_secs(30);

/// The upstreams of templates.
#[derive(Debug)]
pub(super) struct Places {
    environment: Environment,
    clock: Arc<dyn Clock>,
    workers: usize,
    /// As many as templates name.
    made: Mutex<Vec<(ModelPlace, Arc<Upstream>)>>,
}

impl Places {
    pub(super) fn new(environment: &Environment, clock: &Arc<dyn Clock>, workers: usize) -> Self {
        let (environment, clock) = (environment.clone(), Arc::clone(clock));
        Self { environment, clock, workers, made: Mutex::default() }
    }

    /// The upstream at a place.
    pub(super) fn upstream(&self, place: &ModelPlace) -> Result<Arc<Upstream>, NoReply> {
        // An entry is pushed whole.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, upstream)) = made.iter().find(|(known, _)| known == place) {
            return Ok(Arc::clone(upstream));
        }
        let upstream = Arc::new(self.make(place)?);
        made.push((place.clone(), Arc::clone(&upstream)));
        Ok(upstream)
    }

    fn make(&self, place: &ModelPlace) -> Result<Upstream, NoReply> {
        let (transport, host) = match place.base_url.url() {
            Some(url) => {
                let tls = client_config().map_err(|error| NoReply(error.to_string()))?;
                (Transport::Http { base: url.clone(), tls: Arc::new(tls) }, url.host().to_owned())
            }
            None => (Transport::Sim(Sim::new(Options::default(), Arc::clone(&self.clock))), "sim".to_owned()),
        };
        let settings = UpstreamSettings {
            name: format!("agents/{host}"),
            dialect: dialect(&place.provider),
            credentials: self.credentials(place)?,
            models: Vec::new(),
            weight: 1,
            priority: 1,
            headers: HeaderMap::new(),
            max_in_flight: AT_ONCE,
            timeouts: Timeouts {
                connect: CONNECTING,
                first_byte: place.timeout.first_byte,
                idle: place.timeout.idle,
                total: place.timeout.total,
            },
            // An agent tries again by itself, and writes that down.
            retry_attempts: 0,
            retry_budget: 0.0,
            breaker: BreakerSettings { failures: FAILURES, open: REST },
            output_limit: LimitName::default(),
            include_usage: true,
        };
        Ok(Upstream::new(settings, transport, self.workers))
    }

    fn credentials(&self, place: &ModelPlace) -> Result<Credentials, NoReply> {
        let Some(reference) = &place.api_key else { return Ok(Credentials::None) };
        let variable = reference.variable();
        let key = self.environment.get(variable).map(str::trim).filter(|key| !key.is_empty());
        let missing =
            || NoReply(format!("model.api_key is ${{{variable}}}, which is not set; set it and restart"));
        Ok(Credentials::Key(Secret::new(key.ok_or_else(missing)?.to_owned())))
    }
}

/// Whose wire format a provider speaks.
fn dialect(provider: &str) -> Option<Dialect> {
    match provider {
        "anthropic" => Some(Dialect::Anthropic),
        "gemini" => Some(Dialect::Gemini),
        _ => Some(Dialect::OpenAi),
    }
}
