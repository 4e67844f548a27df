//! What the ledger says of itself: through the API of a running server, or through the command line.

use seawall_types::{Scope, Usd, Window};
use serde::Deserialize;
use serde_json::Value;

use super::client::{self, Call};
use super::program::{Program, Setup};

/// One account, as `/api/budgets` and `budget show --json` tell of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Account {
    pub(crate) scope: Scope,
    pub(crate) window: Window,
    pub(crate) limit_usd: Option<Usd>,
    pub(crate) limit_tokens: Option<u64>,
    pub(crate) spent_usd: Usd,
    pub(crate) spent_tokens: u64,
    pub(crate) held_usd: Usd,
    pub(crate) holds: u64,
    pub(crate) refusals: Vec<Value>,
}

impl Account {
    /// Spent and held.
    pub(crate) fn committed(&self) -> Usd {
        self.spent_usd.saturating_add(self.held_usd)
    }
}

/// The accounts in an answer of `budget show` or `/api/budgets`.
fn accounts(answer: &Value) -> Vec<Account> {
    serde_json::from_value(answer["budgets"].clone()).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn find(accounts: &[Account], scope: &str, window: Window) -> Account {
    let wanted: Scope = scope.parse().unwrap();
    let found = accounts.iter().find(|account| account.scope == wanted && account.window == window);
    found.unwrap_or_else(|| panic!("no account of {scope} ({window}) in {accounts:?}")).clone()
}

impl Setup {
    /// An account, as the command line tells of it; with a server or without.
    pub(crate) fn budget(&self, scope: &str, window: Window) -> Account {
        find(&accounts(&self.cli_json(&["budget", "show"])), scope, window)
    }

    /// A command that must succeed; what it prints.
    pub(crate) fn cli_well(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Program {
    /// The run that the ready line names.
    pub(crate) fn run(&self) -> String {
        let line = self.stdout.wait_for("seawall ready ").unwrap();
        line.split_once("run=").unwrap().1.to_owned()
    }

    /// What a page of the server's own API says, asked with the token of the state folder as the command line does.
    pub(crate) async fn page(&self, path: &str) -> Value {
        let state = std::fs::read(self.setup.data_dir().join("server.json")).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        let call = Call::get(path).with_key(state["token"].as_str().unwrap());
        let reply = client::send(self.address, call).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    /// An account of the ledger.
    pub(crate) async fn budget(&self, scope: &str, window: Window) -> Account {
        find(&accounts(&self.page("/api/budgets").await), scope, window)
    }

    /// The global account of all time.
    pub(crate) async fn total(&self) -> Account {
        self.budget("global", Window::Total).await
    }

    /// An account, once nothing is held in it any more.
    pub(crate) async fn settled(&self, scope: &str, window: Window) -> Account {
        super::eventually("nothing is held in the end", async || {
            let account = self.budget(scope, window).await;
            if account.holds == 0 { Ok(account) } else { Err(account) }
        })
        .await
    }
}
