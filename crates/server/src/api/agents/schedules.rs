//! `/api/agents/{id}/schedules`: what an agent is reminded of: once, each time that a cron expression holds, along with
//! every n-th step, or when files change.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::StatusCode;
use http::request::Parts;
use seawall_base::id;
use seawall_engine::{Schedule, SetSchedule, Trigger, Unschedule};
use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::found::{Found, of_path};
use super::input::Input;
use crate::App;
use crate::problem::Problem;

/// The longest name of a schedule.
const LONGEST: usize = 128;

/// A reminder.
#[derive(Debug, Serialize)]
pub(super) struct Reminder {
    id: Arc<str>,
    text: Arc<str>,
    trigger: Trigger,
    /// The next time, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Timestamp>,
}

impl Reminder {
    fn of(id: &Arc<str>, schedule: &Schedule) -> Self {
        let Schedule { trigger, text, next, .. } = schedule.clone();
        Self { id: Arc::clone(id), text, trigger, next }
    }
}

/// The answer of `GET …/schedules`.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    schedules: Vec<Reminder>,
}

/// The body of a reminder: exactly one of the times.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    id: Option<String>,
    text: Arc<str>,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(default)]
    after_seconds: Option<u64>,
    #[serde(default)]
    cron: Option<Arc<str>>,
    #[serde(default)]
    every_steps: Option<u64>,
    #[serde(default)]
    files: Option<Arc<str>>,
}

impl Wanted {
    fn trigger(&self, now: Timestamp) -> Result<Trigger, Problem> {
        let after = self.after_seconds.map(|after| now.saturating_add(Duration::from_secs(after)));
        let once = self.at.into_iter().chain(after).map(|at| Trigger::Time { at });
        let cron = self.cron.iter().map(|spec| Trigger::Cron { spec: Arc::clone(spec) });
        let steps = self.every_steps.into_iter().map(|every| Trigger::Steps { every });
        let files = self.files.iter().map(|pattern| Trigger::Files { pattern: Arc::clone(pattern) });
        let mut triggers = once.chain(cron).chain(steps).chain(files);
        match (triggers.next(), triggers.next()) {
            (Some(trigger), None) => Ok(trigger),
            _ => {
                let message = "one of at, after_seconds, cron, every_steps and files says when";
                Err(Problem::input("/at", message, "send exactly one of them"))
            }
        }
    }
}

pub(super) async fn list(found: Found) -> Result<Json<Listed>, Problem> {
    let kept = found.runtime.load(found.id()).await?;
    let schedules = kept.agent().schedules().iter().map(|(id, schedule)| Reminder::of(id, schedule));
    Ok(Json(Listed { schedules: schedules.collect() }))
}

/// Has the agent reminded. A schedule of the same name is replaced.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    found: Found,
    Input(wanted): Input<Wanted>,
) -> Result<(StatusCode, Json<Reminder>), Problem> {
    let trigger = wanted.trigger(app.parts.clock.now())?;
    let is_name =
        |text: &str| (1..=LONGEST).contains(&text.len()) && !text.chars().any(|letter| letter.is_control());
    if wanted.id.as_deref().is_some_and(|id| !is_name(id)) {
        let message = format!("a schedule's id has 1 to {LONGEST} bytes and no control characters");
        return Err(Problem::input("/id", message, "choose another, or leave it out"));
    }
    let id = wanted.id.unwrap_or_else(|| format!("rem-{}", id::new_request(&*app.parts.clock)));
    let (id, text) = (Arc::<str>::from(id), wanted.text);
    let next = if let Trigger::Time { at } = trigger { Some(at) } else { None };
    let reminder = Reminder { id: Arc::clone(&id), text: Arc::clone(&text), trigger: trigger.clone(), next };
    found.runtime.schedule(found.id(), SetSchedule { id, trigger, text }).await?;
    Ok((StatusCode::CREATED, Json(reminder)))
}

/// The schedule of the path.
#[derive(Debug)]
pub(super) struct Named(Arc<str>);

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        of_path(parts, app, "schedule").await.map(|name| Self(name.into()))
    }
}

/// Has it reminded no more. There need be no such schedule.
pub(super) async fn remove(found: Found, Named(id): Named) -> Result<StatusCode, Problem> {
    found.runtime.command(found.id(), Unschedule { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
