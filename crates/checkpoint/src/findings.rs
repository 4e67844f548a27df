//! Findings as they are written down: without the secrets that stood in what they are about.
//!
//! A finding names the path, the host or the command that it is about, and says where that stands by the names around it; any
//! of these may hold a secret, and what is kept lives longer than the call. Who made the call is told the whole of it.
//! Personal data stays: an address is what many findings are about.

use std::borrow::Cow;
use std::sync::LazyLock;

use seawall_detect::{PiiKinds, Selection, TextDetector};
use seawall_types::Finding;
use serde::Serializer;

static SECRETS: LazyLock<TextDetector> =
    LazyLock::new(|| TextDetector::new(Selection { secrets: true, pii: PiiKinds::none(), injection: false }));

/// The findings as they may be kept.
pub(crate) fn kept(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().map(|finding| clean(finding).into_owned()).collect()
}

pub(crate) fn without_secrets<S: Serializer>(
    findings: &&[Finding],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(findings.iter().map(clean))
}

pub(crate) fn text_without_secrets<S: Serializer>(text: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(SECRETS.redact(text).as_deref().unwrap_or(text))
}

fn clean(finding: &Finding) -> Cow<'_, Finding> {
    let (message, location) = (SECRETS.redact(&finding.message), SECRETS.redact(&finding.location));
    if message.is_none() && location.is_none() {
        return Cow::Borrowed(finding);
    }
    let mut cleaned = finding.clone();
    cleaned.message = message.unwrap_or(cleaned.message);
    cleaned.location = location.unwrap_or(cleaned.location);
    Cow::Owned(cleaned)
}
