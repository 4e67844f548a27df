//! Hearing what others have written: by LISTEN, and where that is deaf by looking.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_base::tasks::Group;
use seawall_store::StoreError;
use seawall_store::agents::Hint;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::AsyncMessage;

use super::{Ear, Notices, hints, notify};
use crate::database::{ANSWER, Begin, Connector, Database};
use crate::room::Room;
use crate::row::get;
use crate::statement::Statement;

/// Hints that somebody may be behind before he is told that he missed some.
const BEHIND: usize = 1_024;

/// How long the test of one's own hearing waits.
const TEST: Duration = Duration::from_secs(2);

/// How often is looked while something happens, and while nothing does.
const LOOK: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));

/// How long is looked before LISTEN is tried again.
const LOOK_FOR: Duration = Duration::from_secs(300);

/// Waits after failures: from and to.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Hears for everybody in the process who wants to know. Begins when the first one does.
#[derive(Debug)]
pub(crate) struct Listener {
    heard: Mutex<Option<broadcast::Sender<Hint>>>,
}

/// What is needed to hear.
pub(crate) struct Hearing {
    pub(crate) database: Arc<Database>,
    pub(crate) connector: Connector,
    pub(crate) notices: Arc<Notices>,
}

impl Listener {
    pub(crate) fn new() -> Self {
        Self { heard: Mutex::new(None) }
    }

    /// Somebody who hears from now on.
    pub(crate) fn ear(&self, room: &Room, hearing: impl FnOnce() -> Hearing) -> Ear {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = heard.get_or_insert_with(|| {
            let (sender, _) = broadcast::channel(BEHIND);
            let (hearing, group) = (hearing(), room.group().clone());
            let all = sender.clone();
            room.keep("listening to PostgreSQL", async move {
                tokio::select! {
                    () = group.shutdown().cancelled() => {}
                    () = hearing.go_on(all, group.clone()) => {}
                }
            });
            sender
        });
        Ear(heard.subscribe())
    }
}

/// How listening ended.
enum Ended {
    /// The connection is gone.
    Lost,
    /// What was said was not heard.
    Deaf,
}

impl Hearing {
    /// Hears for ever, over as many connections as it takes.
    async fn go_on(self, heard: broadcast::Sender<Hint>, group: Group) {
        let mut backoff = seawall_base::backoff::Backoff::new(REST.0, REST.1, fastrand::u64(..));
        let mut has_told = false;
        loop {
            let begun = Instant::now();
            match self.listen(&heard).await {
                Ok(Ended::Lost) => {}
                Ok(Ended::Deaf) => {
                    if !has_told {
                        tracing::warn!(
                            "LISTEN hears nothing, as behind PgBouncer in transaction mode: PostgreSQL is looked at every \
                             {} to {} ms instead",
                            LOOK.0.as_millis(),
                            LOOK.1.as_millis()
                        );
                        has_told = true;
                    }
                    if let Err(error) = self.look(&heard).await {
                        tracing::debug!(%error, "PostgreSQL can't be looked at");
                    }
                }
                Err(error) => tracing::debug!(%error, "PostgreSQL can't be listened to"),
            }
            if begun.elapsed() > REST.1 {
                backoff.reset();
            }
            if group.shutdown().is_cancelled() {
                return;
            }
            // A wait without jitter's chance of none: nothing here is worth a busy loop.
            sleep(backoff.next_delay().max(Duration::from_millis(20))).await;
        }
    }

    /// Listens until the connection is gone. Hears itself first, said by another connection: a pooler takes LISTEN without a
    /// word and never hands on what is heard. Whoever waits is told then that it may have missed something.
    async fn listen(&self, heard: &broadcast::Sender<Hint>) -> Result<Ended, StoreError> {
        let (sender, mut said) = mpsc::unbounded_channel();
        let ear = self.connector.own(move |message| {
            if let AsyncMessage::Notification(notification) = message {
                drop(sender.send(notification.payload().to_owned()));
            }
        });
        let ear = ear.await?;
        let listen = format!("listen {}", self.notices.channel);
        ear.ask(ANSWER, |client| client.batch_execute(&listen)).await?;
        // Words that no agent is called by; of nobody's origin, so that all who hear them look.
        let test = format!("test-{:016x}:{}?", fastrand::u64(..), self.notices.origin);
        let other = self.connector.own(drop).await?;
        notify(&other, &self.notices.channel, std::slice::from_ref(&test)).await?;
        let is_heard = async {
            while let Some(payload) = said.recv().await {
                if payload == test {
                    return true;
                }
            }
            false
        };
        if !timeout(TEST, is_heard).await.unwrap_or(false) {
            return Ok(if ear.is_closed() { Ended::Lost } else { Ended::Deaf });
        }
        drop(other);
        drop(heard.send(Hint::All));
        while let Some(payload) = said.recv().await {
            // Others' tests are nobody's news.
            if payload.starts_with("test-") {
                continue;
            }
            for hint in hints(&payload, &self.notices.origin) {
                drop(heard.send(hint));
            }
        }
        Ok(Ended::Lost)
    }

    /// Looks whether any transaction has ended that wrote something; whose it was, nobody says.
    async fn look(&self, heard: &broadcast::Sender<Hint>) -> Result<(), StoreError> {
        let (begun, mut seen, mut wait) = (Instant::now(), String::new(), LOOK.0);
        while begun.elapsed() < LOOK_FOR {
            let look = Statement::new("select pg_current_snapshot()::text");
            let rows = self.database.one(Begin::Read, look).await?;
            let now: String = rows.first().map_or(Ok(String::new()), |row| get(row, 0))?;
            if now == seen {
                wait = (wait * 2).min(LOOK.1);
            } else {
                drop(heard.send(Hint::All));
                (seen, wait) = (now, LOOK.0);
            }
            sleep(wait).await;
        }
        Ok(())
    }
}
