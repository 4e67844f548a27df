//! A life: a runtime, and a client that plays the story from wherever the lives before have left it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    AgentId, AgentState, ApprovalScope, Block, Channel, Decide, Event, MessageId, Ruling, Subject,
};
use seawall_runtime::{AgentError, CreateAgent, Runtime};
use seawall_store::AgentStore;
use seawall_types::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::doomed::{Doom, Doomed};
use crate::plan::Plan;
use crate::promises::hash;
use crate::rooms;
use crate::stage::{self, Shifted, TEMPLATE};
use crate::story::{STORY, Said, ruling};
use crate::witness::{Line, Witness};

/// How often a client asks again that was refused, or that waits for a file.
const AGAIN: Duration = Duration::from_millis(10);

pub(crate) fn live(plan: &Plan) {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    threads.block_on(async {
        let clock = Shifted::new(plan.offset);
        let store = plan.store.open(Arc::clone(&clock) as Arc<dyn Clock>);
        if plan.is_alone {
            bury(&*store).await;
        }
        let witness = Arc::new(Witness::open(&plan.folder, plan.life));
        let doom = Doom::new(plan.end.clone());
        let doomed = Doomed::new(store, &doom, &witness);
        let (runtime, writer) = stage::runtime(plan, doomed, &clock, &doom, &witness);
        let id = plan.agent.parse().unwrap();
        let client = Client { plan, runtime: runtime.clone(), id, witness };
        if plan.is_room {
            rooms::play(plan, &runtime, &client.witness).await;
        } else {
            client.play().await;
        }
        runtime.stop(Duration::from_secs(20)).await;
        runtime.store().close().await.unwrap();
        client.witness.tell(&Line::End);
        while plan.waits && !fs::exists(plan.folder.join("leave")).unwrap() {
            tokio::time::sleep(AGAIN).await;
        }
        writer.stop();
    });
}

/// All others are dead, and need not be waited for.
async fn bury(store: &dyn AgentStore) {
    for worker in store.workers().await.unwrap() {
        store.retire(&worker.id).await.unwrap();
    }
}

struct Client<'a> {
    plan: &'a Plan,
    runtime: Runtime,
    id: AgentId,
    witness: Arc<Witness>,
}

impl Client<'_> {
    async fn play(&self) {
        let create = || CreateAgent {
            id: Some(self.id.clone()),
            template: TEMPLATE.to_owned(),
            ..CreateAgent::default()
        };
        self.insist(async || self.runtime.create(create()).await).await;
        let (following, told) = self.follow();
        self.read_log().await;
        while self.plan.waits && !fs::exists(self.plan.folder.join("go")).unwrap() {
            tokio::time::sleep(AGAIN).await;
        }
        for said in &STORY {
            self.say(said).await;
            if said.is_awaited {
                self.settle().await;
            }
        }
        self.read_log().await;
        let last = self.insist(async || self.runtime.load(&self.id).await).await.seq();
        let mut told = told;
        told.wait_for(|seq| *seq >= last).await.unwrap();
        following.abort();
    }

    /// Does something until the store does not refuse it.
    async fn insist<T>(&self, mut act: impl AsyncFnMut() -> Result<T, AgentError>) -> T {
        let mut was_refused = false;
        loop {
            match act().await {
                Ok(done) => return done,
                Err(AgentError::Store(error)) => {
                    if !std::mem::replace(&mut was_refused, true) {
                        self.witness.tell(&Line::Refused { why: error.to_string() });
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn say(&self, said: &Said) {
        let text = format!("{}\n{}", said.text, "and so on ".repeat(self.plan.padding));
        let content: Arc<[Block]> = [Block::text(text.trim_end())].into();
        let id = MessageId(said.id.into());
        let sent = self
            .insist(async || self.runtime.send(&self.id, id.clone(), said.kind, Arc::clone(&content)).await);
        let seq = sent.await.first;
        self.witness.tell(&Line::Accepted { message: said.id.to_owned(), seq });
    }

    /// Waits until nothing is left to be done, deciding what people are asked.
    async fn settle(&self) {
        loop {
            let kept = self.insist(async || self.runtime.load(&self.id).await).await;
            let agent = kept.agent();
            let mut has_decided = false;
            for call in agent.calls() {
                let open = call.approval.as_ref().filter(|asked| asked.decided.is_none());
                if open.is_some() && call.state == seawall_engine::CallState::ApprovalRequired {
                    self.decide(call).await;
                    has_decided = true;
                }
            }
            let is_over = matches!(agent.status().state, AgentState::Ready | AgentState::Failed);
            if has_decided {
                continue;
            }
            if is_over && agent.rests() && agent.queued().is_empty() {
                return;
            }
            // Whatever happens next: who waits for the end of a turn would not hear of another one that began.
            let mut feed = self.runtime.follow(&self.id, &Channel::ALL, kept.seq());
            if feed.next().await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    async fn decide(&self, call: &seawall_engine::Call) {
        let ruling = ruling(call.arguments()["n"].as_u64().unwrap());
        let approval = call.approval.as_ref().unwrap().id;
        let decide = || Decide {
            subject: Subject::Approval(approval),
            ruling,
            by: "ann".into(),
            scope: ApprovalScope::Once,
            note: None,
            arguments: None,
        };
        let decided = self.insist(async || match self.runtime.decide(&self.id, decide()).await {
            // The answer to the one before was lost, and the call is over by now.
            Err(AgentError::Refused(
                seawall_engine::Refused::Late { .. } | seawall_engine::Refused::NoSuchApproval(_),
            )) => Ok(false),
            decided => decided.map(|_| true),
        });
        if decided.await {
            self.witness.tell(&Line::Decided { call: call.id.to_string(), allowed: ruling == Ruling::Allow });
        }
    }

    /// Tells the witness what is in the log.
    async fn read_log(&self) {
        let log = self.insist(async || Ok(self.runtime.store().events(&self.id, 0, u32::MAX).await?)).await;
        let seq = log.last().map_or(0, Event::last_seq);
        self.witness.tell(&Line::Log { seq, hash: hash(&log) });
    }

    /// Is told what happens to the agent, from where the life before has left off.
    fn follow(&self) -> (JoinHandle<()>, watch::Receiver<u64>) {
        let seen = self.witness.so_far().into_iter().rev().find_map(|line| match line {
            Line::Told { seq, .. } => Some(seq),
            _ => None,
        });
        let (tell, told) = watch::channel(seen.unwrap_or(0));
        let mut feed = self.runtime.follow(&self.id, &Channel::ALL, seen.unwrap_or(0));
        let witness = Arc::clone(&self.witness);
        let following = tokio::spawn(async move {
            loop {
                match feed.next().await {
                    Ok(next) => {
                        let (seq, kind, said) = (next.seq, next.kind.to_owned(), next.json);
                        witness.tell(&Line::Told { seq, kind, said });
                        tell.send_replace(seq);
                    }
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            }
        });
        (following, told)
    }
}
