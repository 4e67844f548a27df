//! Which part of which provider a path means.

use http::{HeaderMap, Method};

use super::gemini;
use super::refusal::Provider;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// A client that asks whether anybody is there.
    Probe,
    /// Something that is there already; the request has no body that matters.
    Look(Look<'a>),
    /// Something that is made from the request's body.
    Ask(Ask<'a>),
}

/// What is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look<'a> {
    Models(Provider),
    Model(Provider, &'a str),
    /// A response that was kept.
    Response(&'a str),
    InputItems {
        id: &'a str,
        ascending: bool,
    },
    Cancel(&'a str),
    Delete(&'a str),
}

/// What is made from a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask<'a> {
    Chat,
    Completions,
    Responses,
    Messages,
    Generate { model: &'a str, delivery: gemini::Delivery },
    Embeddings,
    GeminiEmbed { model: &'a str, is_batch: bool },
    Free(FreeAsk<'a>),
}

/// What is made from a body and costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FreeAsk<'a> {
    Moderations,
    ResponsesCount,
    MessagesCount,
    GeminiCount { model: &'a str },
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoute {
    UnknownPath,
    OtherMethod { allowed: &'static str },
    Websocket,
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
    let rest = ["/v1beta/", "/v1/", "/v1alpha/"].iter().find_map(|version| path.strip_prefix(*version))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let ask = match rest {
        "chat/completions" => Ask::Chat,
        "completions" => Ask::Completions,
        "responses" => Ask::Responses,
        "messages" => Ask::Messages,
        "embeddings" => Ask::Embeddings,
        "moderations" => Ask::Free(FreeAsk::Moderations),
        "responses/input_tokens" => Ask::Free(FreeAsk::ResponsesCount),
        "messages/count_tokens" => Ask::Free(FreeAsk::MessagesCount),
        "models" => return Some(("GET", Route::Look(Look::Models(provider)))),
        _ => return kept_response(method, rest, query).or_else(|| model(rest, query, provider)),
    };
    Some(("POST", Route::Ask(ask)))
}

fn kept_response<'a>(
    method: &Method,
    rest: &'a str,
    query: Option<&str>,
) -> Option<(&'static str, Route<'a>)> {
    let rest = rest.strip_prefix("responses/")?;
    let (allowed, look) = match rest.split_once('/') {
        // `compact` is another request of the provider's, which is not simulated.
        None if rest == "compact" => return None,
        None if method == Method::DELETE => ("GET, DELETE", Look::Delete(rest)),
        None => ("GET, DELETE", Look::Response(rest)),
        Some((id, "cancel")) => ("POST", Look::Cancel(id)),
        Some((id, "input_items")) => {
            ("GET", Look::InputItems { id, ascending: has_pair(query, "order=asc") })
        }
        Some(_) => return None,
    };
    Some((allowed, Route::Look(look)))
}

/// A model, or what Gemini can be asked of it.
fn model<'a>(rest: &'a str, query: Option<&str>, provider: Provider) -> Option<(&'static str, Route<'a>)> {
    let rest = rest.strip_prefix("models/")?;
    let look = ("GET", Route::Look(Look::Model(provider, rest)));
    let Some((model, verb)) = rest.rsplit_once(':') else { return Some(look) };
    let ask = match verb {
        "generateContent" => Ask::Generate { model, delivery: gemini::Delivery::Whole },
        "streamGenerateContent" if has_pair(query, "alt=sse") => {
            Ask::Generate { model, delivery: gemini::Delivery::Events }
        }
        "streamGenerateContent" => Ask::Generate { model, delivery: gemini::Delivery::Array },
        "countTokens" => Ask::Free(FreeAsk::GeminiCount { model }),
        "embedContent" => Ask::GeminiEmbed { model, is_batch: false },
        "batchEmbedContents" => Ask::GeminiEmbed { model, is_batch: true },
        // A model's own name may hold a colon.
        _ => return Some(look),
    };
    Some(("POST", Route::Ask(ask)))
}

fn has_pair(query: Option<&str>, wanted: &str) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_route() {
        let gemini = |delivery| Ok(Route::Ask(Ask::Generate { model: "m", delivery }));
        let look = |look| Ok(Route::Look(look));
        let ask = |ask| Ok(Route::Ask(ask));
        for (method, path, query, expected) in [
            ("HEAD", "/", None, Ok(Route::Probe)),
            ("POST", "/v1/chat/completions", None, ask(Ask::Chat)),
            ("POST", "/v1/messages", Some("beta=true"), ask(Ask::Messages)),
            ("POST", "/v1/messages/count_tokens", None, ask(Ask::Free(FreeAsk::MessagesCount))),
            ("POST", "/v1/responses", None, ask(Ask::Responses)),
            ("GET", "/v1/responses/resp_1", None, look(Look::Response("resp_1"))),
            ("DELETE", "/v1/responses/resp_1", None, look(Look::Delete("resp_1"))),
            ("POST", "/v1/responses/resp_1/cancel", None, look(Look::Cancel("resp_1"))),
            (
                "GET",
                "/v1/responses/resp_1/input_items",
                Some("order=asc"),
                look(Look::InputItems { id: "resp_1", ascending: true }),
            ),
            ("POST", "/v1beta/models/m:generateContent", None, gemini(gemini::Delivery::Whole)),
            (
                "POST",
                "/v1beta/models/m:streamGenerateContent",
                Some("key=k&alt=sse"),
                gemini(gemini::Delivery::Events),
            ),
            ("POST", "/v1beta/models/m:streamGenerateContent", None, gemini(gemini::Delivery::Array)),
            ("POST", "/v1/models/m:generateContent", None, gemini(gemini::Delivery::Whole)),
            ("GET", "/v1beta/models/m", None, look(Look::Model(Provider::Gemini, "m"))),
            ("GET", "/v1/models/ft:gpt:x", None, look(Look::Model(Provider::OpenAi, "ft:gpt:x"))),
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
