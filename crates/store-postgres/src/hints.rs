//! Telling other processes that something was written, and hearing it from them.
//!
//! Never in a transaction that writes: a commit that notifies holds a lock of the whole server until it is done, so that
//! commits no longer share a flush. What was written is gathered for ten milliseconds and told on a connection of its own.
//! Hints may be lost with no harm but some hundred milliseconds, since everybody looks now and then anyway.

mod listen;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_base::tasks::Group;
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Hint, Hints};
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_postgres::types::{ToSql, Type};

use crate::database::{ANSWER, Connector, Own};

pub(crate) use listen::{Hearing, Listener};

/// How long hints are gathered.
const GATHER: Duration = Duration::from_millis(10);

/// How long nothing is tried after a failure.
const REST: Duration = Duration::from_secs(1);

/// What a notification may hold: PostgreSQL takes fewer than 8,000 bytes.
const LONGEST: usize = 7_900;

/// More agents than this in ten milliseconds are everybody.
const MOST: usize = 1_000;

/// What stands for all agents. No agent can be called so.
const ALL: &str = "*";

/// What is to be told.
#[derive(Debug)]
pub(crate) struct Notices {
    /// Who tells it, so that nobody hears himself.
    origin: String,
    /// The channel; one for each schema, since channels are the database's.
    channel: String,
    gathered: Mutex<BTreeSet<String>>,
    wake: Notify,
}

impl Notices {
    pub(crate) fn new(schema: &str) -> Arc<Self> {
        Arc::new(Self {
            origin: format!("{:016x}", fastrand::u64(..)),
            channel: channel(schema),
            gathered: Mutex::default(),
            wake: Notify::new(),
        })
    }

    /// Something was written for this agent.
    pub(crate) fn wrote(&self, agent: &AgentId) {
        self.add(agent.as_str());
    }

    /// Something was written for nobody in particular.
    pub(crate) fn wrote_much(&self) {
        self.add(ALL);
    }

    fn add(&self, word: &str) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.len() < MOST {
            gathered.insert(word.to_owned());
        } else {
            gathered.insert(ALL.to_owned());
        }
        self.wake.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.gathered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells what is gathered, until the end.
    pub(crate) async fn tell(self: Arc<Self>, connector: Connector, group: Group) {
        let mut voice = None;
        let mut is_over = false;
        while !is_over {
            tokio::select! {
                // What was written last is told too.
                () = group.shutdown().cancelled() => is_over = true,
                () = self.wake.notified() => sleep(GATHER).await,
            }
            let told = self.say(&mut voice, &connector, &payloads(&self.origin, &self.take())).await;
            if let Err(error) = told
                && !is_over
            {
                tracing::debug!(%error, "hints were lost");
                voice = None;
                // They are everybody's now, since nobody knows any more whose they were.
                self.wrote_much();
                tokio::select! {
                    () = group.shutdown().cancelled() => return,
                    () = sleep(REST) => {}
                }
            }
        }
    }

    async fn say(
        &self,
        voice: &mut Option<Own>,
        connector: &Connector,
        payloads: &[String],
    ) -> Result<(), StoreError> {
        if payloads.is_empty() {
            return Ok(());
        }
        let voice = match voice {
            Some(voice) => voice,
            None => voice.insert(connector.own(drop).await?),
        };
        notify(voice, &self.channel, payloads).await
    }
}

/// One statement, one transaction, however many payloads. A hint may be lost: no disk is waited for.
async fn notify(voice: &Own, channel: &str, payloads: &[String]) -> Result<(), StoreError> {
    const TELL: &str = "select pg_notify($1, payload), set_config('synchronous_commit', 'off', true) from unnest($2) as payload";
    let values: [(&(dyn ToSql + Sync), Type); 2] = [(&channel, Type::TEXT), (&payloads, Type::TEXT_ARRAY)];
    voice.ask(ANSWER, |client| client.query_typed(TELL, &values)).await.map(drop)
}

/// Channels are identifiers, of which the server keeps 63 bytes.
fn channel(schema: &str) -> String {
    let plain = schema.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && schema.len() <= 32 {
        return format!("seawall_agent_{schema}");
    }
    let hash = blake3::hash(schema.as_bytes()).to_hex();
    format!("seawall_agent_{}", hash.as_str().get(..32).unwrap_or_default())
}

/// `ORIGIN:NAME NAME …`, in as many notifications as are needed.
fn payloads(origin: &str, words: &BTreeSet<String>) -> Vec<String> {
    if words.contains(ALL) {
        return vec![format!("{origin}:{ALL}")];
    }
    let mut payloads: Vec<String> = Vec::new();
    for word in words {
        match payloads.last_mut() {
            Some(last) if last.len() + 1 + word.len() <= LONGEST => {
                last.push(' ');
                last.push_str(word);
            }
            _ => payloads.push(format!("{origin}:{word}")),
        }
    }
    payloads
}

/// The hints in a notification of somebody else.
fn hints(payload: &str, own_origin: &str) -> Vec<Hint> {
    let Some((origin, words)) = payload.split_once(':') else { return vec![Hint::All] };
    if origin == own_origin {
        return Vec::new();
    }
    words.split(' ').map(|word| word.parse().map_or(Hint::All, Hint::Agent)).collect()
}

/// What one caller hears.
#[derive(Debug)]
pub(crate) struct Ear(pub(crate) broadcast::Receiver<Hint>);

impl Hints for Ear {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        Box::pin(async {
            match self.0.recv().await {
                Ok(hint) => hint,
                Err(broadcast::error::RecvError::Lagged(_)) => Hint::All,
                // The store was closed: there is nothing to hear any more.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> BTreeSet<String> {
        (0..count).map(|number| format!("agent-{number:0>100}")).collect()
    }

    #[test]
    fn what_is_told_is_heard_by_others_and_not_by_oneself() {
        let words = words(500);
        let payloads = payloads("me", &words);
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() <= LONGEST));
        let heard: BTreeSet<_> = payloads
            .iter()
            .flat_map(|payload| hints(payload, "you"))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|hint| match hint {
                Hint::Agent(agent) => agent.to_string(),
                Hint::All => panic!("nobody said all"),
            })
            .collect();
        assert_eq!(heard, words);
        assert!(payloads.iter().all(|payload| hints(payload, "me").is_empty()));
    }

    #[test]
    fn all_goes_before_each() {
        let mut words = words(3);
        words.insert(ALL.to_owned());
        assert_eq!(payloads("me", &words), ["me:*"]);
        assert_eq!(hints("me:*", "you"), [Hint::All]);
        assert_eq!(hints("nonsense", "you"), [Hint::All]);
    }

    #[test]
    fn more_than_can_be_told_is_all() {
        let notices = Notices::new("public");
        (0..MOST * 2).for_each(|number| notices.add(&format!("a{number}")));
        assert!(notices.take().contains(ALL));
        assert!(notices.take().is_empty());
    }

    #[test]
    fn every_schema_has_a_channel_that_the_server_can_name() {
        for schema in ["public", "Ä", &"x".repeat(63), "a\"b"] {
            let name = channel(schema);
            assert!(
                name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                "{name}"
            );
        }
        assert_ne!(channel("A"), channel("a"));
    }
}
