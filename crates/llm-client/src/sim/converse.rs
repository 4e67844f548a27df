//! The model's part of a request: which answer is due, and what it becomes.

use std::sync::PoisonError;

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;
use serde_json::Value;

use super::Inner;
use super::answer::{Answer, Delivery};
use super::call::Call;
use super::directive::{Manner, Say};
use super::prompt::Prompt;
use super::reception::Reception;
use super::refusal::Refusal;
use super::scene::{Reply, Scene};
use super::stats::Flight;
use super::turn::{self, Turn};

/// A header that holds a directive; several are several lines.
const DIRECTIVE_HEADER: &str = "x-sim";

/// All choices of an answer together are at most so long.
const ANSWER_LIMIT: u64 = 64 * 1024 * 1024;

impl Inner {
    /// Chooses the turn, waits as long as it is to take, and answers in the words of `write`.
    pub(super) async fn converse(
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
        if let Some(bytes) = unusual(&turn).await? {
            flight.charge(call.provider, prompt.model, prompt.input_tokens());
            return Ok(Reception::raw(bytes, prompt.stream, &delivery, self.options.tokens_per_second));
        }
        let answer = Answer::new(prompt, &turn, &call.id);
        let answer_bytes = answer.answer_bytes().saturating_mul(prompt.choices);
        if answer_bytes > ANSWER_LIMIT {
            return Err(Refusal::bad_request("all choices together would be longer than 64 MiB").param("n"));
        }
        let tokens = answer.tokens(prompt);
        let created = self.clock.now().as_secs();
        let reply = write(&Scene {
            id: &call.id,
            created,
            request,
            prompt,
            answer: &answer,
            tokens,
            delivery: &delivery,
        });
        flight.charge(call.provider, prompt.model, tokens.input);
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
}

/// What is no answer of a model: an error, silence, or bytes to be sent as they are.
async fn unusual(turn: &Turn) -> Result<Option<&Bytes>, Refusal> {
    for say in &turn.says {
        match say {
            Say::Error { status, retry_after } => {
                return Err(directed(*status).retry_after(retry_after.clone()));
            }
            Say::Hang => std::future::pending().await,
            Say::Raw(bytes) => return Ok(Some(bytes)),
            Say::Text(_) | Say::Echo | Say::Secret | Say::Calls(_) => {}
        }
    }
    Ok(None)
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
