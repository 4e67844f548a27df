//! Which providers there are, whose wire format each speaks, and where it is.

/// A provider that can be an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Provider {
    /// Its prefix in model names.
    pub(super) prefix: &'static str,
    /// Whose wire format it speaks, as `upstreams[].kind` has it.
    pub(super) kind: &'static str,
    /// Its URL; `None`: each installation has its own.
    pub(super) base_url: Option<&'static str>,
    /// The variable that its key is in, unless the file says otherwise; `None`: it wants none.
    pub(super) key: Option<&'static str>,
}

/// A provider that speaks the wire format of OpenAI.
const fn alike(prefix: &'static str, base_url: Option<&'static str>, key: Option<&'static str>) -> Provider {
    Provider { prefix, kind: "openai", base_url, key }
}

/// Only those whose paths begin with `/v1` under the URL: the gateway's do.
const PROVIDERS: [Provider; 26] = [
    alike("openai", Some("https://api.openai.com/v1"), Some("OPENAI_API_KEY")),
    alike("text-completion-openai", Some("https://api.openai.com/v1"), Some("OPENAI_API_KEY")),
    Provider {
        prefix: "anthropic",
        kind: "anthropic",
        base_url: Some("https://api.anthropic.com"),
        key: Some("ANTHROPIC_API_KEY"),
    },
    Provider {
        prefix: "gemini",
        kind: "gemini",
        base_url: Some("https://generativelanguage.googleapis.com"),
        key: Some("GEMINI_API_KEY"),
    },
    alike("azure", None, Some("AZURE_API_KEY")),
    alike("cerebras", Some("https://api.cerebras.ai/v1"), Some("CEREBRAS_API_KEY")),
    alike("codestral", Some("https://codestral.mistral.ai/v1"), Some("CODESTRAL_API_KEY")),
    alike(
        "dashscope",
        Some("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        Some("DASHSCOPE_API_KEY"),
    ),
    alike("deepseek", Some("https://api.deepseek.com/v1"), Some("DEEPSEEK_API_KEY")),
    alike("featherless_ai", Some("https://api.featherless.ai/v1"), Some("FEATHERLESS_API_KEY")),
    alike("fireworks_ai", Some("https://api.fireworks.ai/inference/v1"), Some("FIREWORKS_API_KEY")),
    alike("groq", Some("https://api.groq.com/openai/v1"), Some("GROQ_API_KEY")),
    alike("hosted_vllm", None, None),
    alike("lambda_ai", Some("https://api.lambda.ai/v1"), Some("LAMBDA_API_KEY")),
    alike("litellm_proxy", None, Some("LITELLM_PROXY_API_KEY")),
    alike("llamafile", Some("http://127.0.0.1:8080/v1"), None),
    alike("lm_studio", None, None),
    alike("meta_llama", Some("https://api.llama.com/compat/v1"), Some("LLAMA_API_KEY")),
    alike("mistral", Some("https://api.mistral.ai/v1"), Some("MISTRAL_API_KEY")),
    alike("moonshot", Some("https://api.moonshot.ai/v1"), Some("MOONSHOT_API_KEY")),
    alike("nvidia_nim", Some("https://integrate.api.nvidia.com/v1"), Some("NVIDIA_NIM_API_KEY")),
    alike("ollama", Some("http://localhost:11434/v1"), None),
    alike("ollama_chat", Some("http://localhost:11434/v1"), None),
    alike("openrouter", Some("https://openrouter.ai/api/v1"), Some("OPENROUTER_API_KEY")),
    alike("together_ai", Some("https://api.together.xyz/v1"), Some("TOGETHERAI_API_KEY")),
    alike("xai", Some("https://api.x.ai/v1"), Some("XAI_API_KEY")),
];

/// How the models begin that need no provider before their name.
const FAMILIES: [(&str, &str); 11] = [
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("omni-moderation", "openai"),
    ("dall-e", "openai"),
    ("whisper", "openai"),
    ("tts-", "openai"),
    ("claude-", "anthropic"),
];

/// Prefixes of providers whose servers speak a format of their own, or sign requests: an address alone would not do.
const FOREIGN: [&str; 14] = [
    "bedrock",
    "bedrock_converse",
    "vertex_ai",
    "vertex_ai_beta",
    "sagemaker",
    "sagemaker_chat",
    "cohere",
    "cohere_chat",
    "replicate",
    "huggingface",
    "watsonx",
    "databricks",
    "triton",
    "predibase",
];

/// Who serves a model, and its name there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'m> {
    /// A provider that is known.
    Known(&'static Provider, &'m str),
    /// One that is not; its server may speak the wire format of OpenAI.
    Unknown(&'m str, &'m str),
    /// One that speaks none of the wire formats here.
    Foreign(&'m str),
    /// None is named, and the model's name tells nothing.
    Nobody,
}

/// Reads `provider/name`, or a name that tells its provider.
pub(super) fn find<'m>(model: &'m str, named: Option<&'m str>) -> Found<'m> {
    let by_prefix = |prefix: &str| PROVIDERS.iter().find(|provider| provider.prefix == prefix);
    let split = model.split_once('/');
    let (prefix, name) = match (named, split) {
        (Some(named), Some((prefix, rest))) if named == prefix => (named, rest),
        (Some(named), _) => (named, model),
        (None, Some((prefix, rest))) => (prefix, rest),
        (None, None) => {
            let family = FAMILIES.iter().find(|(beginning, _)| model.starts_with(beginning));
            let provider = family.and_then(|(_, prefix)| by_prefix(prefix));
            return provider.map_or(Found::Nobody, |provider| Found::Known(provider, model));
        }
    };
    match by_prefix(prefix) {
        Some(provider) => Found::Known(provider, name),
        None if FOREIGN.contains(&prefix) => Found::Foreign(prefix),
        None => Found::Unknown(prefix, name),
    }
}

/// What an unknown provider is taken for when its address is given.
pub(super) const OPENAI_ALIKE: Provider = alike("openai", None, None);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_tells_who_serves_it() {
        let known = |model, named| match find(model, named) {
            Found::Known(provider, name) => (provider.prefix, name),
            other => panic!("{model}: {other:?}"),
        };
        assert_eq!(known("openai/gpt-4o", None), ("openai", "gpt-4o"));
        assert_eq!(known("gpt-4o", None), ("openai", "gpt-4o"));
        assert_eq!(known("claude-sonnet-4-5", None), ("anthropic", "claude-sonnet-4-5"));
        assert_eq!(known("openrouter/meta/llama-3", None), ("openrouter", "meta/llama-3"));
        assert_eq!(known("meta/llama-3", Some("groq")), ("groq", "meta/llama-3"));
        assert_eq!(known("groq/llama-3", Some("groq")), ("groq", "llama-3"));
        assert_eq!(find("acme/x/y", None), Found::Unknown("acme", "x/y"));
        assert_eq!(find("bedrock/anthropic.claude-v2", None), Found::Foreign("bedrock"));
        assert_eq!(find("my-model", None), Found::Nobody);
    }

    #[test]
    fn known_addresses_can_be_upstreams() {
        for provider in PROVIDERS {
            if let Some(url) = provider.base_url {
                assert!(url.parse::<seawall_llm_client::BaseUrl>().is_ok(), "{url}");
                assert!(provider.kind != "openai" || url.ends_with("/v1"), "{url}");
            }
        }
    }
}
