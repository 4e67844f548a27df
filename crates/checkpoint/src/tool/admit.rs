//! Admitting a call of a tool.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seawall_base::id;
use seawall_budget::Reservation;
use seawall_policy::{Asked, Decision};
use seawall_trace::OnUnavailable;
use seawall_types::{
    ActionId, ActionKind, Amount, Code, Event, EventKind, Finding, HoldId, Timestamp, Usd, Verdict,
};
use serde_json::Value;

use super::drift;
use super::run_state::Happened;
use super::targets::{self, Resolved};
use super::{LONGEST_HOLD, ToolCall, ToolPermit};
use crate::permit::Admission;
use crate::places::Place;
use crate::{Answer, ApprovalRequest, Checkpoint, Denial, Permit, record};

/// How long a hold outlives the time that its tool may take.
const HOLD_GRACE: Duration = Duration::from_secs(30);

/// A call that the policy has nothing against, or nothing that refuses.
struct Judged {
    decision: Decision,
    addresses: Vec<Resolved>,
}

/// What the policy says of a call before it is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// What is to happen.
    pub verdict: Verdict,
    /// Why.
    pub findings: Vec<Finding>,
    /// Whether names are looked up when it is admitted, which blocks.
    pub looks_up: bool,
}

impl Checkpoint {
    /// Decides on a call of a tool: the policy judges it, its hosts are looked up and checked, the budgets must pay for it,
    /// and a person is asked where the policy says so.
    ///
    /// It blocks as long as the resolver and the approver do.
    ///
    /// # Errors
    /// When the call must not happen. That is written down as `action.denied`, by the given action.
    pub fn admit_tool(self: &Arc<Self>, action: ActionId, call: &ToolCall<'_>) -> Result<ToolPermit, Denial> {
        self.decide_tool_in_time(action, call).inspect_err(|denial| {
            self.record_denial(
                (ActionKind::ToolCall, action),
                call.run,
                call.actor,
                (call.name, denial),
                self.kept("arguments", call.arguments).into_iter().collect(),
            );
        })
    }

    /// Waits for the person where that is wanted, and then decides anew: names may lead elsewhere by now, the budget may
    /// be used up, and other calls may have come first.
    fn decide_tool_in_time(
        self: &Arc<Self>,
        action: ActionId,
        call: &ToolCall<'_>,
    ) -> Result<ToolPermit, Denial> {
        let begun = self.clock().now();
        let until = begun.saturating_add(call.wait_for_approval);
        // Once, however often the call is decided on.
        let calls = drift::count(call, begun);
        loop {
            let decided = self.decide_tool(action, call, calls, self.clock().now());
            let pending = decided.as_ref().err().and_then(|denial| denial.approval.as_deref());
            let (Some(pending), Some(approver)) = (pending, call.approver) else { return decided };
            if self.clock().now() >= until {
                return decided;
            }
            if let Answer::Pending { .. } | Answer::Unavailable { .. } = approver.wait(pending.id, until) {
                return decided;
            }
        }
    }

    fn decide_tool(
        self: &Arc<Self>,
        action: ActionId,
        call: &ToolCall<'_>,
        calls: Option<u64>,
        now: Timestamp,
    ) -> Result<ToolPermit, Denial> {
        if call.on_unavailable == OnUnavailable::Refuse {
            self.trace().check().map_err(|error| Denial::trace_unavailable(&error))?;
        }
        let decision = judge_in_order(call, calls);
        self.note_drift(action, call, &decision, now);
        let judged = judge(call, decision)?;
        let policy = call.policy;
        let take = |most| self.places().take(&policy.source, most).ok_or_else(|| Denial::too_many(most));
        let place = policy.limits.concurrent.map(take).transpose()?;
        let hold = self.hold_for_tool(action, call, now)?;
        // The person comes last: what is allowed once must not be used up by a call that can't be paid for.
        if judged.decision.verdict == Verdict::Ask
            && let Err(denial) = ask_in_order(action, call, calls, &judged.decision)
        {
            hold.into_iter().for_each(|hold| _ = self.ledger().release(hold, now));
            return Err(denial);
        }
        Ok(self.tool_permit(action, call, judged, (place, hold), now))
    }

    /// Holds what the call costs. One that costs nothing is refused all the same once a budget has nothing left: the
    /// model calls around it are what spends it.
    fn hold_for_tool(
        &self,
        action: ActionId,
        call: &ToolCall<'_>,
        now: Timestamp,
    ) -> Result<Option<HoldId>, Denial> {
        if call.scopes.is_empty() {
            return Ok(None);
        }
        let is_free = call.cost == Usd::ZERO;
        let left = if is_free { self.ledger().headroom(call.scopes, now) } else { Amount::ZERO };
        if is_free && left.usd > Usd::ZERO && left.tokens > 0 {
            return Ok(None);
        }
        // The least that there is of both: a budget with nothing left names itself in its refusal.
        let least = Amount { usd: Usd::from_picos(1), tokens: 1 };
        let hold = id::new_hold_at(now);
        let time = call.policy.limits.tool_time.map_or(LONGEST_HOLD, |time| time.saturating_add(HOLD_GRACE));
        let reservation = Reservation {
            hold,
            run: call.run,
            action,
            scopes: call.scopes,
            amount: if is_free { least } else { Amount { usd: call.cost, tokens: 0 } },
            deadline: now.saturating_add(time),
        };
        self.ledger()
            .reserve(&reservation, now)
            .map_err(|refusal| Denial::by_ledger(refusal, now).of_tool(is_free))?;
        if is_free {
            self.ledger().release(hold, now);
            return Ok(None);
        }
        Ok(Some(hold))
    }

    fn tool_permit(
        self: &Arc<Self>,
        action: ActionId,
        call: &ToolCall<'_>,
        judged: Judged,
        (place, hold): (Option<Place>, Option<HoldId>),
        now: Timestamp,
    ) -> ToolPermit {
        let Judged { decision, addresses } = judged;
        let data = record::ToolAdmitted {
            kind: ActionKind::ToolCall,
            name: call.name,
            verdict: decision.verdict,
            would: (decision.would != decision.verdict).then_some(decision.would),
            hold,
            reserved_usd: call.cost,
            findings: &decision.findings,
        };
        let event = Event::new(now, call.run, EventKind::ActionAdmitted, &data);
        let arguments = self.kept("arguments", call.arguments).into_iter().collect();
        let ticket = self.trace().record_with(event.about(action, Arc::clone(call.actor)), arguments);
        self.counts().admitted.fetch_add(1, Ordering::Relaxed);
        self.counts().open.fetch_add(1, Ordering::Relaxed);
        let admission = Admission {
            action,
            run: call.run,
            actor: Arc::clone(call.actor),
            kind: ActionKind::ToolCall,
            name: call.name.into(),
            hold,
            estimate: Amount { usd: call.cost, tokens: 0 },
            verdict: decision.verdict,
            _place: place,
            ticket,
            since: self.clock().monotonic(),
        };
        let permit = Permit::new(Arc::clone(self), admission);
        ToolPermit::new(permit, action, decision, addresses, call)
    }
}

/// The policy's judgement, with what only the run and the network know.
fn judge(call: &ToolCall<'_>, mut decision: Decision) -> Result<Judged, Denial> {
    if decision.sink
        && let Some(leak) = call.state.leak_in(call.arguments)
    {
        tell(&mut decision, targets::finding(leak.found()));
    }
    let mut addresses = Vec::new();
    // What is refused anyway is not looked up: the look-up itself tells the name to others.
    if call.policy.in_mode(decision.would) != Verdict::Deny
        && let Some(rules) = call.policy.network()
    {
        let (resolved, findings) = targets::resolve(rules, &decision.targets, call.resolver);
        addresses = resolved;
        findings.into_iter().for_each(|finding| tell(&mut decision, finding));
    }
    decision.verdict = call.policy.in_mode(decision.would);
    if decision.verdict == Verdict::Deny {
        return Err(Denial::by_policy(decision.findings));
    }
    Ok(Judged { decision, addresses })
}

/// Where rules are about the order of actions, judging a call and taking note of it is one step, so that of two calls on
/// two threads one comes second. What was admitted counts as done, whether or not it succeeds; what a person has yet to
/// allow does not.
fn judge_in_order(call: &ToolCall<'_>, calls: Option<u64>) -> Decision {
    if !call.policy.follows_order() {
        return judge_after(None, call, calls);
    }
    let mut happened = call.state.lock();
    let decision = judge_after(Some(&happened), call, calls);
    if decision.verdict < Verdict::Ask {
        happened.flow.advance(&decision.steps);
    }
    decision
}

/// What the policy says of the call after what has happened in the run, its tool being called so often.
fn judge_after(happened: Option<&Happened>, call: &ToolCall<'_>, calls: Option<u64>) -> Decision {
    let mut run = [0; 36];
    let mut decision = call.policy.judge(&Asked {
        tool: call.name,
        args: call.arguments,
        effects: call.effects,
        actor: call.actor,
        run: call.run.encode(&mut run),
        flow: happened.map(|happened| &happened.flow),
        performer: call.performer,
    });
    if let Some(calls) = calls {
        call.policy.judge_pace(call.name, calls, &mut decision);
    }
    decision
}

impl ToolCall<'_> {
    /// Whether the policy wants a person to be asked about it, as things stand. Nobody is, and it takes note of nothing.
    #[must_use]
    pub fn asks(&self, now: Timestamp) -> bool {
        self.foreseen(now).verdict == Verdict::Ask
    }

    /// What the policy says of it, as things stand, and why. Names are not looked up and nothing is held: what is allowed here
    /// may still be refused when it is admitted.
    #[must_use]
    pub fn foreseen(&self, now: Timestamp) -> Foreseen {
        let happened = self.policy.follows_order().then(|| self.state.lock());
        let calls = drift::count_without_noting(self, happened.as_deref(), now);
        let decision = judge_after(happened.as_deref(), self, calls);
        let looks_up = decision.targets.iter().any(|target| target.literal.is_none());
        Foreseen { verdict: decision.verdict, findings: decision.findings, looks_up }
    }
}

/// Asks the person, and takes note of the call if it may happen. Where rules are about the order of actions no other call
/// comes in between: what was allowed once must not be used up by a call that the order is against.
fn ask_in_order(
    action: ActionId,
    call: &ToolCall<'_>,
    calls: Option<u64>,
    decision: &Decision,
) -> Result<(), Denial> {
    if !call.policy.follows_order() {
        return ask(action, call, decision);
    }
    let mut happened = call.state.lock();
    let in_order = judge_after(Some(&happened), call, calls);
    if in_order.verdict == Verdict::Deny {
        return Err(Denial::by_policy(in_order.findings));
    }
    ask(action, call, decision)?;
    happened.flow.advance(&in_order.steps);
    Ok(())
}

fn tell(decision: &mut Decision, finding: Finding) {
    decision.would = decision.would.max(Verdict::Deny);
    decision.findings.push(finding);
}

fn ask(action: ActionId, call: &ToolCall<'_>, decision: &Decision) -> Result<(), Denial> {
    let findings = || decision.findings.clone();
    let Some(approver) = call.approver else { return Err(nobody_to_ask(call.name, findings())) };
    let mut arguments: Value = call.arguments.clone();
    decision.apply(&mut arguments);
    let request = ApprovalRequest {
        run: call.run,
        action: Some(action),
        actor: call.actor,
        tool: call.name,
        call_id: None,
        arguments: &arguments,
        binding: call.binding,
        findings: &decision.findings,
        known: call.approvals,
    };
    approver.ask(&request).into_denial(call.name, findings()).map_or(Ok(()), Err)
}

/// The refusal where there is nobody to ask.
fn nobody_to_ask(tool: &str, findings: Vec<Finding>) -> Denial {
    let message =
        format!("the policy wants a person to approve this call of {tool}, and nobody can be asked here");
    let remedy = "run it where approvals are answered, or change the rule's verdict";
    Denial { findings: findings.into(), ..Denial::new(Code::ApprovalDenied, message, remedy) }
}

impl Denial {
    /// The same refusal by a budget, said of a call of a tool: what helps a model call does not help it.
    fn of_tool(mut self, is_free: bool) -> Self {
        if let Some(budget) = &mut self.budget {
            self.remedy = String::from("let calls under way end, or raise the budget");
            if is_free {
                budget.wanted = Amount::ZERO;
                let (scope, window, spent, held) = (&budget.scope, budget.window, budget.spent, budget.held);
                self.message = format!(
                    "the budget of {scope} ({window}) has nothing left: ${} and {} tokens spent, ${} and {} tokens held",
                    spent.usd, spent.tokens, held.usd, held.tokens
                );
            }
        }
        self
    }
}
