//! The ledger beside a model that is too simple to be wrong: it keeps every payment and adds them up.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use seawall_budget::{Ledger, Limit, Reservation, Settled};
use seawall_types::{ActionId, Amount, HoldId, Scope, Timestamp, Usd, Window};

use crate::disk::Disk;
use crate::given::*;

type Account = (Scope, Window);

#[derive(Debug, Clone)]
struct Held {
    scopes: Vec<Scope>,
    amount: Amount,
    at: Timestamp,
    deadline: Timestamp,
}

/// What one account paid for one hold.
#[derive(Debug, Clone)]
struct Payment {
    hold: HoldId,
    amount: Amount,
    /// When the hold was made.
    at: Timestamp,
    /// When it was paid.
    paid_at: Timestamp,
}

#[derive(Debug, Default)]
struct Model {
    limits: BTreeMap<Account, Limit>,
    holds: BTreeMap<HoldId, Held>,
    swept: BTreeMap<HoldId, Held>,
    payments: BTreeMap<Account, Vec<Payment>>,
}

fn day(at: Timestamp) -> u64 {
    at.as_secs() / 86_400
}

/// Whether what was made and paid then counts in the window now.
fn counts(window: Window, at: Timestamp, paid_at: Timestamp, now: Timestamp) -> bool {
    match window {
        Window::Total => true,
        Window::Minute => now.as_secs() - paid_at.as_secs() <= 60,
        Window::Day => day(at) == day(now),
        Window::Month => (at.date().0, at.date().1) == (now.date().0, now.date().1),
    }
}

fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::ZERO, Amount::saturating_add)
}

impl Model {
    fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.payments.keys()
    }

    fn open(&mut self, scope: &Scope, window: Window) {
        self.payments.entry((scope.clone(), window)).or_default();
    }

    fn spent(&self, account: &Account, now: Timestamp) -> Amount {
        let payments = self.payments[account].iter();
        sum(payments.filter(|paid| counts(account.1, paid.at, paid.paid_at, now)).map(|paid| paid.amount))
    }

    fn held(&self, (scope, window): &Account, now: Timestamp) -> Amount {
        let holds = self.holds.values().filter(|hold| hold.scopes.contains(scope));
        sum(holds.filter(|hold| counts(*window, hold.at, now, now)).map(|hold| hold.amount))
    }

    fn admits(&self, scopes: &[Scope], wanted: Amount, now: Timestamp) -> bool {
        let limits = self.limits.iter().filter(|((scope, _), _)| scopes.contains(scope));
        limits.into_iter().all(|(account, limit)| {
            let taken =
                self.spent(account, now).saturating_add(self.held(account, now)).saturating_add(wanted);
            limit.usd.is_none_or(|most| taken.usd <= most)
                && limit.tokens.is_none_or(|most| taken.tokens <= most)
        })
    }

    fn settle(&mut self, hold: HoldId, actual: Amount, now: Timestamp) -> bool {
        if let Some(held) = self.holds.remove(&hold) {
            self.pay(hold, &held, actual, now);
            return true;
        }
        let Some(swept) = self.swept.remove(&hold) else { return false };
        for ((_, window), payments) in &mut self.payments {
            let Some(index) = payments.iter().position(|paid| paid.hold == hold) else { continue };
            let paid = payments[index].clone();
            if counts(Window::Minute, paid.at, paid.paid_at, now) || *window != Window::Minute {
                payments[index].amount = actual;
            } else {
                let excess = actual.saturating_sub(swept.amount);
                payments.push(Payment { amount: excess, paid_at: now, ..paid });
            }
        }
        true
    }

    fn pay(&mut self, hold: HoldId, held: &Held, amount: Amount, now: Timestamp) {
        let of_scopes = self.payments.iter_mut().filter(|((scope, _), _)| held.scopes.contains(scope));
        of_scopes
            .for_each(|(_, payments)| payments.push(Payment { hold, amount, at: held.at, paid_at: now }));
    }

    fn sweep(&mut self, now: Timestamp) -> Vec<HoldId> {
        let overdue = self.holds.extract_if(.., |_, hold| hold.deadline <= now).collect::<Vec<_>>();
        for (hold, held) in &overdue {
            self.pay(*hold, held, held.amount, now);
            self.swept.insert(*hold, held.clone());
        }
        overdue.into_iter().map(|(hold, _)| hold).collect()
    }
}

#[derive(Debug, Clone)]
enum Op {
    Reserve { scopes: Vec<usize>, amount: Amount, seconds: u64 },
    Settle { hold: prop::sample::Index, amount: Amount },
    Release { hold: prop::sample::Index },
    Abandon { hold: prop::sample::Index },
    Wait { millis: u64 },
    Sweep,
    SetLimit { account: prop::sample::Index, picos: u128 },
    Reset { account: prop::sample::Index },
    Checkpoint,
    Crash,
}

fn some_amount() -> impl Strategy<Value = Amount> {
    (0_u128..30, 0_u64..30).prop_map(|(picos, tokens)| amount(picos, tokens))
}

fn op() -> impl Strategy<Value = Op> {
    let hold = any::<prop::sample::Index>;
    prop_oneof![
        8 => (prop::collection::vec(0_usize..4, 1..5), some_amount(), 0_u64..200)
            .prop_map(|(scopes, amount, seconds)| Op::Reserve { scopes, amount, seconds }),
        5 => (hold(), some_amount()).prop_map(|(hold, amount)| Op::Settle { hold, amount }),
        1 => hold().prop_map(|hold| Op::Release { hold }),
        1 => hold().prop_map(|hold| Op::Abandon { hold }),
        5 => prop_oneof![3 => 0_u64..20_000, 1 => 0_u64..40_000_000].prop_map(|millis| Op::Wait { millis }),
        2 => Just(Op::Sweep),
        1 => (hold(), 0_u128..200).prop_map(|(account, picos)| Op::SetLimit { account, picos }),
        1 => hold().prop_map(|account| Op::Reset { account }),
        1 => Just(Op::Checkpoint),
        1 => Just(Op::Crash),
    ]
}

/// A ledger and a model that live through the same.
struct Pair {
    disk: Disk,
    ledger: Ledger,
    model: Model,
    now: Timestamp,
    made: u64,
}

fn scopes() -> [Scope; 4] {
    [Scope::Run(run()), key("a"), Scope::Tenant("t".into()), Scope::Global]
}

impl Pair {
    fn new() -> Self {
        let tokens = |limit: Limit, most| Limit { tokens: Some(most), ..limit };
        let limits = [
            tokens(limit(Scope::Global, Window::Total, 400), 400),
            limit(Scope::Global, Window::Day, 150),
            limit(key("a"), Window::Minute, 60),
            tokens(limit(key("a"), Window::Month, 200), 150),
            limit(Scope::Run(run()), Window::Total, 250),
        ];
        let disk = Disk::default();
        let (ledger, _) = disk.open(limits.to_vec(), NOW);
        let mut model = Model::default();
        model.open(&Scope::Global, Window::Total);
        for limit in limits {
            model.open(&limit.scope, Window::Total);
            model.open(&limit.scope, limit.window);
            model.limits.insert((limit.scope.clone(), limit.window), limit);
        }
        Self { disk, ledger, model, now: NOW, made: 0 }
    }

    fn hold(&self, index: &prop::sample::Index) -> HoldId {
        hold_id(index.index(self.made.max(1) as usize) as u64)
    }

    fn account(&self, index: &prop::sample::Index) -> Account {
        let accounts: Vec<_> = self.model.accounts().cloned().collect();
        accounts[index.index(accounts.len())].clone()
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Reserve { scopes, amount, seconds } => self.reserve(scopes, *amount, *seconds),
            Op::Settle { hold, amount } => self.settle(self.hold(hold), *amount),
            Op::Release { hold } => {
                let hold = self.hold(hold);
                let settled = self.ledger.release(hold, self.now) != Settled::Unknown;
                assert_eq!(settled, self.model.settle(hold, Amount::ZERO, self.now));
            }
            Op::Abandon { hold } => {
                let hold = self.hold(hold);
                let settled = self.ledger.abandon(hold, self.now) != Settled::Unknown;
                let estimate = self.model.holds.get(&hold).map(|held| held.amount);
                assert_eq!(
                    settled,
                    estimate.is_some_and(|estimate| self.model.settle(hold, estimate, self.now))
                );
            }
            Op::Wait { millis } => self.now = self.now.saturating_add(Duration::from_millis(*millis)),
            Op::Sweep => {
                let mut swept: Vec<_> = self.ledger.sweep(self.now).iter().map(|swept| swept.hold).collect();
                swept.sort();
                assert_eq!(swept, self.model.sweep(self.now));
            }
            Op::SetLimit { account, picos } => self.set_limit(self.account(account), *picos),
            Op::Reset { account } => {
                let account = self.account(account);
                self.ledger.reset(&account.0, Some(account.1), self.now).unwrap();
                self.model.payments.insert(account, Vec::new());
            }
            Op::Checkpoint => self.ledger.checkpoint().unwrap(),
            Op::Crash => {
                self.disk = self.disk.after_restart();
                let limits = self.model.limits.values().cloned().collect();
                let (ledger, recovery) = self.disk.open(limits, self.now);
                assert!(!recovery.torn);
                assert_eq!(recovery.holds.len(), self.model.holds.len());
                self.ledger = ledger;
            }
        }
    }

    fn reserve(&mut self, chosen: &[usize], amount: Amount, seconds: u64) {
        let all = scopes();
        let scopes: Vec<_> = chosen.iter().map(|index| all[*index].clone()).collect();
        let (hold, deadline) = (hold_id(self.made), self.now.saturating_add(Duration::from_secs(seconds)));
        self.made += 1;
        let action = ActionId::from_bytes([2; 16]);
        let reservation = Reservation { hold, run: run(), action, scopes: &scopes, amount, deadline };
        let expected = self.model.admits(&scopes, amount, self.now);
        assert_eq!(self.ledger.reserve(&reservation, self.now).is_ok(), expected);
        if expected {
            scopes.iter().for_each(|scope| self.model.open(scope, Window::Total));
            self.model.holds.insert(hold, Held { scopes, amount, at: self.now, deadline });
        }
    }

    fn settle(&mut self, hold: HoldId, amount: Amount) {
        let settled = self.ledger.settle(hold, amount, self.now) != Settled::Unknown;
        assert_eq!(settled, self.model.settle(hold, amount, self.now));
        assert_eq!(
            self.ledger.settle(hold, amount, self.now),
            Settled::Unknown,
            "settling twice charges once"
        );
    }

    fn set_limit(&mut self, account: Account, picos: u128) {
        let limit = limit(account.0.clone(), account.1, picos);
        self.ledger.set_limit(limit.clone(), self.now).unwrap();
        self.model.limits.insert(account, limit);
    }

    fn assert_same(&self) {
        let shown = self.ledger.show(self.now);
        assert!(
            shown.iter().map(|view| (view.scope.clone(), view.window)).eq(self.model.accounts().cloned())
        );
        for view in shown {
            let account = (view.scope.clone(), view.window);
            let spent = Amount { usd: view.spent_usd, tokens: view.spent_tokens };
            let held = Amount { usd: view.held_usd, tokens: view.held_tokens };
            assert_eq!(spent, self.model.spent(&account, self.now), "spent of {account:?}");
            assert_eq!(held, self.model.held(&account, self.now), "held of {account:?}");
        }
    }

    /// Settles everything that is left.
    fn finish(&mut self) {
        for number in 0..self.made {
            self.settle(hold_id(number), amount(1, 1));
        }
        let is_nothing = |amount: Usd, tokens| amount == Usd::ZERO && tokens == 0;
        assert!(self.ledger.show(self.now).iter().all(|view| is_nothing(view.held_usd, view.held_tokens)));
        assert_eq!((self.ledger.stats().holds, self.ledger.next_deadline()), (0, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_ledger_agrees_with_the_model_after_every_step(ops in prop::collection::vec(op(), 1..80)) {
        let mut pair = Pair::new();
        for op in &ops {
            pair.apply(op);
            pair.assert_same();
        }
        pair.finish();
        pair.assert_same();
    }
}
