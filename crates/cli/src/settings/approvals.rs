//! `approvals`: how people are asked, and how long they have.

use std::time::Duration;

use seawall_config::Reader;

use crate::webhook::HookUrl;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// `approvals`.
#[derive(Debug, Clone)]
pub(crate) struct ApprovalSettings {
    /// What is told of each question and may answer it.
    pub(crate) webhook: Option<HookUrl>,
    /// How long its answer may take.
    pub(crate) timeout: Duration,
    /// How long a question stands.
    pub(crate) expires_after: Duration,
    /// How long a call in an answer waits for the person.
    pub(crate) wait: Duration,
}

pub(super) fn declare(reader: &mut Reader<'_>) -> ApprovalSettings {
    reader.section("approvals", "Calls of tools that a person decides on.", |approvals| {
        let doc = "A URL to which each question is posted, by reference where it has a token in it; its answer may be the decision.";
        let url = approvals.secret("webhook", doc);
        let webhook = url.and_then(|url| {
            let parsed = url.expose().parse();
            parsed.map_err(|error: String| approvals.error("webhook", error, "for example: https://hooks.example.com/approve")).ok()
        });
        ApprovalSettings {
            webhook,
            timeout: approvals.duration("timeout", "How long the webhook's answer may take.", 10 * SECOND, SECOND / 10..=DAY),
            expires_after: approvals.duration(
                "expires_after",
                "How long people have; then the call is refused.",
                3_600 * SECOND,
                SECOND..=365 * DAY,
            ),
            wait: approvals.duration(
                "wait",
                "How long a call that a model wants waits for the person, at most as long as its answer may take. At 0 the model is told at once what the call waits for, and may make it again.",
                Duration::ZERO,
                Duration::ZERO..=DAY,
            ),
        }
    })
}
