//! Where a template's model is, when it is not where the configuration says: an address, and a key by the name of the variable
//! that has it. The key itself is in no template, no agent and no log.

use std::fmt;
use std::str::FromStr;

use seawall_llm_client::BaseUrl;
use serde::{Deserialize, Serialize};

use super::settings::TimeoutSettings;

/// The word for the simulated provider.
const SIMULATED: &str = "sim:";

/// Where calls of a model go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPlace {
    /// The format in which it is spoken to.
    pub provider: String,
    /// Where it is.
    pub base_url: ModelUrl,
    /// Who knows its key. `None`: it wants none.
    pub api_key: Option<KeyReference>,
    /// Time limits.
    pub timeout: TimeoutSettings,
}

/// The address of a model: a URL, with or without `/v1`, or `sim:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelUrl(Option<BaseUrl>);

impl ModelUrl {
    /// The URL. `None`: the simulated provider.
    #[must_use]
    pub fn url(&self) -> Option<&BaseUrl> {
        self.0.as_ref()
    }
}

impl FromStr for ModelUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == SIMULATED {
            return Ok(Self(None));
        }
        let wrong = |error| format!("model.base_url: {error}; write https://HOST/v1, or sim:");
        text.parse().map(|url| Self(Some(url))).map_err(wrong)
    }
}

impl TryFrom<String> for ModelUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ModelUrl> for String {
    fn from(url: ModelUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for ModelUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(url) => write!(f, "{url}"),
            None => f.write_str(SIMULATED),
        }
    }
}

/// The name of the variable of the environment that has a key, written `${NAME}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyReference(String);

impl KeyReference {
    /// The name of the variable.
    #[must_use]
    pub fn variable(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyReference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).unwrap_or_default();
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !is_name {
            // What was written may be the key itself.
            return Err(
                "model.api_key is the name of a variable that has the key, never the key: write ${NAME}"
                    .to_owned(),
            );
        }
        Ok(Self(name.to_owned()))
    }
}

impl From<KeyReference> for String {
    fn from(key: KeyReference) -> Self {
        format!("${{{}}}", key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_and_never_written() {
        let read = |text: &str| KeyReference::try_from(text.to_owned());
        assert_eq!(read("${MY_KEY}").map(|key| key.variable().to_owned()), Ok("MY_KEY".to_owned()));
        for wrong in ["sk-secret", "${}", "${A:-sk-secret}", "Bearer ${A}", "$A", ""] {
            let refused = read(wrong).unwrap_err();
            assert!(!refused.contains("secret"), "the key is not shown: {refused}");
        }
        assert_eq!(String::from(read("${A}").unwrap()), "${A}");
    }

    #[test]
    fn an_address_is_a_url_or_the_simulated_provider() {
        for good in ["https://host/v1", "http://127.0.0.1:8080", "sim:"] {
            assert_eq!(good.parse::<ModelUrl>().unwrap().to_string(), good);
        }
        for wrong in ["", "host", "ftp://host", "https://a:b@host", "https://host?x"] {
            assert!(wrong.parse::<ModelUrl>().is_err(), "{wrong}");
        }
    }
}
