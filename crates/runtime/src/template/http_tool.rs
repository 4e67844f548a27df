//! Tools behind URLs, as templates declare them.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::EffectClass;
use seawall_llm_client::Requester;
use seawall_tools::{HttpTool, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A tool behind a URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpToolSettings {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of its arguments.
    #[serde(default = "anything")]
    pub parameters: Value,
    /// Where calls are posted to. Written by the operator, and so trusted.
    pub url: String,
    /// What running it again does.
    #[serde(default)]
    pub effect: EffectClass,
    /// Where it is asked whether a call took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile_url: Option<String>,
    /// How long a call may take.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub timeout: Option<Duration>,
}

fn anything() -> Value {
    json!({"type": "object"})
}

impl HttpToolSettings {
    /// The tool.
    ///
    /// # Errors
    /// What is wrong with the declaration, in words.
    pub(crate) fn build(&self, requester: &Requester) -> Result<Arc<dyn Tool>, String> {
        let settings = seawall_tools::HttpToolSettings {
            name: self.name.as_str().into(),
            description: self.description.as_str().into(),
            parameters: Arc::new(self.parameters.clone()),
            url: self.url.clone(),
            effect: self.effect,
            reconcile_url: self.reconcile_url.clone(),
            timeout: self.timeout,
        };
        match HttpTool::new(settings, requester.clone()) {
            Ok(tool) => Ok(Arc::new(tool)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A duration that need not be there.
mod optional {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&seawall_config::units::format_duration(*value)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = text.map(|text| seawall_config::units::parse_duration(&text));
        read.transpose().map_err(serde::de::Error::custom)
    }
}
