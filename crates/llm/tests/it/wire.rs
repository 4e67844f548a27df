//! Paths lead to the wire format that an upstream would read in them.

use seawall_llm::wire::{Billing, behind_prefix, with_model};
use seawall_llm::{Dialect, Wire, endpoint};

#[test]
fn every_known_path_is_recognised() {
    for (path, wire, route) in [
        ("/v1/chat/completions", Wire::OpenAiChat, "/v1/chat/completions"),
        ("/v1/responses", Wire::OpenAiResponses, "/v1/responses"),
        ("/v1/responses/compact", Wire::OpenAiCompact, "/v1/responses/compact"),
        ("/v1/responses/resp_1", Wire::Other, "/v1/responses/{id}"),
        ("/v1/responses/resp_1/cancel", Wire::Other, "/v1/responses/{id}/cancel"),
        ("/v1/responses/resp_1/input_items", Wire::Other, "/v1/responses/{id}/input_items"),
        ("/v1/completions", Wire::OpenAiCompletions, "/v1/completions"),
        ("/v1/embeddings", Wire::OpenAiEmbeddings, "/v1/embeddings"),
        ("/v1/models", Wire::Other, "/v1/models"),
        ("/v1/models/gpt-4o", Wire::Other, "/v1/models/{model}"),
        ("/v1/models/ft:gpt-4o:org::id", Wire::Other, "/v1/models/{model}"),
        ("/v1/messages", Wire::AnthropicMessages, "/v1/messages"),
        ("/v1/messages/count_tokens", Wire::AnthropicCountTokens, "/v1/messages/count_tokens"),
        ("/v1/images/generations", Wire::Other, "/v1/{other}"),
        ("/v1beta/models", Wire::Other, "/v1beta/models"),
        ("/v1beta/openai/chat/completions", Wire::OpenAiChat, "/v1beta/openai/chat/completions"),
        ("/v1beta/openai/embeddings", Wire::OpenAiEmbeddings, "/v1beta/openai/embeddings"),
        ("/v1/openai/chat/completions", Wire::OpenAiChat, "/v1/openai/chat/completions"),
        ("/v1/openai/embeddings", Wire::OpenAiEmbeddings, "/v1/openai/embeddings"),
        ("/v1beta/chat/completions", Wire::OpenAiChat, "/v1/chat/completions"),
        ("/v1alpha/messages", Wire::AnthropicMessages, "/v1/messages"),
        ("/v1beta/models/m:generateContent", Wire::GeminiGenerate, "/v1beta/models/{model}:generateContent"),
        ("/v1beta/models/m:embedContent", Wire::GeminiEmbed, "/v1beta/models/{model}:embedContent"),
        ("/v1beta/models/m:countTokens", Wire::GeminiCountTokens, "/v1beta/models/{model}:countTokens"),
        ("/v1/models/m:generateContent", Wire::GeminiGenerate, "/v1/models/{model}:generateContent"),
        ("/v1beta/models/m:predict", Wire::Other, "/v1beta/{other}"),
    ] {
        let found = endpoint(path).unwrap();
        assert_eq!((found.wire, found.route), (wire, route), "{path}");
    }
}

#[test]
fn a_spelling_that_an_upstream_understands_is_not_unmetered() {
    for path in [
        "/v1/chat/completions/",
        "/V1/Chat/Completions",
        "/v1/%63hat/completions",
        "/v1/chat/%63ompletion%73",
    ] {
        assert_eq!(endpoint(path).unwrap().wire, Wire::OpenAiChat, "{path}");
    }
    for path in [
        "/v1//chat/completions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/x/%2e%2e/chat/completions",
        "/v1/chat%2fcompletions",
        "/v1/chat%5Ccompletions",
        "/v1%2Fchat/completions",
    ] {
        assert_eq!(endpoint(path), None, "{path}");
    }
    let stream = endpoint("/v1beta/models/gemini-2.5-pro:STREAMgenerateContent").unwrap();
    assert_eq!(stream.wire, Wire::GeminiStream);
}

#[test]
fn the_path_names_geminis_model() {
    for (path, model) in [
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "gemini-2.5-pro"),
        ("/v1beta/models/gemini%2D2.5:generateContent", "gemini-2.5"),
        ("/v1beta/models/a%2Fb:generateContent", "a/b"),
        ("/v1beta/models/100%:generateContent", "100%"),
        ("/v1beta/tunedModels/mine:generateContent", "tunedModels/mine"),
        ("/v1beta/models/Veo-3:predictLongRunning", "Veo-3"),
        ("/v1/engines/gpt-4o/completions", "gpt-4o"),
    ] {
        assert_eq!(endpoint(path).unwrap().model.as_deref(), Some(model));
    }
    assert_eq!(endpoint("/v1/chat/completions").unwrap().model, None);
}

#[test]
fn another_model_takes_the_place_of_the_one_in_the_path_and_of_nothing_else() {
    for (path, model, renamed) in [
        ("/v1beta/models/m:generateContent", "n", "/v1beta/models/n:generateContent"),
        ("/v1beta/MODELS/m:streamGenerateContent/", "n", "/v1beta/models/n:streamGenerateContent/"),
        ("/v1beta/models/m%3AgenerateContent", "n", "/v1beta/models/n%3AgenerateContent"),
        ("/v1beta/models/a:b%3agenerateContent", "n", "/v1beta/models/n%3agenerateContent"),
        ("/V1/models/m:generateContent", "n", "/V1/models/n:generateContent"),
        ("/v1beta/models/m:predict", "n", "/v1beta/models/n:predict"),
        ("/v1beta/models/m:generateContent", "models/n", "/v1beta/models/n:generateContent"),
        ("/v1beta/models/m:generateContent", "tunedModels/n", "/v1beta/tunedModels/n:generateContent"),
        ("/v1beta/tunedModels/m:generateContent", "n", "/v1beta/models/n:generateContent"),
        ("/v1beta/tunedModels/m:generateContent", "tunedModels/n", "/v1beta/tunedModels/n:generateContent"),
        ("/v1/engines/gpt-4o/completions", "n", "/v1/engines/n/completions"),
        ("/v1/Engines/ft:gpt-4o:acme::id/embeddings", "n", "/v1/Engines/n/embeddings"),
        ("/v1/engines/gpt-4o", "n", "/v1/engines/n"),
    ] {
        let place = endpoint(path).unwrap().model_place.unwrap();
        assert_eq!(with_model(path, &place, model), renamed, "{path}");
    }
    for path in ["/v1/chat/completions", "/v1/models/gpt-4o", "/v1beta/models", "/upload/v1beta/files"] {
        assert_eq!(endpoint(path).unwrap().model_place, None, "{path}");
    }
}

#[test]
fn other_paths_keep_their_providers_dialect() {
    for (path, dialect) in [
        ("/v1/files", Dialect::OpenAi),
        ("/v1/messages/batches", Dialect::Anthropic),
        ("/v1beta/openai/chat/completions", Dialect::Gemini),
        ("/v1beta/cachedContents", Dialect::Gemini),
    ] {
        assert_eq!(endpoint(path).unwrap().dialect, dialect, "{path}");
    }
    assert_eq!(endpoint("/upload/v1beta/files").unwrap().dialect, Dialect::Gemini);
    for path in [
        "",
        "/",
        "/health",
        "/upload",
        "/upload/v2/files",
        "/v2/chat/completions",
        "v1/models",
        "/v1beta2/models",
    ] {
        assert_eq!(endpoint(path), None, "{path}");
    }
}

#[test]
fn behind_a_prefix_every_version_is_taken_and_metered_as_the_known_ones() {
    for (path, wire, route) in [
        ("/v1/chat/completions", Wire::OpenAiChat, "/v1/chat/completions"),
        ("/v4/chat/completions", Wire::OpenAiChat, "/v1/chat/completions"),
        ("/V4/Chat/%63ompletions", Wire::OpenAiChat, "/v1/chat/completions"),
        ("/v1alpha/models/m:generateContent", Wire::GeminiGenerate, "/v1beta/models/{model}:generateContent"),
        (
            "/v2/models/m:streamGenerateContent",
            Wire::GeminiStream,
            "/v1beta/models/{model}:streamGenerateContent",
        ),
        ("/v3/openai/chat/completions", Wire::OpenAiChat, "/v1/openai/chat/completions"),
        ("/v1alpha/openai/embeddings", Wire::OpenAiEmbeddings, "/v1beta/openai/embeddings"),
        ("/v1alpha/cachedContents", Wire::Other, "/v1beta/{other}"),
        ("/v2/rerank", Wire::Other, "/{other}"),
        ("/rerank", Wire::Other, "/{other}"),
    ] {
        let found = behind_prefix(path).unwrap();
        assert_eq!((found.wire, found.route), (wire, route), "{path}");
    }
    for (path, place) in [
        ("/v2/models/m:generateContent", 4..12),
        ("/v2/models/m:predict", 4..12),
        ("/v4/engines/m/completions", 12..13),
    ] {
        let named = behind_prefix(path).unwrap();
        assert_eq!((named.model.as_deref(), named.model_place), (Some("m"), Some(place)), "{path}");
    }
    for path in
        ["/v2//chat/completions", "/v2/../v1/chat/completions", "/v2/x/%2e%2e/y", "/v2/a%2fb", "", "v2/x"]
    {
        assert_eq!(behind_prefix(path), None, "{path}");
    }
}

#[test]
fn what_counts_tokens_is_free_and_what_writes_is_metered() {
    assert!(!Wire::AnthropicCountTokens.is_metered() && !Wire::GeminiCountTokens.is_metered());
    assert!(Wire::OpenAiEmbeddings.is_metered() && !Wire::OpenAiEmbeddings.has_output());
    assert!(Wire::GeminiStream.is_metered() && Wire::GeminiStream.has_output());
    assert!(!Wire::Other.is_metered());
}

#[test]
fn what_may_cost_money_is_known_from_path_and_method() {
    for (method, path, billing) in [
        ("POST", "/v1/chat/completions", Billing::ByToken),
        ("POST", "/v1/responses/compact", Billing::ByToken),
        ("POST", "/v1/messages/count_tokens", Billing::Free),
        ("POST", "/v1/moderations", Billing::Free),
        ("POST", "/v1/responses/input_tokens", Billing::Free),
        ("POST", "/v1/responses/resp_1/cancel", Billing::Free),
        ("POST", "/v1/files", Billing::Free),
        ("POST", "/upload/v1beta/files", Billing::Free),
        ("GET", "/v1/models", Billing::Free),
        ("GET", "/v1/videos/v1/content", Billing::Free),
        ("DELETE", "/v1/assistants/a", Billing::Free),
        ("POST", "/v1/images/generations", Billing::Unknown),
        ("POST", "/v1/audio/speech", Billing::Unknown),
        ("POST", "/v1/batches", Billing::Unknown),
        ("POST", "/v1/messages/batches", Billing::Unknown),
        ("POST", "/v1/engines/gpt-4o/completions", Billing::Unknown),
        ("POST", "/v1/realtime/client_secrets", Billing::Unknown),
        ("POST", "/v1beta/models/veo-3:predict", Billing::Unknown),
        ("POST", "/v1beta/cachedContents", Billing::Unknown),
        ("PUT", "/v1/anything", Billing::Unknown),
    ] {
        assert_eq!(endpoint(path).unwrap().billing(method), billing, "{method} {path}");
    }
}

#[test]
fn a_conversation_is_made_shorter_without_an_output_limit() {
    assert!(Wire::OpenAiCompact.has_output() && !Wire::OpenAiCompact.takes_output_limit());
    assert!(Wire::OpenAiChat.takes_output_limit() && !Wire::OpenAiEmbeddings.takes_output_limit());
}
