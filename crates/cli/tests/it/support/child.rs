//! What a child process says, and how it ends: both can be waited for.

use std::io::{BufRead, BufReader, Read};
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The longest that a test waits for a process.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a process ended, once it has.
#[derive(Clone, Default)]
pub(super) struct Exit(Arc<(Mutex<Option<ExitStatus>>, Condvar)>);

impl Exit {
    pub(super) fn tell(&self, status: ExitStatus) {
        *self.0.0.lock().unwrap() = Some(status);
        self.0.1.notify_all();
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.0.0.lock().unwrap()
    }

    pub(super) fn wait(&self) -> Option<ExitStatus> {
        let guard = self.0.0.lock().unwrap();
        *self.0.1.wait_timeout_while(guard, PATIENCE, |status| status.is_none()).unwrap().0
    }
}

/// What a process has said on one of its outputs.
#[derive(Clone, Default)]
pub(crate) struct Said(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ended: bool,
}

impl Said {
    pub(super) fn listen(&self, output: impl Read + Send + 'static) {
        let Self(shared) = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                shared.0.lock().unwrap().lines.push(line);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().ended = true;
            shared.1.notify_all();
        });
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    pub(crate) fn all(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line with these words, once it is said. `None`: it never was.
    pub(crate) fn wait_for(&self, words: &str) -> Option<String> {
        let found = |heard: &Heard| heard.lines.iter().find(|line| line.contains(words)).cloned();
        let guard = self.0.0.lock().unwrap();
        let waiting = |heard: &mut Heard| found(heard).is_none() && !heard.ended;
        let (guard, _) = self.0.1.wait_timeout_while(guard, PATIENCE, waiting).unwrap();
        found(&guard)
    }
}
