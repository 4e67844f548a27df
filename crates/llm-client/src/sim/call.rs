//! One request from its arrival to its answer.

use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body;
use serde_json::{Map, Value};

use super::answer::{Answer, Delivery};
use super::body::SimBody;
use super::directive::{Manner, Say};
use super::openai::responses::Input;
use super::prompt::Prompt;
use super::reception::{Reception, name_request, refused};
use super::refusal::{Provider, Refusal};
use super::route::{NoRoute, ResponsePart, Route};
use super::scene::{Reply, Scene};
use super::stats::{Flight, Outcome};
use super::turn::{self, Turn};
use super::{
    Inner, anthropic, gemini, gemini_other, intake, models, openai_chat, openai_completions, openai_other,
    openai_responses, prompt, route,
};

/// A header that holds a directive; several are several lines.
const DIRECTIVE_HEADER: &str = "x-sim";

/// A request that was read.
struct Call<'a> {
    head: &'a Parts,
    provider: Provider,
    body: &'a Bytes,
    /// Of method, path and body.
    digest: blake3::Hash,
    /// The beginning of the digest, for identifiers.
    id: String,
}

impl Inner {
    pub(super) async fn call<B>(&self, head: Parts, body: B) -> Response<SimBody>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let provider = route::provider(head.uri.path(), &head.headers);
        let found = route::route(&head.method, head.uri.path(), head.uri.query(), provider);
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
            Route::Models(provider) => self.at_once(models::all(provider)).await,
            Route::Model(provider, id) => self.at_once(models::one(provider, id)?).await,
            Route::Response { id, part } => {
                let reply = match part {
                    ResponsePart::Get => self.responses.get(id),
                    ResponsePart::Cancel => self.responses.cancel(id),
                    ResponsePart::InputItems => {
                        self.responses.input_items(id, is_ascending(call.head.uri.query()))
                    }
                    ResponsePart::Delete => self.responses.delete(id),
                };
                self.at_once(reply?).await
            }
            route => {
                let request = parse(call.body)?;
                self.answer_request(call, route, &request, flight).await
            }
        }
    }

    async fn answer_request(
        &self,
        call: &Call<'_>,
        route: Route<'_>,
        request: &Value,
        flight: &mut Flight,
    ) -> Result<Reception, Refusal> {
        let object = object(request)?;
        match route {
            Route::Embeddings => {
                let (reply, tokens) = openai::embeddings::answer(object)?;
                self.metered(call, reply, prompt::model(object)?, tokens, flight).await
            }
            Route::GeminiEmbed { model, is_batch } => {
                let (reply, tokens) =
                    if is_batch { gemini::embed::batch(request) } else { gemini::embed::one(request) }?;
                self.metered(call, reply, model, tokens, flight).await
            }
            Route::Moderations => self.at_once(openai::moderations::answer(object, &call.id)?).await,
            Route::CountTokens => self.at_once(anthropic::count(&anthropic::read(object)?)).await,
            Route::GeminiCount { model } => self.at_once(gemini::count(request, model)?).await,
            Route::ResponsesCount => {
                let input = Input::new(object, &self.responses, &call.id)?;
                self.at_once(openai::responses::count(&openai::responses::read(object, &input)?)).await
            }
            Route::Responses => self.respond(call, request, object, flight).await,
            Route::Generate { model, delivery } => {
                let mut prompt = gemini::read(request, model)?;
                prompt.stream = delivery != gemini::Delivery::Whole;
                self.converse(call, request, &prompt, |scene| gemini::write(scene, delivery), flight).await
            }
            Route::Messages => {
                self.converse(call, request, &anthropic::read(object)?, anthropic::write, flight).await
            }
            Route::Completions => {
                let prompt = openai::completions::read(object)?;
                self.converse(call, request, &prompt, openai::completions::write, flight).await
            }
            _ => self.converse(call, request, &openai::chat::read(object)?, openai::chat::write, flight).await,
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

    /// The model's part: chooses the turn, waits as long as it is to take, and answers.
    async fn converse(
        &self,
        call: &Call<'_>,
        request: &Value,
        prompt: &Prompt<'_>,
        write: impl FnOnce(&Scene<'_>) -> Reply,
        flight: &mut Flight,
    ) -> Result<Reception, Refusal> {
        let turn = self.turn(call, prompt)?;
        let delivery = Delivery::new(&turn);
        self.wait(delivery.delay).await;
        self.fail(call, &turn)?;
        for say in &turn.says {
            match say {
                Say::Error { status, retry_after } => {
                    return Err(directed(*status).retry_after(retry_after.clone()));
                }
                Say::Hang => std::future::pending().await,
                Say::Raw(bytes) => {
                    flight.charge(call.provider, prompt.model, prompt.input_tokens());
                    return Ok(Reception::raw(
                        bytes,
                        prompt.stream,
                        &delivery,
                        self.options.tokens_per_second,
                    ));
                }
                Say::Text(_) | Say::Echo | Say::Secret | Say::Calls(_) => {}
            }
        }
        let answer = Answer::new(prompt, &turn, &call.id);
        let tokens = answer.tokens(prompt);
        let created = self.clock.now().as_secs();
        let scene =
            Scene { id: &call.id, created, request, prompt, answer: &answer, tokens, delivery: &delivery };
        let reply = write(&scene);
        flight.charge(call.provider, prompt.model, tokens.input);
        let answer_bytes = answer.answer_bytes().saturating_mul(prompt.choices);
        Ok(Reception::new(reply, answer_bytes, &delivery, self.options.tokens_per_second))
    }

    /// Headers say more than the prompt, the prompt more than the script.
    fn turn(&self, call: &Call<'_>, prompt: &Prompt<'_>) -> Result<Turn, Refusal> {
        let headers = directives_in(&call.head.headers);
        let found = if headers.is_empty() { turn::due(&prompt.items) } else { Some(turn::first(&headers)) };
        if let Some(turn) = found {
            return turn.map_err(|error| Refusal::bad_request(error.to_string()));
        }
        let Some(script) = &self.options.script else { return Ok(Turn::default()) };
        let mut progress = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(script.next(prompt.last_user_text(), &mut progress).cloned().unwrap_or_default())
    }

    fn fail(&self, call: &Call<'_>, turn: &Turn) -> Result<(), Refusal> {
        for manner in &turn.manners {
            if let Manner::Fail { times, status } = *manner
                && self.failures.fails(call.digest, times)
            {
                return Err(directed(status));
            }
        }
        Ok(())
    }

    async fn wait(&self, delay: Duration) {
        let wait = self.options.latency.saturating_add(delay);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    async fn at_once(&self, reply: Reply) -> Result<Reception, Refusal> {
        self.wait(Duration::ZERO).await;
        let Reply::Whole(bytes) = reply else {
            return Err(Refusal::bad_request("there is nothing to stream"));
        };
        Ok(Reception::json(bytes))
    }

    async fn metered(
        &self,
        call: &Call<'_>,
        reply: Reply,
        model: &str,
        tokens: u64,
        flight: &mut Flight,
    ) -> Result<Reception, Refusal> {
        flight.charge(call.provider, model, tokens);
        self.at_once(reply).await
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

fn no_route(reason: NoRoute, method: &Method, path: &str) -> Refusal {
    match reason {
        NoRoute::UnknownPath => Refusal::new(
            StatusCode::NOT_FOUND,
            format!("the simulated provider has nothing at {method} {path}"),
        ),
        NoRoute::OtherMethod { allowed } => {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} wants {allowed}, not {method}"))
        }
    }
}

/// An error that was asked for.
fn directed(status: StatusCode) -> Refusal {
    Refusal::new(status, format!("simulated error {}", status.as_u16()))
}

fn directives_in(headers: &HeaderMap) -> String {
    let values =
        headers.get_all(DIRECTIVE_HEADER).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    values.collect::<Vec<_>>().join("\n")
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!("we could not parse the JSON body of your request: {error}"))
    })
}

fn object(request: &Value) -> Result<&Map<String, Value>, Refusal> {
    request.as_object().ok_or_else(|| Refusal::bad_request("the body of your request is no JSON object"))
}

fn is_ascending(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair == "order=asc"))
}
