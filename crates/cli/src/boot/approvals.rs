//! What is done for approvals from time to time, and what they are told to.

use std::sync::Arc;

use seawall_checkpoint::Approvals;
use seawall_store::StoreError;

use crate::exit::Failure;
use crate::settings::ApprovalSettings;
use crate::webhook::Webhook;

/// Approvals with the webhook that hears of them, if there is one.
#[derive(Debug)]
pub(crate) struct ApprovalDesk {
    approvals: Arc<Approvals>,
    webhook: Option<Webhook>,
}

impl ApprovalDesk {
    /// Starts the webhook's thread where one is configured.
    pub(crate) fn open(settings: &ApprovalSettings, approvals: Arc<Approvals>) -> Result<Self, Failure> {
        let start = |url| Webhook::start(url, settings.timeout, Arc::clone(&approvals));
        let webhook = settings.webhook.as_ref().map(start).transpose()?;
        Ok(Self { approvals, webhook })
    }

    /// What is due: time that is up, decisions of other processes, and questions of whatever process that the webhook has
    /// not heard of.
    pub(crate) fn tend(&mut self) -> Result<(), StoreError> {
        let pending = self.approvals.tend()?;
        if let Some(webhook) = &mut self.webhook {
            webhook.offer(pending);
        }
        Ok(())
    }

    /// Ends the webhook's thread.
    pub(crate) fn close(self) {
        if let Some(webhook) = self.webhook {
            webhook.stop();
        }
    }
}
