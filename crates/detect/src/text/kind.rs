//! The kinds of thing that the text detectors find. What they are called and how bad they are; not how they look.

use std::fmt;

use seawall_types::{Code, Severity};

use crate::found::Found;

macro_rules! kinds {
    ($($name:ident = $label:literal, $code:ident, $severity:ident, $what:literal;)*) => {
        /// A kind of thing that can be found in a text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {$(
            #[doc = $what]
            $name,
        )*}

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in redaction marks, findings and metrics.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {$(Self::$name => $label,)*}
            }

            /// The code of a finding of this kind.
            #[must_use]
            pub const fn code(self) -> Code {
                match self {$(Self::$name => Code::$code,)*}
            }

            /// How much a finding of this kind matters.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self {$(Self::$name => Severity::$severity,)*}
            }

            /// What it is, for people.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {$(Self::$name => $what,)*}
            }

            /// What stands in its place after redaction.
            #[must_use]
            pub const fn mark(self) -> &'static str {
                match self {$(Self::$name => concat!("[REDACTED:", $label, "]"),)*}
            }
        }
    };
}

kinds! {
    OpenAiKey = "openai_key", SecretFound, Critical, "an API key of OpenAI, or of a provider that took over the form";
    AnthropicKey = "anthropic_key", SecretFound, Critical, "an API key of Anthropic";
    SeawallKey = "seawall_key", SecretFound, Critical, "a key of this gateway";
    GoogleKey = "google_key", SecretFound, Critical, "an API key of Google";
    GithubToken = "github_token", SecretFound, Critical, "a token of GitHub";
    GitlabToken = "gitlab_token", SecretFound, Critical, "a token of GitLab";
    AwsAccessKey = "aws_access_key", SecretFound, Critical, "an access key id of AWS";
    AwsSecretKey = "aws_secret_key", SecretFound, Critical, "a secret access key of AWS";
    SlackToken = "slack_token", SecretFound, Critical, "a token of Slack";
    SlackWebhook = "slack_webhook", SecretFound, High, "the address of a Slack webhook";
    StripeKey = "stripe_key", SecretFound, Critical, "a key of Stripe";
    TwilioKey = "twilio_key", SecretFound, High, "an API key of Twilio";
    SendgridKey = "sendgrid_key", SecretFound, Critical, "an API key of SendGrid";
    NpmToken = "npm_token", SecretFound, Critical, "a token of the npm registry";
    PypiToken = "pypi_token", SecretFound, Critical, "a token of the Python package index";
    HuggingFaceToken = "huggingface_token", SecretFound, Critical, "a token of Hugging Face";
    GroqKey = "groq_key", SecretFound, Critical, "an API key of Groq";
    XaiKey = "xai_key", SecretFound, Critical, "an API key of xAI";
    PerplexityKey = "perplexity_key", SecretFound, Critical, "an API key of Perplexity";
    DigitalOceanToken = "digitalocean_token", SecretFound, Critical, "a token of DigitalOcean";
    DockerToken = "docker_token", SecretFound, Critical, "an access token of Docker";
    DatabricksToken = "databricks_token", SecretFound, Critical, "a token of Databricks";
    AzureStorageKey = "azure_storage_key", SecretFound, Critical, "an account key of Azure storage";
    AgeKey = "age_key", SecretFound, Critical, "a secret key of age";
    ServiceToken = "service_token", SecretFound, Critical, "a token of a known service";
    Jwt = "jwt", SecretFound, High, "a JSON web token";
    PrivateKey = "private_key", SecretFound, Critical, "a private key";
    Connection = "connection_credentials", SecretFound, High, "the name and password of a connection";
    Authorization = "authorization", SecretFound, High, "the credentials of an HTTP request";
    NamedSecret = "secret", SecretFound, High, "a value that its name calls secret";
    Email = "email", PiiFound, Medium, "an e-mail address";
    Phone = "phone", PiiFound, Medium, "a telephone number";
    Card = "card", PiiFound, High, "the number of a payment card";
    Iban = "iban", PiiFound, High, "the number of a bank account";
    Ssn = "ssn", PiiFound, High, "a US social security number";
    CnId = "cn_id", PiiFound, High, "a Chinese resident identity number";
    Ip = "ip", PiiFound, Low, "an IP address";
    Injection = "injection", InjectionSuspected, Medium, "a text that tries to instruct the model";
}

impl Kind {
    /// What to tell about one of these, without the thing itself.
    #[must_use]
    pub fn found(self) -> Found {
        let remedy = match self.code() {
            Code::SecretFound => {
                "take it out of the text and hand it to the program that needs it; if it has left the machine, replace it"
            }
            Code::PiiFound => "take it out of the text, or allow this kind in the policy",
            _ => "look at where the text comes from before anything acts upon it",
        };
        Found {
            code: self.code(),
            severity: self.severity(),
            message: format!("the text holds {}", self.what()),
            remedy: remedy.to_owned(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
