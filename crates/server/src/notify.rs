//! Telling systemd how we are, where systemd asked (`NOTIFY_SOCKET`).

use std::time::Duration;

use sd_notify::NotifyState;

/// Speaks to systemd; silent where nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Notifier;

impl Notifier {
    /// Connections are accepted.
    pub fn ready(self, status: &str) {
        send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is being read again.
    pub fn reloading(self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            send(&[NotifyState::Reloading, now]);
        }
    }

    /// The server stops.
    pub fn stopping(self) {
        send(&[NotifyState::Stopping]);
    }

    /// The process is alive.
    pub fn alive(self) {
        send(&[NotifyState::Watchdog]);
    }

    /// How often systemd wants to hear that: half of its patience. `None`: never.
    #[must_use]
    pub fn watchdog_period(self) -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|patience| patience / 2)
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
