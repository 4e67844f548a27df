//! The process of a session: started by the sandbox, which ends it with everything that it started, also when this process
//! is killed; and the tasks that feed it and listen to it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use seawall_sandbox::{Child, Command, Confinement, Files, Layer, Limits, Network, Sandbox, Stream};
use seawall_types::mask;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::session::Session;
use crate::Place;
use crate::body::Frame;
use crate::server::Server;

/// Messages on their way to the process.
const ROOM: usize = 64;
/// How long a process has to end by itself once its input has ended, as the protocol wants it.
const GRACE: Duration = Duration::from_secs(2);
/// How long after its output a process may take to end before it is ended; so its exit code is its own.
const MOMENT: Duration = Duration::from_millis(100);
/// So much of a line of its errors goes into the log.
const LONGEST_ERROR: usize = 4 * 1024;
/// So many of them, and so much of each, are told when the process has ended.
const LAST_LINES: usize = 3;
const LONGEST_LAST_LINE: usize = 200;

/// Starts a process for a session; gives the way to it.
///
/// # Errors
/// Why there is none.
pub(super) async fn start(
    server: &Arc<Server>,
    session: &Arc<Session>,
    generation: u64,
) -> Result<mpsc::Sender<Frame>, String> {
    let (told, hears) = oneshot::channel();
    let running = Running {
        server: Arc::clone(server),
        session: Arc::downgrade(session),
        generation,
        closed: session.closed().clone(),
    };
    server.host.spawn("process of an MCP server", running.run(told));
    hears.await.unwrap_or_else(|_ended| Err("it was ended before it ran".to_owned())).map_err(|reason| {
        tracing::error!(server = %server.name, reason, "the server can't be started");
        format!("the server {} can't be started; see the log", server.name)
    })
}

/// A process, from its start to its end.
struct Running {
    server: Arc<Server>,
    session: Weak<Session>,
    generation: u64,
    closed: CancellationToken,
}

/// Its three streams.
struct Streams {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
}

impl Running {
    async fn run(self, told: oneshot::Sender<Result<mpsc::Sender<Frame>, String>>) {
        let (child, streams) = match self.spawn().await {
            Ok(started) => started,
            Err(error) => {
                let _nobody_waits = told.send(Err(error));
                return;
            }
        };
        let Streams { stdin, stdout, stderr } = streams;
        let (to, messages) = mpsc::channel(ROOM);
        tracing::info!(server = %self.server.name, generation = self.generation, "MCP server started");
        let silenced = self.closed.child_token();
        self.server.host.spawn("input of an MCP server", write(stdin, messages, silenced.clone()));
        let last_words = LastWords::default();
        self.server
            .host
            .spawn("errors of an MCP server", log(stderr, Arc::clone(&self.server), last_words.clone()));
        let has_ended = if told.send(Ok(to)).is_ok() { self.listen(stdout, &silenced).await } else { false };
        silenced.cancel();
        self.bury(child, has_ended, &last_words).await;
        if let Some(session) = self.session.upgrade() {
            session.ended(&self.server, self.generation).await;
        }
    }

    async fn spawn(&self) -> Result<(Child, Streams), String> {
        let server = Arc::clone(&self.server);
        let spawned = tokio::task::spawn_blocking(move || {
            let (confinement, command) = launch(&server)?;
            Sandbox::of_this_program().spawn(confinement, command).map_err(|error| error.to_string())
        });
        let mut child = spawned.await.map_err(|error| error.to_string())??;
        let streams = Streams::of(&mut child).map_err(|error| error.to_string())?;
        Ok((child, streams))
    }

    /// Hears the process until it says no more, or is not to be heard any more. Whether its output has ended.
    async fn listen(&self, stdout: pipe::Receiver, silenced: &CancellationToken) -> bool {
        let Some(limits) = self.session.upgrade().map(|session| session.limits()) else { return false };
        let mut lines = Lines::new(stdout, limits.message);
        // What hears nothing any more may say what it has to say, and is ended then.
        let last_words = async {
            silenced.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::pin!(last_words);
        loop {
            let mut memory = self.server.desk.parts.memory.share();
            let read = tokio::select! {
                read = lines.next(&mut memory, limits.buffer) => read,
                () = self.closed.cancelled() => return self.part(lines, silenced).await,
                () = &mut last_words => return false,
            };
            let line = match read {
                Ok(Some(line)) => line,
                Ok(None) => return true,
                Err(error) => {
                    tracing::error!(server = %self.server.name, %error, "the server is ended, since it can't be read");
                    return false;
                }
            };
            if line.is_empty() {
                continue;
            }
            let Some(session) = self.session.upgrade() else { return false };
            // A client that does not read makes the server wait, and not its end.
            tokio::select! {
                () = session.hear(&self.server, Frame::new(line, Some(memory))) => {}
                () = self.closed.cancelled() => return self.part(lines, silenced).await,
            }
        }
    }

    /// Ends its input and waits a little for it to end by itself. Whether it has.
    async fn part(&self, mut lines: Lines<pipe::Receiver>, silenced: &CancellationToken) -> bool {
        silenced.cancel();
        let rest = async {
            let mut memory = self.server.desk.parts.memory.share();
            while let Ok(Some(_unheard)) = lines.next(&mut memory, usize::MAX).await {}
        };
        tokio::time::timeout(GRACE, rest).await.is_ok()
    }

    /// Sees to it that nothing of it is left.
    async fn bury(&self, child: Child, has_ended: bool, last_words: &LastWords) {
        if has_ended {
            tokio::time::sleep(MOMENT).await;
        }
        let waited = tokio::task::spawn_blocking(move || {
            child.kill_family();
            child.wait()
        });
        let name = &self.server.name;
        match waited.await {
            Ok(Ok(report)) if self.closed.is_cancelled() => {
                tracing::info!(server = %name, survivors = report.survivors, "MCP server stopped");
            }
            Ok(Ok(report)) => {
                let (ending, survivors) = (report.ending, report.survivors);
                tracing::warn!(server = %name, ?ending, survivors, last_words = %last_words, "MCP server ended");
            }
            Ok(Err(error)) => {
                tracing::error!(server = %name, %error, "nothing is known of how an MCP server ended")
            }
            Err(error) => tracing::error!(server = %name, %error, "an MCP server could not be waited for"),
        }
    }
}

impl Streams {
    fn of(child: &mut Child) -> io::Result<Self> {
        let missing = || io::Error::other("a stream is missing");
        let stdin: OwnedFd = child.stdin.take().ok_or_else(missing)?.into();
        let stdout: OwnedFd = child.stdout.take().ok_or_else(missing)?.into();
        let stderr: OwnedFd = child.stderr.take().ok_or_else(missing)?.into();
        Ok(Self {
            stdin: pipe::Sender::from_owned_fd(stdin)?,
            stdout: pipe::Receiver::from_owned_fd(stdout)?,
            stderr: pipe::Receiver::from_owned_fd(stderr)?,
        })
    }
}

/// What is started, and how it is held. Without a sandbox nothing is taken from it, but that it ends with us.
fn launch(server: &Server) -> Result<(Confinement, Command), String> {
    let Place::Command { command, environment, .. } = &server.settings.place else {
        return Err("it is no command".to_owned());
    };
    let launch = server.launch().ok_or_else(|| "it is no command".to_owned())?;
    let (program, arguments) = command.split_first().ok_or_else(|| "the command is empty".to_owned())?;
    let confinement = match &launch.confinement {
        Some(confinement) => confinement.clone(),
        None => unconfined(&std::env::current_dir().map_err(|error| error.to_string())?),
    };
    let mut started = Command::new(program).args(arguments);
    for (name, value) in &launch.inherited {
        started = started.env(name, value);
    }
    for (name, value) in environment {
        started = started.env(name, value.expose());
    }
    Ok((confinement, started.stdin(Stream::Piped).stdout(Stream::Piped).stderr(Stream::Piped)))
}

fn unconfined(folder: &Path) -> Confinement {
    Confinement {
        root: folder.to_owned(),
        files: Files::Any,
        network: Network::Any,
        limits: Limits::default(),
        without: vec![
            Layer::Landlock,
            Layer::Seccomp,
            Layer::Namespaces,
            Layer::NetworkNamespace,
            Layer::Cgroup,
        ],
    }
}

/// Writes messages, one on each line, until there are no more, none can be written, or nobody is to write any more. Its end
/// is the end of input.
async fn write(mut stdin: pipe::Sender, mut messages: mpsc::Receiver<Frame>, silenced: CancellationToken) {
    let writing = async {
        while let Some(message) = messages.recv().await {
            let line = async {
                stdin.write_all(message.bytes()).await?;
                stdin.write_all(b"\n").await
            };
            if line.await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = writing => silenced.cancel(),
        () = silenced.cancelled() => {}
    }
}

/// The last lines that a process wrote to its errors, for the message that it has ended.
#[derive(Debug, Clone, Default)]
struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    fn take(&self, line: &str) {
        let mut lines = self.lines();
        if lines.len() >= LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(LONGEST_LAST_LINE).collect());
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        // A list of lines is never half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " / " })?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

/// What a server says about itself is for the operator.
async fn log(stderr: pipe::Receiver, server: Arc<Server>, last_words: LastWords) {
    let mut lines = Lines::new(stderr, 64 * LONGEST_ERROR);
    loop {
        let mut memory = server.desk.parts.memory.share();
        let line = match lines.next(&mut memory, usize::MAX).await {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(_too_long) => {
                // Whoever stops reading stops the writer.
                let _ended = tokio::io::copy(&mut lines.into_rest(), &mut tokio::io::sink()).await;
                return;
            }
        };
        let line = line.get(..line.len().min(LONGEST_ERROR)).unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        if !line.is_empty() {
            let line = mask(&line);
            tracing::debug!(server = %server.name, %line, "MCP server says");
            last_words.take(&line);
        }
    }
}
