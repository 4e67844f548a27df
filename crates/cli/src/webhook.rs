//! Telling a webhook of each question to a person; its answer may be the decision.
//!
//! A thread of its own posts the record of the approval, as `GET /api/approvals/{id}` gives it, and reads
//! `{"decision":"allow"|"deny","note"?,"scope"?}`, or anything without a decision where somebody decides later. No call
//! waits for it, and nothing that goes wrong here allows or denies anything: the question stays open, for people and
//! until its time is up. A question is posted once by each process, so again after a restart; its `id` tells.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use seawall_base::backoff::Backoff;
use seawall_checkpoint::Approvals;
use seawall_llm_client::{FetchLimits, Posted, Poster, client_config};
use seawall_store::{ApprovalDecision, ApprovalRow, ApprovalScope, StoreError};
use seawall_types::ApprovalId;
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// Questions that wait to be posted; further ones are offered again by who tends them.
const WAITING: usize = 1_000;
/// Questions that are posted at the same time: an answer may take as long as a person takes.
const AT_ONCE: usize = 64;
/// How often one is posted before it is left to people.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Far more than a decision takes.
const ANSWER_BYTES: usize = 64 * 1024;

/// Where questions are posted. It may have a token in it, so it has no printable form.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HookUrl(Uri);

impl std::fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookUrl([REDACTED])")
    }
}

impl FromStr for HookUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Uri = text.parse().map_err(|_| "this is no URL".to_owned())?;
        match (url.scheme_str(), url.authority()) {
            (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => Ok(Self(url)),
            _ => Err("this is no URL that begins with https:// or http:// and a host".to_owned()),
        }
    }
}

/// The thread that posts.
#[derive(Debug)]
pub(crate) struct Webhook {
    asked: Sender<ApprovalRow>,
    /// Those that were handed over and still wait for a decision.
    known: HashSet<ApprovalId>,
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

impl Webhook {
    /// Starts the thread. Decisions are given to `approvals`.
    ///
    /// # Errors
    /// When the system's certificates can't be read or the thread can't be started.
    pub(crate) fn start(
        url: &HookUrl,
        timeout: Duration,
        approvals: Arc<Approvals>,
    ) -> Result<Self, Failure> {
        let limits = FetchLimits { time: timeout, bytes: ANSWER_BYTES };
        let desk = Desk { poster: Poster::new(url.0.clone(), &client_config()?, limits), approvals };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (asked, questions) = channel(WAITING);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("approval-hook".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(questions, Arc::new(desk)) => {}
                    () = stopped.cancelled() => {}
                }
            });
        })?;
        Ok(Self { asked, known: HashSet::new(), stop, thread })
    }

    /// Hands over what it has not been told of yet. Never waits: what finds no room is offered again.
    pub(crate) fn offer(&mut self, pending: Vec<ApprovalRow>) {
        let waits: HashSet<ApprovalId> = pending.iter().map(|row| row.id).collect();
        self.known.retain(|id| waits.contains(id));
        for row in pending {
            let id = row.id;
            if !self.known.contains(&id) && self.asked.try_send(row).is_ok() {
                self.known.insert(id);
            }
        }
    }

    /// Ends the thread. Answers that are still out are not waited for.
    pub(crate) fn stop(self) {
        self.stop.cancel();
        if self.thread.join().is_err() {
            tracing::error!("the thread that posts approvals panicked; they wait for people");
        }
    }
}

/// Posts what comes, as many as may be out at the same time.
async fn serve(mut questions: Receiver<ApprovalRow>, desk: Arc<Desk>) {
    let mut out = JoinSet::new();
    loop {
        tokio::select! {
            question = questions.recv(), if out.len() < AT_ONCE => match question {
                Some(row) => _ = out.spawn(Arc::clone(&desk).ask(row)),
                None => return,
            },
            Some(ended) = out.join_next() => {
                if ended.is_err() {
                    tracing::error!("posting an approval panicked; it waits for people");
                }
            }
        }
    }
}

/// What the webhook says, where it decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Decided {
    decision: Word,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    scope: Option<ApprovalScope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Allow,
    Deny,
}

/// What came of posting a question once.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Decided(Decided),
    /// It was taken, and somebody decides later.
    Taken,
    /// It may be posted again.
    Later(String),
    /// It makes no sense to post it again.
    Refused(String),
}

struct Desk {
    poster: Poster,
    approvals: Arc<Approvals>,
}

impl Desk {
    async fn ask(self: Arc<Self>, row: ApprovalRow) {
        let approval = row.id;
        match self.deliver(&row).await {
            Ok(Some(decided)) => self.decide(approval, decided).await,
            Ok(None) => {}
            Err(why) => {
                tracing::warn!(%approval, why, "the webhook does not decide; the approval waits for people")
            }
        }
    }

    async fn deliver(&self, row: &ApprovalRow) -> Result<Option<Decided>, String> {
        let document = Bytes::from(serde_json::to_vec(row).map_err(|error| error.to_string())?);
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, row.asked_at.as_micros());
        loop {
            let why = match self.post(document.clone()).await {
                Heard::Decided(decided) => return Ok(Some(decided)),
                Heard::Taken => return Ok(None),
                Heard::Refused(why) => return Err(why),
                Heard::Later(why) => why,
            };
            let wait = backoff.next_delay();
            if backoff.attempts() >= TRIES {
                return Err(why);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn post(&self, document: Bytes) -> Heard {
        match self.poster.post("application/json", document).await {
            Ok(posted) => hear(&posted),
            Err(error) => Heard::Later(error.to_string()),
        }
    }

    async fn decide(self: Arc<Self>, approval: ApprovalId, decided: Decided) {
        let Decided { decision, note, scope } = decided;
        let decision =
            ApprovalDecision { allow: decision == Word::Allow, scope, by: "webhook".to_owned(), note };
        let work = move || self.approvals.decide(approval, &decision);
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(row)) => tracing::info!(%approval, state = %row.state, "the webhook has decided"),
            Ok(Err(error @ StoreError::Decided { .. })) => {
                tracing::info!(%error, "the webhook decided too late")
            }
            Ok(Err(error)) => tracing::error!(%approval, %error, "what the webhook decided can't be kept"),
            Err(_broken_off) => tracing::error!(%approval, "keeping what the webhook decided broke off"),
        }
    }
}

/// What an answer means. Only a decision that is read whole is one.
fn hear(posted: &Posted) -> Heard {
    let status = posted.status;
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Heard::Later(format!("it answered {status}"));
    }
    if !status.is_success() {
        return Heard::Refused(format!("it answered {status}"));
    }
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(&posted.body) else { return Heard::Taken };
    if answer.get("decision").is_none_or(serde_json::Value::is_null) {
        return Heard::Taken;
    }
    match serde_json::from_value(answer) {
        Ok(decided) => Heard::Decided(decided),
        Err(error) => Heard::Refused(format!("its decision can't be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(status: u16, body: &'static str) -> Heard {
        let status = StatusCode::from_u16(status).unwrap();
        hear(&Posted { status, retry_after: None, body: Bytes::from_static(body.as_bytes()) })
    }

    #[test]
    fn only_a_whole_decision_is_one() {
        let allow = Decided { decision: Word::Allow, note: None, scope: None };
        let deny =
            Decided { decision: Word::Deny, note: Some("no".to_owned()), scope: Some(ApprovalScope::Run) };
        assert_eq!(heard(200, r#"{"decision":"allow"}"#), Heard::Decided(allow));
        assert_eq!(heard(201, r#"{"decision":"deny","note":"no","scope":"run"}"#), Heard::Decided(deny));
        for body in ["", "ok", "{}", "[]", "null", "true", r#"{"decision":null}"#, r#"{"ok":true}"#] {
            assert_eq!(heard(200, body), Heard::Taken, "{body}");
        }
        for body in [
            r#"{"decision":"allowed"}"#,
            r#"{"decision":true}"#,
            r#"{"decision":"allow","scope":"forever"}"#,
            r#"{"decision":"allow","note":1}"#,
        ] {
            assert!(matches!(heard(200, body), Heard::Refused(_)), "{body}");
        }
    }

    #[test]
    fn an_answer_that_is_no_success_decides_nothing() {
        let allow = r#"{"decision":"allow"}"#;
        for status in [302, 400, 401, 404] {
            assert!(matches!(heard(status, allow), Heard::Refused(_)), "{status}");
        }
        for status in [429, 500, 503] {
            assert!(matches!(heard(status, allow), Heard::Later(_)), "{status}");
        }
    }

    #[test]
    fn a_hook_is_a_url_and_is_not_printed() {
        let url: HookUrl = "https://hooks.example.com/T0/secret?x=1".parse().unwrap();
        assert!(!format!("{url:?}").contains("secret"));
        for text in ["", "hooks.example.com", "ftp://x/", "https://user:pass@x/", "/path"] {
            assert!(text.parse::<HookUrl>().is_err(), "{text}");
        }
    }
}
