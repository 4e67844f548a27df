//! Which part of which provider a path means.

use http::{HeaderMap, Method};

use super::gemini;
use super::refusal::Provider;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// A client that asks whether anybody is there.
    Probe,
    Chat,
    Completions,
    Responses,
    ResponsesCount,
    Response {
        id: &'a str,
        part: ResponsePart,
    },
    Embeddings,
    Moderations,
    Messages,
    CountTokens,
    Generate {
        model: &'a str,
        delivery: gemini::Delivery,
    },
    GeminiCount {
        model: &'a str,
    },
    GeminiEmbed {
        model: &'a str,
        is_batch: bool,
    },
    Models(Provider),
    Model(Provider, &'a str),
}

/// What is wanted of a response that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponsePart {
    Get,
    Cancel,
    InputItems,
    Delete,
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoute {
    UnknownPath,
    OtherMethod { allowed: &'static str },
}

/// What Gemini can be asked of a model.
const GEMINI_VERBS: [&str; 5] =
    [":generateContent", ":streamGenerateContent", ":countTokens", ":embedContent", ":batchEmbedContents"];
/// Headers that Gemini's clients send; newer ones use `/v1` too.
const GEMINI_HEADERS: [&str; 2] = ["x-goog-api-key", "x-goog-api-client"];

/// Whose manners a request is to be met with, whether its path is known or not. `/v1/models` is everybody's: there the
/// headers tell.
pub(crate) fn provider(path: &str, headers: &HeaderMap) -> Provider {
    let is_gemini = path.starts_with("/v1beta/")
        || GEMINI_VERBS.iter().any(|verb| path.ends_with(verb))
        || GEMINI_HEADERS.iter().any(|name| headers.contains_key(*name));
    if is_gemini {
        Provider::Gemini
    } else if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
        Provider::Anthropic
    } else {
        Provider::OpenAi
    }
}

/// The route of a request.
pub(crate) fn route<'a>(
    method: &Method,
    path: &'a str,
    query: Option<&str>,
    provider: Provider,
) -> Result<Route<'a>, NoRoute> {
    let (allowed, route) = by_path(method, path, query, provider).ok_or(NoRoute::UnknownPath)?;
    if allowed.split(", ").any(|allowed| allowed == method.as_str()) {
        Ok(route)
    } else {
        Err(NoRoute::OtherMethod { allowed })
    }
}

fn by_path<'a>(
    method: &Method,
    path: &'a str,
    query: Option<&str>,
    provider: Provider,
) -> Option<(&'static str, Route<'a>)> {
    if path == "/" || path.is_empty() {
        return Some(("GET, HEAD", Route::Probe));
    }
    let rest = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let post = |route| Some(("POST", route));
    match rest {
        "chat/completions" => post(Route::Chat),
        "completions" => post(Route::Completions),
        "responses" => post(Route::Responses),
        "responses/input_tokens" => post(Route::ResponsesCount),
        "embeddings" => post(Route::Embeddings),
        "moderations" => post(Route::Moderations),
        "messages" => post(Route::Messages),
        "messages/count_tokens" => post(Route::CountTokens),
        "models" => Some(("GET", Route::Models(provider))),
        _ => kept_response(method, rest).or_else(|| gemini_or_model(rest, query, provider)),
    }
}

fn kept_response<'a>(method: &Method, rest: &'a str) -> Option<(&'static str, Route<'a>)> {
    let rest = rest.strip_prefix("responses/")?;
    let (allowed, id, part) = match rest.split_once('/') {
        None if method == Method::DELETE => ("GET, DELETE", rest, ResponsePart::Delete),
        None => ("GET, DELETE", rest, ResponsePart::Get),
        Some((id, "cancel")) => ("POST", id, ResponsePart::Cancel),
        Some((id, "input_items")) => ("GET", id, ResponsePart::InputItems),
        Some(_) => return None,
    };
    // `compact` is another request of the provider's, which is not simulated.
    (id != "compact").then_some((allowed, Route::Response { id, part }))
}

fn gemini_or_model<'a>(
    rest: &'a str,
    query: Option<&str>,
    provider: Provider,
) -> Option<(&'static str, Route<'a>)> {
    let rest = rest.strip_prefix("models/")?;
    let Some((model, verb)) = rest.rsplit_once(':') else {
        return Some(("GET", Route::Model(provider, rest)));
    };
    let as_events = query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    let route = match verb {
        "generateContent" => Route::Generate { model, delivery: gemini::Delivery::Whole },
        "streamGenerateContent" if as_events => Route::Generate { model, delivery: gemini::Delivery::Events },
        "streamGenerateContent" => Route::Generate { model, delivery: gemini::Delivery::Array },
        "countTokens" => Route::GeminiCount { model },
        "embedContent" => Route::GeminiEmbed { model, is_batch: false },
        "batchEmbedContents" => Route::GeminiEmbed { model, is_batch: true },
        // A model's own name may hold a colon.
        _ => return Some(("GET", Route::Model(provider, rest))),
    };
    Some(("POST", route))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_route() {
        let gemini = |delivery| Ok(Route::Generate { model: "m", delivery });
        let kept = |part| Ok(Route::Response { id: "resp_1", part });
        for (method, path, query, expected) in [
            ("HEAD", "/", None, Ok(Route::Probe)),
            ("POST", "/v1/chat/completions", None, Ok(Route::Chat)),
            ("POST", "/v1/messages", Some("beta=true"), Ok(Route::Messages)),
            ("POST", "/v1/messages/count_tokens", None, Ok(Route::CountTokens)),
            ("POST", "/v1/responses", None, Ok(Route::Responses)),
            ("GET", "/v1/responses/resp_1", None, kept(ResponsePart::Get)),
            ("DELETE", "/v1/responses/resp_1", None, kept(ResponsePart::Delete)),
            ("POST", "/v1/responses/resp_1/cancel", None, kept(ResponsePart::Cancel)),
            ("GET", "/v1/responses/resp_1/input_items", None, kept(ResponsePart::InputItems)),
            ("POST", "/v1beta/models/m:generateContent", None, gemini(gemini::Delivery::Whole)),
            (
                "POST",
                "/v1beta/models/m:streamGenerateContent",
                Some("key=k&alt=sse"),
                gemini(gemini::Delivery::Events),
            ),
            ("POST", "/v1beta/models/m:streamGenerateContent", None, gemini(gemini::Delivery::Array)),
            ("POST", "/v1/models/m:generateContent", None, gemini(gemini::Delivery::Whole)),
            ("GET", "/v1beta/models/m", None, Ok(Route::Model(Provider::Gemini, "m"))),
            ("GET", "/v1/models/ft:gpt:x", None, Ok(Route::Model(Provider::OpenAi, "ft:gpt:x"))),
            ("GET", "/v1/chat/completions", None, Err(NoRoute::OtherMethod { allowed: "POST" })),
            ("GET", "/v1/responses", None, Err(NoRoute::OtherMethod { allowed: "POST" })),
            ("POST", "/v1/responses/compact", None, Err(NoRoute::UnknownPath)),
            ("POST", "/v1/nothing", None, Err(NoRoute::UnknownPath)),
            ("GET", "/nothing", None, Err(NoRoute::UnknownPath)),
        ] {
            let provider = provider(path, &HeaderMap::new());
            let found = route(&method.parse().unwrap(), path, query, provider);
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[test]
    fn a_path_that_several_providers_have_is_told_by_the_headers() {
        for (header, expected) in [
            ("authorization", Provider::OpenAi),
            ("anthropic-version", Provider::Anthropic),
            ("x-goog-api-key", Provider::Gemini),
        ] {
            let headers = HeaderMap::from_iter([(header.parse().unwrap(), "x".parse().unwrap())]);
            assert_eq!(provider("/v1/models", &headers), expected);
        }
    }
}
