//! How the command line finds the server that works on a data directory: `server.json` there, readable by its owner only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a running server tells the command line.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServerState {
    /// Its process.
    pub pid: u32,
    /// Its address.
    pub url: String,
    /// What opens its administrative routes.
    pub token: String,
}

impl std::fmt::Debug for ServerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerState({} at {})", self.pid, self.url)
    }
}

/// The file can't be written.
#[derive(Debug, thiserror::Error)]
#[error("{path} can't be written: {cause}", path = path.display())]
pub struct StateFileError {
    path: PathBuf,
    #[source]
    cause: std::io::Error,
}

impl ServerState {
    /// The state of this process, listening on `address`.
    #[must_use]
    pub fn of_this_process(address: SocketAddr, token: &str) -> Self {
        Self { pid: std::process::id(), url: format!("http://{address}"), token: token.to_owned() }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the folder can't be written to.
    pub fn write(&self, data_dir: &Path) -> Result<(), StateFileError> {
        let path = file(data_dir);
        let text = serde_json::to_vec(self).unwrap_or_default();
        seawall_base::atomic::write(&path, &text, 0o600).map_err(|cause| StateFileError { path, cause })
    }

    /// The state of the server that works on `data_dir`. `None`: there is no such file; whether the server still runs is
    /// told by its lock.
    #[must_use]
    pub fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(file(data_dir)).ok()?).ok()
    }

    /// Takes the file away.
    pub fn remove(data_dir: &Path) {
        let _absent_is_fine = std::fs::remove_file(file(data_dir));
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("server.json")
}
