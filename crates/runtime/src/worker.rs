//! What a worker does beside holding agents: stay alive, and look for agents that are due.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::AgentId;
use seawall_store::agents::{Claimed, Hint};
use tokio::sync::mpsc;

use crate::doubt;
use crate::holder::{Job, hold};
use crate::live::Place;
use crate::member::Member;
use crate::shared::Shared;

/// How long to wait before looking for agents that are due, hint or not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Agents that are claimed at once, at the most: another worker may have more time for the rest.
const AT_ONCE: usize = 64;

/// Renews the lease until the runtime stops. A worker whose lease has lapsed drops what it held and begins anew.
pub(crate) async fn stay_alive(shared: Arc<Shared>) {
    let mut member = shared.member();
    loop {
        let asked_at = member.now();
        match shared.store.renew(member.worker()).await {
            Ok(true) => member.renewed(asked_at),
            Ok(false) => {
                tracing::warn!(worker = %member.id(), "the lease has lapsed; agents that were held are dropped");
                member.lapse();
                member = shared.begin_anew();
                continue;
            }
            Err(error) if member.is_over() => {
                tracing::warn!(worker = %member.id(), %error, "the lease could not be renewed in time; agents are dropped");
                member.lapse();
                member = shared.begin_anew();
            }
            Err(error) => {
                tracing::warn!(worker = %member.id(), %error, "the lease can't be renewed; trying again")
            }
        }
        let pause = shared.settings.lease / 3;
        let pause = if member.age() > pause { pause / 4 } else { pause };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.stopping.cancelled() => return,
        }
    }
}

/// Takes up agents that are due, until the runtime stops.
pub(crate) async fn take_up(shared: Arc<Shared>) {
    // What is let go of is due at once, and must not be taken up again by who lets go.
    while !shared.stopping.is_cancelled() {
        let pause = match claim(&shared).await {
            Ok(claimed) if claimed > 0 => continue,
            Ok(_) => next_due(&shared).await,
            Err(error) => {
                tracing::warn!(%error, "agents that are due can't be looked for; trying again");
                shared.doubt.raise(shared.settings.lease);
                LOOK_EVERY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.due.notified() => {}
            () = shared.stopping.cancelled() => return,
        }
    }
}

async fn next_due(shared: &Shared) -> Duration {
    let next = shared.store.next_due().await.ok().flatten();
    next.map_or(LOOK_EVERY, |next| next.clamp(Duration::from_millis(1), LOOK_EVERY))
}

/// Claims what there is room for. How many that were.
async fn claim(shared: &Arc<Shared>) -> Result<usize, seawall_store::StoreError> {
    let member = shared.member();
    doubt::settle(shared, &member).await;
    let room = shared.live.room().min(AT_ONCE);
    if room == 0 {
        // The one that was used least lately makes room for the next time.
        if let Some(resting) = shared.live.least_used() {
            let _full = resting.try_send(Job::Hibernate);
        }
        return Ok(0);
    }
    let most = u32::try_from(room).unwrap_or(u32::MAX);
    let claimed = shared.store.claim_due(member.id(), most).await?;
    let count = claimed.len();
    for claimed in claimed {
        begin(shared, &member, claimed).await;
    }
    Ok(count)
}

async fn begin(shared: &Arc<Shared>, member: &Arc<Member>, claimed: Claimed) {
    let Claimed { agent, epoch, taken_over } = claimed;
    shared.counters.claimed(taken_over);
    match shared.live.enter(&agent) {
        Place::ToHold(me, jobs) => start(shared, Arc::clone(member), agent, Some(epoch), me, jobs),
        // It is about to be held, and then by the same claim; or was until just now, and then it is given up.
        Place::Held(inbox) => {
            if inbox.send(Job::Claimed(epoch)).await.is_err() {
                release(shared, &agent, epoch).await;
            }
        }
        Place::Full(_) => release(shared, &agent, epoch).await,
    }
}

async fn release(shared: &Shared, agent: &AgentId, epoch: u64) {
    if let Err(error) = shared.store.release(agent, epoch).await {
        tracing::warn!(%agent, %error, "the agent could not be given up; trying again");
        shared.doubt.raise(shared.settings.lease);
    }
}

/// Begins to hold an agent.
pub(crate) fn start(
    shared: &Arc<Shared>,
    member: Arc<Member>,
    agent: AgentId,
    claimed: Option<u64>,
    me: mpsc::Sender<Job>,
    jobs: mpsc::Receiver<Job>,
) {
    let holding = hold(Arc::clone(shared), member, agent, claimed, jobs, me);
    // Who asks may be on another runtime, which would take the agent down with it.
    let _home = shared.home.enter();
    drop(shared.tasks.spawn("agent", holding));
}

/// Passes on what other processes have written.
pub(crate) async fn listen(shared: Arc<Shared>) {
    let Some(mut hints) = shared.store.listen() else { return };
    loop {
        let hint = tokio::select! {
            hint = hints.next() => hint,
            () = shared.stopping.cancelled() => return,
        };
        match hint {
            Hint::Agent(agent) => {
                shared.hub.nudge(&agent);
                if let Some(inbox) = shared.live.find(&agent) {
                    let _full = inbox.try_send(Job::Look);
                }
            }
            Hint::All => {
                shared.hub.nudge_all();
                shared.live.each(|inbox| _ = inbox.try_send(Job::Look));
            }
        }
        shared.due.notify_one();
    }
}
