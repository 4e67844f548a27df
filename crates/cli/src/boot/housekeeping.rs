//! What has to be done from time to time, off the way of any request: journals to the disk, expired reservations to
//! spend, old traces away, keys and limits that another process wrote into force, approvals that nobody decided on to their
//! end.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use seawall_gateway::Gateway;
use seawall_store::Store;
use seawall_trace::retention::{self, Policy};

use super::approvals::ApprovalDesk;
use super::reload::Reloading;
use crate::settings::TraceSettings;

/// The journal reaches the disk this often: what a power failure may cost.
const SYNC: Duration = Duration::from_millis(20);
const SWEEP: Duration = Duration::from_millis(500);
const SNAPSHOT: Duration = Duration::from_secs(10);
const RETENTION: Duration = Duration::from_secs(3_600);

/// Which traces are to go.
pub(crate) struct Retention {
    policy: Policy,
    runs: PathBuf,
}

impl Retention {
    pub(crate) fn of(settings: &TraceSettings, runs: PathBuf) -> Self {
        let policy =
            Policy { older_than: settings.max_age, max_bytes: settings.max_bytes, ..Policy::default() };
        Self { policy, runs }
    }
}

/// The thread that does it.
#[derive(Debug)]
pub(crate) struct Housekeeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeper {
    pub(crate) fn start(
        gateway: Arc<Gateway>,
        store: Arc<dyn Store>,
        retention: Retention,
        reloading: Arc<Reloading>,
        desk: ApprovalDesk,
        changes: u64,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let mut chores = Chores {
            syncing: Trouble::default(),
            keeping: Trouble::default(),
            taking_over: Trouble::default(),
            tending: Trouble::default(),
            changes,
            gateway,
            store,
            retention,
            reloading,
            desk,
        };
        let thread = std::thread::Builder::new().name("seawall-house".to_owned()).spawn(move || {
            let mut round: u32 = 0;
            while stopped.recv_timeout(SYNC) == Err(RecvTimeoutError::Timeout) {
                round = round.wrapping_add(1);
                chores.round(round);
            }
            chores.snapshot();
            chores.desk.close();
        })?;
        Ok(Self { stop, thread })
    }

    /// Writes the last snapshot and ends.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the housekeeping thread panicked; the journal has everything");
        }
    }
}

/// Something that is done again and again. Its failure is said once, and so is its success after that: a full disk must
/// not fill the log.
#[derive(Debug, Default)]
struct Trouble {
    lasts: bool,
}

impl Trouble {
    fn hear<E: fmt::Display>(&mut self, outcome: Result<(), E>, failure: &'static str) {
        match outcome {
            Ok(()) if std::mem::take(&mut self.lasts) => tracing::info!(was = failure, "mended"),
            Ok(()) => {}
            Err(error) if !std::mem::replace(&mut self.lasts, true) => {
                tracing::error!(%error, "{failure}; tried again, and said once, until it works");
            }
            Err(_said_before) => {}
        }
    }
}

struct Chores {
    syncing: Trouble,
    keeping: Trouble,
    taking_over: Trouble,
    tending: Trouble,
    gateway: Arc<Gateway>,
    store: Arc<dyn Store>,
    retention: Retention,
    reloading: Arc<Reloading>,
    desk: ApprovalDesk,
    changes: u64,
}

impl Chores {
    fn round(&mut self, round: u32) {
        self.sync();
        if is_due(round, SWEEP) {
            self.gateway.checkpoint().sweep(self.gateway.run());
            self.take_over_changes();
            let tended = self.desk.tend();
            self.tending.hear(tended, "approvals can't be tended; what waits for one goes on waiting");
        }
        if is_due(round, SNAPSHOT) {
            self.snapshot();
        }
        if is_due(round, RETENTION) {
            self.remove_old_traces();
        }
    }

    fn sync(&mut self) {
        let synced = self.gateway.checkpoint().ledger().sync();
        self.syncing.hear(synced, "the ledger's journal can't be forced to the disk");
    }

    fn snapshot(&mut self) {
        let kept = self.gateway.checkpoint().ledger().checkpoint();
        self.keeping.hear(kept, "the ledger can't be kept in the store and its journal grows");
    }

    /// Another process (the command line) made, rotated or revoked a key.
    fn take_over_changes(&mut self) {
        let Ok(changes) = self.store.changes() else { return };
        if changes == self.changes {
            return;
        }
        let taken = self.reloading.keys_changed().map(|_count| self.changes = changes);
        self.taking_over.hear(taken, "keys can't be taken over and the old ones stay in force");
    }

    fn remove_old_traces(&self) {
        let Retention { policy, runs } = &self.retention;
        if policy.older_than.is_none() && policy.max_bytes.is_none() {
            return;
        }
        match retention::gc(runs, &*self.store, policy, self.gateway.checkpoint().clock().now()) {
            Ok(report) => tracing::info!(?report, "old traces removed"),
            Err(error) => tracing::error!(%error, "old traces can't be removed"),
        }
    }
}

/// Whether something that is done every `period` is due in this round.
fn is_due(round: u32, period: Duration) -> bool {
    let rounds = u32::try_from(period.as_millis() / SYNC.as_millis()).unwrap_or(u32::MAX);
    round.is_multiple_of(rounds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chores_come_in_their_period() {
        let times = |period| (1..=1_000).filter(|&round| is_due(round, period)).count();
        assert_eq!((times(SWEEP), times(SNAPSHOT), times(RETENTION)), (40, 2, 0));
    }
}
