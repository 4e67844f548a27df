//! Telling systemd how we are, where systemd asked (`NOTIFY_SOCKET`).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
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
        sd_notify::watchdog_enabled().map(|patience| patience / 2).filter(|period| !period.is_zero())
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = tell(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// The library knows sockets in the file system alone; `@name` is one that lies in no folder.
fn tell(states: &[NotifyState<'_>]) -> io::Result<()> {
    let socket = std::env::var_os("NOTIFY_SOCKET");
    let Some(name) = socket.as_ref().and_then(|name| name.as_bytes().strip_prefix(b"@")) else {
        return sd_notify::notify(states);
    };
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    let address = SocketAddr::from_abstract_name(name)?;
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}
