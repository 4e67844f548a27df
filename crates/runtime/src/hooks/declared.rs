//! Hooks that a template declares: a URL that is posted to, or a command with JSON on its standard streams.
//!
//! Both are the operator's and trusted: no address is judged, and the command is not confined. It ends with its time, and
//! with it all that it has started.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Limited};
use seawall_llm_client::Requester;
use seawall_sandbox::{Command, Confinement, Files, Layer, Limits, Network, Sandbox, Stream};
use seawall_types::Pattern;

use super::{About, Hook, HookAnswer, HookFailed, Moment, OnFailure, answer};
use crate::model::BoxFuture;

/// The longest answer.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A hook of a template.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) moment: Moment,
    /// About which tools; none named: about all.
    pub(crate) tools: Vec<Pattern>,
    pub(crate) timeout: Duration,
    pub(crate) on_failure: OnFailure,
    pub(crate) how: How,
}

/// How it is reached.
#[derive(Debug)]
pub(crate) enum How {
    /// By POST.
    Url(Uri, Box<Requester>),
    /// As a process.
    Command(Program),
}

/// A program with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) command: Vec<String>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    pub(crate) launcher: Sandbox,
}

impl Hook for Declared {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, moment: Moment, tool: Option<&str>) -> bool {
        let is_meant = |tool: &str| self.tools.iter().any(|pattern| pattern.matches(tool));
        moment == self.moment && (self.tools.is_empty() || tool.is_some_and(is_meant))
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn on_failure(&self) -> OnFailure {
        self.on_failure
    }

    fn ask<'a>(&'a self, about: About<'a>) -> BoxFuture<'a, Result<HookAnswer, HookFailed>> {
        Box::pin(async move {
            let input = serde_json::to_vec(&about).map_err(|error| HookFailed(error.to_string()))?;
            let said = match &self.how {
                How::Url(url, requester) => post(url, requester, input).await,
                How::Command(program) => {
                    let (program, limit) = (program.clone(), self.timeout);
                    let running = tokio::task::spawn_blocking(move || program.run(input, limit));
                    running.await.unwrap_or_else(|_| Err("the server ends".to_owned()))
                }
            };
            answer::read(self.moment, &said.map_err(HookFailed)?)
        })
    }
}

async fn post(url: &Uri, requester: &Requester, input: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut request =
        Request::post(url.clone()).body(Bytes::from(input)).map_err(|error| error.to_string())?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let answer = requester.send(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("it answered {status}"));
    }
    let most = usize::try_from(MOST_BYTES).unwrap_or(usize::MAX);
    let body = Limited::new(answer.into_body(), most).collect().await;
    let body = body.map_err(|error| format!("its answer can't be read: {error}"))?;
    Ok(body.to_bytes().into())
}

impl Program {
    /// Runs it to its end, or to the end of its time. What it has written.
    fn run(&self, input: Vec<u8>, limit: Duration) -> Result<Vec<u8>, String> {
        let (program, arguments) = self.command.split_first().ok_or("its command is empty")?;
        let confinement = Confinement {
            root: self.folder.clone(),
            files: Files::Any,
            network: Network::Any,
            limits: Limits { wall_time: Some(limit), ..Limits::default() },
            without: vec![
                Layer::Landlock,
                Layer::Seccomp,
                Layer::Namespaces,
                Layer::NetworkNamespace,
                Layer::Cgroup,
            ],
        };
        let command = Command::new(program).args(arguments);
        let command = command.stdin(Stream::Piped).stdout(Stream::Piped).stderr(Stream::Null);
        let started = self.launcher.spawn(confinement, command);
        let mut child = started.map_err(|error| format!("it can't be started: {error}"))?;
        let missing = "a stream of it is missing";
        let mut stdin = child.stdin.take().ok_or(missing)?;
        let stdout = child.stdout.take().ok_or(missing)?;
        // A program may answer before it has read everything, and one that reads nothing must not hold us up.
        let writing = std::thread::Builder::new().name("input of a hook".to_owned());
        let writing =
            writing.spawn(move || _ = stdin.write_all(&input)).map_err(|error| error.to_string())?;
        let mut said = Vec::new();
        let read = stdout.take(MOST_BYTES + 1).read_to_end(&mut said);
        if read.is_err() || said.len() as u64 > MOST_BYTES {
            child.kill_family();
        }
        let report = child.wait().map_err(|error| error.to_string())?;
        let _written = writing.join();
        read.map_err(|error| format!("its output can't be read: {error}"))?;
        if said.len() as u64 > MOST_BYTES {
            return Err(format!("its output has more than {MOST_BYTES} bytes"));
        }
        match report.ending.exit_code() {
            _ if report.timed_out => Err(format!("it was not done within {}s", limit.as_secs_f64())),
            0 => Ok(said),
            code => Err(format!("it ended with code {code}")),
        }
    }
}
