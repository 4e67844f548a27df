//! The keys that are known by how they begin, as a table. Sources: the providers' documentation of their formats.

use crate::secrets::entropy::is_varied;
use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;

/// A key that is known by how it begins.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    pub(super) prefix: &'static [u8],
    /// Which byte of the prefix the scan stops at: the rarest one.
    pub(super) anchor: usize,
    pub(super) body: Alphabet,
    /// How many characters follow the prefix.
    pub(super) least: usize,
    pub(super) most: usize,
    /// Whether it must begin a word, because words end like it (`risk-`) or its letters are no rare ones.
    pub(super) own_word: bool,
    pub(super) check: fn(&[u8]) -> bool,
}

const fn rule(kind: Kind, prefix: &'static str, anchor: usize, body: Alphabet, least: usize) -> Rule {
    let prefix = prefix.as_bytes();
    Rule { kind, prefix, anchor, body, least, most: usize::MAX, own_word: false, check: is_varied }
}

impl Rule {
    /// Exactly as long as said.
    const fn exact(mut self) -> Self {
        self.most = self.least;
        self
    }

    const fn word(mut self) -> Self {
        self.own_word = true;
        self
    }

    const fn checked(mut self, check: fn(&[u8]) -> bool) -> Self {
        self.check = check;
        self
    }
}

const URL_SAFE: Alphabet = Alphabet::BASE64_URL;
const ALNUM: Alphabet = Alphabet::ALPHANUMERIC;

/// Every rule. Where two fit, the first one counts. No more than 64: they are chosen by the bits of a `u64`.
pub(super) const RULES: &[Rule] = &[
    rule(Kind::SeawallKey, "sk-sw-", 2, URL_SAFE, 20),
    rule(Kind::AnthropicKey, "sk-ant-", 2, URL_SAFE, 20),
    rule(Kind::OpenAiKey, "sk-proj-", 2, URL_SAFE, 20),
    rule(Kind::OpenAiKey, "sk-svcacct-", 2, URL_SAFE, 20),
    rule(Kind::OpenAiKey, "sk-admin-", 2, URL_SAFE, 20),
    rule(Kind::OpenAiKey, "sk-", 2, URL_SAFE, 20).word().checked(is_classic_key),
    rule(Kind::GoogleKey, "AIza", 2, URL_SAFE, 35).exact().word(),
    rule(Kind::GithubToken, "ghp_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "gho_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "ghu_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "ghs_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "ghr_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "github_pat_", 6, URL_SAFE, 82).exact(),
    rule(Kind::GitlabToken, "glpat-", 5, Alphabet::BASE64_URL_DOTTED, 20),
    rule(Kind::AwsAccessKey, "AKIA", 1, Alphabet::BASE32, 16).exact().word(),
    rule(Kind::AwsAccessKey, "ASIA", 1, Alphabet::BASE32, 16).exact().word(),
    rule(Kind::SlackToken, "xoxa-", 4, URL_SAFE, 20),
    rule(Kind::SlackToken, "xoxb-", 4, URL_SAFE, 20),
    rule(Kind::SlackToken, "xoxc-", 4, URL_SAFE, 20),
    rule(Kind::SlackToken, "xoxd-", 4, Alphabet::TOKEN68, 20),
    rule(Kind::SlackToken, "xoxe-", 4, URL_SAFE, 20),
    rule(Kind::SlackToken, "xoxp-", 4, URL_SAFE, 20),
    rule(Kind::SlackToken, "xoxr-", 4, URL_SAFE, 20),
    rule(Kind::SlackToken, "xoxs-", 4, URL_SAFE, 20),
    rule(Kind::SlackToken, "xapp-", 4, URL_SAFE, 20),
    rule(Kind::StripeKey, "sk_live_", 2, ALNUM, 16),
    rule(Kind::StripeKey, "rk_live_", 2, ALNUM, 16),
    rule(Kind::StripeKey, "sk_test_", 2, ALNUM, 16),
    rule(Kind::StripeKey, "rk_test_", 2, ALNUM, 16),
    rule(Kind::StripeKey, "whsec_", 5, Alphabet::BASE64, 24),
    rule(Kind::TwilioKey, "SK", 0, Alphabet::LOWER_HEX, 32).exact().word(),
    rule(Kind::SendgridKey, "SG.", 0, Alphabet::BASE64_URL_DOTTED, 66).exact().word().checked(is_sendgrid),
    rule(Kind::NpmToken, "npm_", 3, ALNUM, 36).exact(),
    rule(Kind::PypiToken, "pypi-", 4, URL_SAFE, 50),
    rule(Kind::HuggingFaceToken, "hf_", 2, ALNUM, 34).word(),
    rule(Kind::GroqKey, "gsk_", 3, ALNUM, 48),
    rule(Kind::XaiKey, "xai-", 3, ALNUM, 60).word(),
    rule(Kind::PerplexityKey, "pplx-", 4, ALNUM, 40),
    rule(Kind::DigitalOceanToken, "dop_v1_", 3, Alphabet::LOWER_HEX, 64).exact(),
    rule(Kind::DockerToken, "dckr_pat_", 4, URL_SAFE, 27).exact(),
    rule(Kind::AgeKey, "AGE-SECRET-KEY-1", 3, Alphabet::UPPER_ALPHANUMERIC, 58).exact(),
];

/// A key without a further prefix: digits among letters, and a piece without a dash that no compound word has.
fn is_classic_key(body: &[u8]) -> bool {
    let longest = body.split(|byte| *byte == b'-' || *byte == b'_').map(<[u8]>::len).max();
    longest.is_some_and(|longest| longest >= 16) && body.iter().any(u8::is_ascii_digit) && is_varied(body)
}

/// 22 characters, a dot, 43 characters.
fn is_sendgrid(body: &[u8]) -> bool {
    let mut parts = body.split(|byte| *byte == b'.').map(<[u8]>::len);
    parts.next() == Some(22) && parts.next() == Some(43) && parts.next().is_none() && is_varied(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_anchor_within_its_prefix_and_a_bit() {
        assert!(RULES.len() <= 64);
        for rule in RULES {
            assert!(rule.anchor < rule.prefix.len(), "{rule:?}");
            let anchor = rule.prefix[rule.anchor];
            assert!(b"-_SKz".contains(&anchor), "{rule:?}");
            assert!(
                !rule.prefix[..rule.anchor].contains(&anchor),
                "the anchor is the first of its byte: {rule:?}"
            );
        }
    }
}
