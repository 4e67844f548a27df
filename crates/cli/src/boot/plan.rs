//! What a start or a reload reads: the configuration with the files that it names, checked as a whole before anything is
//! changed.

use std::path::PathBuf;
use std::sync::Arc;

use seawall_config::{Document, Environment};
use seawall_gateway::{AuthMode, Tokens, TokensError};
use seawall_llm::price::Prices;
use seawall_mcp::ServerPlan;
use seawall_policy::Policy;
use seawall_server::Server;
use seawall_store::Keys;
use seawall_store_sqlite::SqliteStore;
use seawall_trace::OnUnavailable;
use seawall_types::{Mode, Usd, mask};

use super::{directory, mcp};
use crate::args::{Global, ServeArgs};
use crate::exit::Failure;
use crate::policy;
use crate::settings::{self, Settings};

/// What was asked for on the command line; a reload asks the same again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) global: Global,
    pub(crate) args: ServeArgs,
    pub(crate) environment: Environment,
    pub(crate) workers: usize,
    /// It is going to listen, so whether it may is a question.
    pub(crate) listens: bool,
}

/// Everything that a start or a reload reads.
pub(crate) struct Plan {
    pub(crate) document: Document,
    pub(crate) settings: Settings,
    pub(crate) policy: Arc<Policy>,
    pub(crate) prices: Arc<Prices>,
    /// `--budget`.
    pub(crate) budget: Option<Usd>,
    /// What verifies tokens, with the keys that the configuration names.
    pub(crate) tokens: Option<Arc<Tokens>>,
    /// Servers of tools.
    pub(crate) mcp: Vec<ServerPlan>,
    /// Files whose change means another configuration.
    pub(crate) files: Vec<PathBuf>,
}

impl Request {
    /// Reads and checks the whole configuration with the files that it names, without changing anything.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let mut faults = Faults::default();
        let budget = self.args.budget.as_deref().map(str::parse::<Usd>).transpose();
        let budget = faults.keep(budget.map_err(|error| format!("--budget: {error}"))).flatten();
        let flags = settings::flags(&self.args, &self.environment);
        let read = faults.keep(settings::attempt(&settings::sources(&self.global, &self.environment, flags)));
        let Some((document, settings, outcome)) = read else { return Err(faults.into()) };
        faults.keep(outcome);
        let gateway = &settings.gateway;
        let mut files: Vec<PathBuf> = document.files().to_vec();
        files.extend(gateway.price_file.as_ref().map(PathBuf::from));
        let policy::Named { policy, files: policy_files } = policy::configured(gateway, &self.environment);
        let policy = faults.keep_of(&document, policy.map_err(|errors| policy::faults("policy", &errors)));
        let prices = faults.keep_of(&document, directory::prices(gateway));
        let tokens = faults.keep_of(&document, tokens(gateway, &mut files));
        let mcp = faults.keep_of(&document, mcp::plans(&settings, &self.environment, &mut files));
        faults.keep_of(&document, self.check_listening(&settings));
        let (Some(policy), Some(prices), Some(tokens), Some(mcp)) = (policy, prices, tokens, mcp) else {
            return Err(faults.into());
        };
        files.extend(policy_files);
        let (policy, prices) = (Arc::new(policy), Arc::new(prices));
        faults.none(Plan { document, settings, policy, prices, budget, tokens, mcp, files })
    }

    /// The address must be one, and where it is going to be listened on who can't be told apart must not be let in from
    /// everywhere.
    fn check_listening(&self, settings: &Settings) -> Result<(), String> {
        let address = Server::address_of(&settings.gateway.listen)
            .map_err(|error| format!("gateway.listen: {error}"))?;
        if self.listens { refuse_open_listening(self, settings, address) } else { Ok(()) }
    }
}

impl Plan {
    /// What happens when the trace can't be written: as configured, or else as the mode wants it.
    pub(crate) fn on_unavailable(&self) -> OnUnavailable {
        let by_mode = match self.policy.mode {
            Mode::Strict => OnUnavailable::Refuse,
            Mode::Warn => OnUnavailable::Count,
        };
        self.settings.trace.on_unavailable.unwrap_or(by_mode)
    }
}

/// What is wrong with a configuration, gathered so that it is said all at once.
#[derive(Debug, Default)]
struct Faults(Vec<String>);

impl Faults {
    /// The value, or nothing when there is a fault to remember instead.
    fn keep<T>(&mut self, found: Result<T, impl ToString>) -> Option<T> {
        found.map_err(|fault| self.0.push(mask(&fault.to_string()).into_owned())).ok()
    }

    /// The same for what is wrong with keys of a document, one a line: each is told where it was written, and once.
    fn keep_of<T>(&mut self, document: &Document, found: Result<T, impl ToString>) -> Option<T> {
        let fault = match found {
            Ok(value) => return Some(value),
            Err(fault) => fault.to_string(),
        };
        for line in settings::placed(document, &fault) {
            if !self.0.contains(&line) {
                self.0.push(line);
            }
        }
        None
    }

    /// The value when there is no fault at all.
    fn none<T>(self, value: T) -> Result<T, Failure> {
        if self.0.is_empty() { Ok(value) } else { Err(self.into()) }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::usage(faults.0.join("\n"))
    }
}

/// What verifies tokens. The files of its keys come to `files`.
fn tokens(
    settings: &seawall_gateway::Settings,
    files: &mut Vec<PathBuf>,
) -> Result<Option<Arc<Tokens>>, String> {
    let Some(jwt) = &settings.jwt else { return Ok(None) };
    files.extend(jwt.key_files().map(PathBuf::from));
    let lines =
        |faults: Vec<TokensError>| faults.iter().map(TokensError::to_string).collect::<Vec<_>>().join("\n");
    let tokens = Tokens::new(jwt, |path| std::fs::read_to_string(path)).map_err(lines)?;
    Ok(Some(Arc::new(tokens)))
}

/// Who can't be told apart must not be let in from everywhere.
fn refuse_open_listening(
    request: &Request,
    settings: &Settings,
    address: std::net::SocketAddr,
) -> Result<(), String> {
    let open = settings.gateway.auth == AuthMode::Auto && settings.gateway.jwt.is_none();
    let has_keys = || {
        let data_dir = settings::data_dir(&request.global, &request.environment);
        let database = settings.database(&data_dir);
        database.exists()
            && SqliteStore::open(&database)
                .and_then(|store| Keys::list(&store))
                .is_ok_and(|keys| !keys.is_empty())
    };
    if address.ip().is_loopback() || request.args.insecure || !open || has_keys() {
        return Ok(());
    }
    Err(format!(
        "gateway.listen: {address} can be reached from elsewhere, and there is no authentication: make a key \
         (`seawall keys create --name NAME`), configure auth.jwt, set auth.mode: required, listen on 127.0.0.1, or give --insecure"
    ))
}
