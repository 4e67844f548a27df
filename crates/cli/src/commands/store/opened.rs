//! A store that a command has opened: named without its password, and only where nobody is disturbed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_base::clock::SystemClock;
use seawall_base::lock::DataDirLock;
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::AgentStore;
use seawall_store_json::JsonStore;
use seawall_store_postgres::PostgresStore;
use seawall_types::Clock;

use super::failed;
use crate::boot;
use crate::exit::Failure;
use crate::settings::{STORE_FORMS, StoreChoice};

/// A store and what is known of it.
pub(in crate::commands) struct Opened {
    /// As it was asked for, but for a password.
    pub(super) name: String,
    pub(in crate::commands) agents: Arc<dyn AgentStore>,
    /// Agents that are not listed, since their logs are broken.
    pub(super) damaged: Vec<(AgentId, StoreError)>,
    file: Option<PathBuf>,
}

pub(super) fn parse(text: &str) -> Result<StoreChoice, Failure> {
    StoreChoice::parse(text).ok_or_else(|| Failure::usage(format!("{text:?} names no store: {STORE_FORMS}")))
}

impl Opened {
    /// Opens one that is there.
    pub(in crate::commands) fn existing(choice: &StoreChoice, data_dir: &Path) -> Result<Self, Failure> {
        let (name, place) = (name(choice, data_dir), place(choice, data_dir));
        let none = || {
            Failure::usage(format!(
                "there is no store at {name} yet; agents are made by `seawall agent chat` or a server"
            ))
        };
        if let StoreChoice::Postgres(url) = choice {
            let there =
                PostgresStore::existing(&boot::postgres(url)?).map_err(|error| failed(&name, &error))?;
            let agents = Arc::new(there.ok_or_else(none)?);
            return Ok(Self { name, agents, damaged: Vec::new(), file: None });
        }
        let is_there = |file: &Path| match choice {
            StoreChoice::Json(folder) => folder.join("agents").is_dir(),
            _ => file.is_file(),
        };
        if place.as_deref().is_some_and(|file| !is_there(file)) {
            return Err(none());
        }
        Self::open(choice, data_dir)
    }

    /// Opens one, and makes it where it is not there.
    pub(super) fn open(choice: &StoreChoice, data_dir: &Path) -> Result<Self, Failure> {
        let (name, file) = (name(choice, data_dir), place(choice, data_dir));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        if let StoreChoice::Json(folder) = choice {
            let store = JsonStore::open(folder, clock).map_err(|error| failed(&name, &error))?;
            let damaged = store.damaged();
            return Ok(Self { name, agents: Arc::new(store), damaged, file });
        }
        let agents = boot::agent_store(choice, data_dir, &clock).map_err(|error| match error {
            Failure::Failed(error) => failed(&name, &error),
            usage @ Failure::Usage(_) => usage,
        })?;
        Ok(Self { name, agents, damaged: Vec::new(), file })
    }

    /// Keeps a server from starting on the data directory that the store is in, and refuses where one runs there.
    pub(super) fn reserve(&self) -> Result<Option<DataDirLock>, Failure> {
        let folder = match &self.file {
            Some(file) if file.is_file() => file.parent(),
            _ => None,
        };
        match folder {
            Some(folder) if folder.join("lock").exists() => {
                Ok(Some(DataDirLock::acquire(folder).map_err(|error| failed(&self.name, &error))?))
            }
            _ => Ok(None),
        }
    }

    /// Refuses where workers run its agents, or servers write for them.
    pub(super) async fn refuse_workers(&self, otherwise: &str) -> Result<(), Failure> {
        let workers = self.agents.workers().await.map_err(|error| failed(&self.name, &error))?;
        let Some(worker) = workers.first() else { return Ok(()) };
        let what = match worker.max_agents {
            0 => "a server accepts messages here, some of which would be left behind",
            _ => "a worker runs agents here, so that an agent could be run in two places",
        };
        Err(Failure::Failed(anyhow::anyhow!(
            "{}: {what}; stop it and try again ({}; one that was killed is taken for alive for {} s){otherwise}",
            self.name,
            worker.id.0,
            worker.lease.as_secs(),
        )))
    }

    /// Whether this is the same store as another one.
    pub(super) fn is(one: &StoreChoice, other: &StoreChoice, data_dir: &Path) -> bool {
        let real = |choice| {
            let place = place(choice, data_dir)?;
            Some(std::fs::canonicalize(&place).unwrap_or(place))
        };
        match (one, other) {
            (StoreChoice::Postgres(one), StoreChoice::Postgres(other)) => one == other,
            _ => real(one).is_some() && real(one) == real(other),
        }
    }
}

/// The file or folder.
fn place(choice: &StoreChoice, data_dir: &Path) -> Option<PathBuf> {
    match choice {
        StoreChoice::Own | StoreChoice::Sqlite(_) => Some(choice.database(data_dir)),
        StoreChoice::Json(folder) => Some(folder.clone()),
        StoreChoice::Postgres(_) => None,
    }
}

fn name(choice: &StoreChoice, data_dir: &Path) -> String {
    match choice {
        StoreChoice::Own | StoreChoice::Sqlite(_) => {
            format!("sqlite:{}", choice.database(data_dir).display())
        }
        StoreChoice::Json(folder) => format!("json:{}", folder.display()),
        StoreChoice::Postgres(url) => without_password(url.expose()),
    }
}

/// A URL without its password and parameters.
fn without_password(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres".to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("{scheme}://{user}@{host}")
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_store_is_named_without_its_password() {
        for (url, name) in [
            ("postgres://u:p%40:@h:5/d?sslmode=require&password=x", "postgres://u@h:5/d"),
            ("postgresql://u:a@b@h/d", "postgresql://u@h/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres://h/d?user=u&password=x", "postgres://h/d"),
        ] {
            assert_eq!(without_password(url), name);
        }
    }
}
