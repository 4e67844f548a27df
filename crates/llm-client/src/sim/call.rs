//! One request from its arrival to its answer.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HeaderMap, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body;
use serde_json::{Map, Value};

use super::body::SimBody;
use super::openai::responses::Input;
use super::reception::{Reception, name_request, refused};
use super::refusal::{Provider, Refusal};
use super::route::{Ask, FreeAsk, Look, NoRoute, Route};
use super::scene::{Reply, Scene};
use super::stats::{Flight, Outcome};
use super::{Inner, anthropic, gemini, intake, models, openai, prompt, route};

/// A request that was read.
pub(super) struct Call<'a> {
    pub(super) head: &'a Parts,
    pub(super) provider: Provider,
    body: &'a Bytes,
    /// Of method, path and body.
    pub(super) digest: blake3::Hash,
    /// The beginning of the digest, for identifiers.
    pub(super) id: String,
}

impl Inner {
    pub(super) async fn call<B>(&self, head: Parts, body: B) -> Response<SimBody>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let provider = route::provider(head.uri.path(), &head.headers);
        let found = if asks_for_a_websocket(&head.headers) {
            Err(NoRoute::Websocket)
        } else {
            route::route(&head.method, head.uri.path(), head.uri.query(), provider)
        };
        if found == Ok(Route::Probe) {
            return Response::new(SimBody::free(Bytes::new()));
        }
        let mut flight = self.counters.begin();
        let request_id = format!("req_{:024x}", self.served.fetch_add(1, Ordering::Relaxed));
        let answered = match intake::read(&head.headers, body).await {
            Ok(body) => {
                self.log.add(self.clock.now(), &head.method, &head.uri, &head.headers, &body);
                match &self.replay {
                    Some(replay) => return replay.answer(&head, &body, flight),
                    None => self.answer(&Call::new(&head, provider, &body), found, &mut flight).await,
                }
            }
            Err(refusal) => Err(refusal),
        };
        let mut response = match answered {
            Ok(reception) => reception.into_response(flight),
            Err(refusal) => {
                flight.end(Outcome::Error);
                refused(&refusal, provider, &request_id)
            }
        };
        if let Err(NoRoute::OtherMethod { allowed }) = found {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        name_request(response.headers_mut(), provider, &request_id);
        response
    }

    async fn answer(
        &self,
        call: &Call<'_>,
        found: Result<Route<'_>, NoRoute>,
        flight: &mut Flight,
    ) -> Result<Reception, Refusal> {
        match found.map_err(|reason| no_route(reason, &call.head.method, call.head.uri.path()))? {
            Route::Probe => Ok(Reception::json(Bytes::new())),
            Route::Look(look) => self.free(self.look(look)?).await,
            Route::Ask(ask) => self.ask(call, ask, &parse(call.body)?, flight).await,
        }
    }

    fn look(&self, look: Look<'_>) -> Result<Reply, Refusal> {
        match look {
            Look::Models(provider) => Ok(models::all(provider)),
            Look::Model(provider, id) => models::one(provider, id),
            Look::Response(id) => self.responses.get(id),
            Look::InputItems { id, ascending } => self.responses.input_items(id, ascending),
            Look::Cancel(id) => self.responses.cancel(id),
            Look::Delete(id) => self.responses.delete(id),
        }
    }

    async fn ask(
        &self,
        call: &Call<'_>,
        ask: Ask<'_>,
        request: &Value,
        flight: &mut Flight,
    ) -> Result<Reception, Refusal> {
        let object = object(request)?;
        match ask {
            Ask::Chat => {
                self.converse(call, request, &openai::chat::read(object)?, openai::chat::write, flight).await
            }
            Ask::Completions => {
                let prompt = openai::completions::read(object)?;
                self.converse(call, request, &prompt, openai::completions::write, flight).await
            }
            Ask::Responses => self.respond(call, request, object, flight).await,
            Ask::Messages => {
                self.converse(call, request, &anthropic::read(object)?, anthropic::write, flight).await
            }
            Ask::Generate { model, delivery } => {
                let mut prompt = gemini::read(request, model)?;
                prompt.stream = delivery != gemini::Delivery::Whole;
                self.converse(call, request, &prompt, |scene| gemini::write(scene, delivery), flight).await
            }
            Ask::Embeddings => {
                let (reply, tokens) = openai::embeddings::answer(object)?;
                self.metered(call, reply, prompt::model(object)?, tokens, flight).await
            }
            Ask::GeminiEmbed { model, is_batch } => {
                let answer = if is_batch { gemini::embed::batch } else { gemini::embed::one };
                let (reply, tokens) = answer(request)?;
                self.metered(call, reply, model, tokens, flight).await
            }
            Ask::Free(ask) => self.free(self.ask_free(call, ask, request, object)?).await,
        }
    }

    fn ask_free(
        &self,
        call: &Call<'_>,
        ask: FreeAsk<'_>,
        request: &Value,
        object: &Map<String, Value>,
    ) -> Result<Reply, Refusal> {
        match ask {
            FreeAsk::Moderations => openai::moderations::answer(object, &call.id),
            FreeAsk::ResponsesCount => {
                let input = Input::new(object, &self.responses, &call.id)?;
                Ok(openai::responses::count(&openai::responses::read(object, &input)?))
            }
            FreeAsk::MessagesCount => Ok(anthropic::count(&anthropic::read(object)?)),
            FreeAsk::GeminiCount { model } => gemini::count(request, model),
        }
    }

    async fn respond(
        &self,
        call: &Call<'_>,
        request: &Value,
        object: &Map<String, Value>,
        flight: &mut Flight,
    ) -> Result<Reception, Refusal> {
        let input = Input::new(object, &self.responses, &call.id)?;
        let prompt = openai::responses::read(object, &input)?;
        let mut resource = None;
        let write = |scene: &Scene<'_>| {
            let (reply, written) = openai::responses::write(scene);
            resource = Some(written);
            reply
        };
        let reception = self.converse(call, request, &prompt, write, flight).await?;
        let is_kept = object.get("store").and_then(Value::as_bool).unwrap_or(true);
        if let Some(resource) = resource.filter(|_| is_kept) {
            self.responses.put(input.keep(resource));
        }
        Ok(reception)
    }

    /// As long as every answer takes, and `delay` more.
    pub(super) async fn wait(&self, delay: Duration) {
        let wait = self.options.latency.saturating_add(delay);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    async fn free(&self, reply: Reply) -> Result<Reception, Refusal> {
        self.wait(Duration::ZERO).await;
        match reply {
            Reply::Whole(bytes) => Ok(Reception::json(bytes)),
            Reply::Stream { .. } => Err(Refusal::bad_request("there is nothing to stream")),
        }
    }

    async fn metered(
        &self,
        call: &Call<'_>,
        reply: Reply,
        model: &str,
        tokens: u64,
        flight: &mut Flight,
    ) -> Result<Reception, Refusal> {
        let reception = self.free(reply).await?;
        flight.charge(call.provider, model, tokens);
        Ok(reception)
    }
}

impl<'a> Call<'a> {
    fn new(head: &'a Parts, provider: Provider, body: &'a Bytes) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(head.method.as_str().as_bytes()).update(b" ").update(head.uri.path().as_bytes());
        let digest = hasher.update(b"\n").update(body).finalize();
        let id = digest.to_hex().chars().take(24).collect();
        Self { head, provider, body, digest, id }
    }
}

fn asks_for_a_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn no_route(reason: NoRoute, method: &Method, path: &str) -> Refusal {
    match reason {
        NoRoute::UnknownPath => Refusal::new(
            StatusCode::NOT_FOUND,
            format!("the simulated provider has nothing at {method} {path}"),
        ),
        NoRoute::OtherMethod { allowed } => {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} wants {allowed}, not {method}"))
        }
        // What OpenAI answers where it has none; clients go on over HTTP then.
        NoRoute::Websocket => {
            Refusal::new(StatusCode::UPGRADE_REQUIRED, "the simulated provider speaks no websocket; use HTTP")
        }
    }
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!("we could not parse the JSON body of your request: {error}"))
    })
}

fn object(request: &Value) -> Result<&Map<String, Value>, Refusal> {
    request.as_object().ok_or_else(|| Refusal::bad_request("the body of your request is no JSON object"))
}
