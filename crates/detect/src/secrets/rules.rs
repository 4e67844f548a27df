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

/// A token of a service without a kind of its own. Its prefix is long enough to tell it, begins a word, and has a dash or
/// an underscore, at the first of which the scan stops.
const fn service(prefix: &'static str, body: Alphabet, least: usize) -> Rule {
    rule(Kind::ServiceToken, prefix, first_joint(prefix.as_bytes()), body, least).word().checked(has_digits)
}

/// Where the first dash or underscore stands; zero, which a test finds out, where there is none.
const fn first_joint(prefix: &[u8]) -> usize {
    let mut rest = prefix;
    let mut at = 0;
    while let [first, others @ ..] = rest {
        if matches!(first, b'-' | b'_') {
            return at;
        }
        rest = others;
        at += 1;
    }
    0
}

const URL_SAFE: Alphabet = Alphabet::BASE64_URL;
const DOTTED: Alphabet = Alphabet::BASE64_URL_DOTTED;
const BASE64: Alphabet = Alphabet::BASE64;
const ALNUM: Alphabet = Alphabet::ALPHANUMERIC;
const HEX: Alphabet = Alphabet::HEX;

/// Every rule. Where two fit, the first one counts.
pub(super) const RULES: &[Rule] = &[
    rule(Kind::SeawallKey, "sk-sw-", 2, URL_SAFE, 20),
    rule(Kind::AnthropicKey, "sk-ant-", 2, URL_SAFE, 20),
    rule(Kind::OpenAiKey, "sk-proj-", 2, URL_SAFE, 20),
    rule(Kind::OpenAiKey, "sk-svcacct-", 2, URL_SAFE, 20),
    rule(Kind::OpenAiKey, "sk-admin-", 2, URL_SAFE, 20),
    service("sk-lf-", URL_SAFE, 36).exact(), // Langfuse
    rule(Kind::OpenAiKey, "sk-", 2, URL_SAFE, 20).word().checked(is_classic_key),
    rule(Kind::GoogleKey, "AIza", 2, URL_SAFE, 35).exact().word(),
    rule(Kind::GithubToken, "ghp_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "gho_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "ghu_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "ghs_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "ghr_", 3, ALNUM, 36).exact(),
    rule(Kind::GithubToken, "github_pat_", 6, URL_SAFE, 82).exact(),
    rule(Kind::GitlabToken, "glpat-", 5, Alphabet::BASE64_URL_DOTTED, 20),
    rule(Kind::AwsAccessKey, "AKIA", 1, Alphabet::BASE32, 16).exact().word().checked(is_aws_id),
    rule(Kind::AwsAccessKey, "ASIA", 1, Alphabet::BASE32, 16).exact().word().checked(is_aws_id),
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
    rule(Kind::DigitalOceanToken, "doo_v1_", 3, Alphabet::LOWER_HEX, 64).exact(),
    rule(Kind::DigitalOceanToken, "dor_v1_", 3, Alphabet::LOWER_HEX, 64).exact(),
    rule(Kind::DockerToken, "dckr_oat_", 4, URL_SAFE, 32).exact(),
    rule(Kind::AgeKey, "AGE-SECRET-KEY-1", 3, Alphabet::UPPER_ALPHANUMERIC, 58).exact(),
    rule(Kind::GitlabToken, "gldt-", 4, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glrt-", 4, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glft-", 4, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glptt-", 5, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glcbt-", 5, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glimt-", 5, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "gloas-", 5, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glsoat-", 6, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glffct-", 6, DOTTED, 20).word(),
    rule(Kind::GitlabToken, "glagent-", 7, DOTTED, 50).word(),
    service("API-", Alphabet::UPPER_ALPHANUMERIC, 26).exact(), // Octopus Deploy
    service("BBDC-", BASE64, 32),                              // Bitbucket
    service("CCDB1_", URL_SAFE, 63).exact(),                   // CockroachDB
    service("CCIPAT_", URL_SAFE, 63).exact(),                  // CircleCI
    service("CLOJARS_", ALNUM, 60).exact(),
    service("FLWSECK_TEST-", URL_SAFE, 32), // Flutterwave
    service("FLWSECK-", URL_SAFE, 32),
    service("HRKU-", URL_SAFE, 36),         // Heroku
    service("NRAK-", ALNUM, 27).exact(),    // New Relic
    service("PMAK-", URL_SAFE, 59).exact(), // Postman
    service("SWMKEY-1-", BASE64, 40),       // Docker Swarm
    service("SWMTKN-1-", URL_SAFE, 75),
    service("apify_api_", ALNUM, 34),
    service("api_org_", ALNUM, 34).exact().checked(is_varied), // Hugging Face
    service("bkua_", ALNUM, 40),                               // Buildkite
    service("cfat_", ALNUM, 48).exact(),                       // Cloudflare
    service("cfut_", ALNUM, 48).exact(),
    service("csk-", ALNUM, 48).exact(), // Cerebras
    service("ddp_", ALNUM, 36).exact(), // Deno
    service("duffel_", URL_SAFE, 48),
    service("essu_", URL_SAFE, 60),              // Elastic
    service("figd_", URL_SAFE, 38),              // Figma
    service("glc_", BASE64, 40),                 // Grafana
    service("glsa_", URL_SAFE, 41).exact(),      // Grafana
    service("ico-", ALNUM, 32).exact(),          // Infracost
    service("ion_", ALNUM, 42).exact(),          // Ionic
    service("lin_api_", ALNUM, 40).exact(),      // Linear
    service("llx-", ALNUM, 44),                  // LlamaCloud
    service("lsv2_", URL_SAFE, 46).exact(),      // LangSmith
    service("mdb_sa_sk_", URL_SAFE, 40).exact(), // MongoDB Atlas
    service("mercury_production_", URL_SAFE, 40),
    service("napi_", ALNUM, 64).exact(), // Neon
    service("ntn_", ALNUM, 46).exact(),  // Notion
    service("nvapi-", URL_SAFE, 60),     // NVIDIA
    service("nyk_", ALNUM, 67).exact(),  // Nylas
    service("ops_eyJ", BASE64, 100),     // 1Password
    service("os_v2_", URL_SAFE, 100),    // OneSignal
    service("pcsk_", URL_SAFE, 60),      // Pinecone
    service("pdl_live_apikey_", URL_SAFE, 50),
    service("phx_", URL_SAFE, 41),       // PostHog
    service("pnu_", ALNUM, 36).exact(),  // Prefect
    service("pscale_", DOTTED, 35),      // PlanetScale
    service("pul-", HEX, 40).exact(),    // Pulumi
    service("r8_", ALNUM, 37).exact(),   // Replicate
    service("rdme_", ALNUM, 70).exact(), // ReadMe
    service("rnd_", ALNUM, 28).exact(),  // Render
    service("rootly_", HEX, 64).exact(),
    service("rpa_", ALNUM, 46).exact(), // RunPod
    service("rubygems_", HEX, 48).exact(),
    service("sb_secret_", URL_SAFE, 31).exact(), // Supabase
    service("sbp_", URL_SAFE, 40).exact(),
    service("shippo_", URL_SAFE, 45).exact(),
    service("shpat_", HEX, 32).exact(), // Shopify
    service("shpca_", HEX, 32).exact(),
    service("shppa_", HEX, 32).exact(),
    service("shpss_", HEX, 32).exact(),
    service("sntrys_", Alphabet::TOKEN68, 40), // Sentry
    service("sntryu_", HEX, 64).exact(),
    service("sq0atp-", URL_SAFE, 22), // Square
    service("sq0csp-", URL_SAFE, 43),
    service("tfp_", URL_SAFE, 40),            // Typeform
    service("tgp_v1_", URL_SAFE, 43).exact(), // Together
    service("tskey-", URL_SAFE, 20),          // Tailscale
    service("vca_", URL_SAFE, 56).exact(),    // Vercel
    service("vci_", URL_SAFE, 56).exact(),
    service("vck_", URL_SAFE, 56).exact(),
    service("vcp_", URL_SAFE, 56).exact(),
    service("vcr_", URL_SAFE, 56).exact(),
    service("wandb_v1_", URL_SAFE, 70),    // Weights & Biases
    service("xkeysib-", URL_SAFE, 81),     // Brevo
    service("xnd_production_", ALNUM, 56), // Xendit
];

/// What was drawn has digits, what somebody called a variable seldom has.
fn has_digits(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_digit) && is_varied(body)
}

/// The documentation of AWS is full of `AKIAIOSFODNN7EXAMPLE`, which opens nothing.
fn is_aws_id(body: &[u8]) -> bool {
    !body.ends_with(b"EXAMPLE") && is_varied(body)
}

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
    use crate::secrets::prefixed::LONGEST_HEAD;

    #[test]
    fn every_rule_has_its_anchor_within_its_prefix() {
        for rule in RULES {
            assert!(rule.anchor < rule.prefix.len(), "{rule:?}");
            assert!(rule.anchor <= LONGEST_HEAD, "{rule:?}");
            assert!(rule.prefix[..rule.anchor].iter().all(u8::is_ascii_alphanumeric), "{rule:?}");
            let anchor = rule.prefix[rule.anchor];
            assert!(b"-_SKz".contains(&anchor), "{rule:?}");
            assert!(
                !rule.prefix[..rule.anchor].contains(&anchor),
                "the anchor is the first of its byte: {rule:?}"
            );
        }
    }
}
