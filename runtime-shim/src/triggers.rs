//! What started a run: the events and runs that the orchestrator hands over, and the parameters that they bring.
//!
//! All of it is data that somebody else wrote: nothing of it is ever a name, a path or a template.

use flowc_protocol::exit::Exit;
use flowc_protocol::identity::{run_id, task_prefix};
use flowc_protocol::json_text::{JsonText, Members};
use flowc_protocol::manifest::{Manifest, Trigger};
use flowc_protocol::trigger::{Kind, Started};
use indexmap::IndexMap;
use serde_json::{Number, Value};

use crate::commit::{self, Place};
use crate::error::TaskError;
use crate::store::Store;

/// What started a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Causes {
    /// The latest first.
    pub started: Vec<Started>,
    /// Values of parameters that events brought.
    pub parameters: Members,
    /// Which field of which event each of them was, for people.
    pub origins: IndexMap<String, String>,
}

impl Causes {
    /// Takes what the orchestrator says of the `number`th trigger of the flow.
    pub async fn take(
        &mut self,
        store: &Store,
        manifest: &Manifest,
        number: usize,
        said: &JsonText,
    ) -> Result<(), TaskError> {
        match manifest.triggers.get(number) {
            None => Err(configuration(format!(
                "the orchestrator says of trigger {number} that it came, and flow `{}` has {}",
                manifest.flow,
                manifest.triggers.len()
            ))),
            Some(Trigger::Event { name, parameters }) => {
                let Some(payload) = said.members() else {
                    return Err(configuration(format!(
                        "the payload of the event `{name}` is no JSON object"
                    )));
                };
                self.event(name, parameters, &payload, &payload);
                Ok(())
            }
            Some(Trigger::Run { name, flow }) => {
                let members = said.members().unwrap_or_default();
                let token = members.get("run").unwrap_or(said);
                self.run(store, name, flow, token).await
            }
        }
    }

    /// Takes an event as `EventBridge` writes it; false if `input` is none.
    pub async fn take_event_bridge(
        &mut self,
        store: &Store,
        manifest: &Manifest,
        input: &Members,
    ) -> Result<bool, TaskError> {
        let text = |name: &str| input.get(name).and_then(JsonText::as_string);
        let (Some(what), Some(source), Some(detail)) =
            (text("detail-type"), text("source"), input.get("detail"))
        else {
            return Ok(false);
        };
        let meant = manifest.triggers.iter().find(|trigger| match trigger {
            Trigger::Event { name, .. } => *name == what,
            Trigger::Run { .. } => source == "aws.states",
        });
        match meant {
            None => Err(configuration(format!(
                "the event `{what}` of `{source}` is none that starts flow `{}`",
                manifest.flow
            ))),
            Some(Trigger::Event { name, parameters }) => {
                let Some(payload) = detail.members() else {
                    return Err(configuration(format!(
                        "`detail` of the event `{name}` is no JSON object"
                    )));
                };
                let mut about = Members::new();
                for (ours, theirs) in [("id", "id"), ("timestamp", "time")] {
                    about.extend(input.get(theirs).map(|it| (ours.to_owned(), it.clone())));
                }
                self.event(name, parameters, &payload, &about);
                Ok(true)
            }
            Some(Trigger::Run { name, flow }) => {
                let detail = detail.members().unwrap_or_default();
                let of = |name: &str| detail.get(name);
                let status = of("status").map_or("null", JsonText::text);
                if status != "\"SUCCEEDED\"" {
                    return Err(configuration(format!(
                        "the run of `{flow}` that ended has the status {status}, not SUCCEEDED"
                    )));
                }
                let token = of("input")
                    .and_then(resumed_as)
                    .or_else(|| Some(format!("sfn:{}", of("name")?.as_string()?)));
                let token = token.map_or(Value::Null, Value::String);
                self.run(store, name, flow, &token.into()).await?;
                Ok(true)
            }
        }
    }

    fn event(
        &mut self,
        name: &str,
        parameters: &IndexMap<String, String>,
        payload: &Members,
        about: &Members,
    ) {
        for (parameter, field) in parameters {
            // A field that is not there leaves the parameter's default.
            if let Some(value) = payload.get(field) {
                let origin = format!("field `{field}` of the event `{name}`");
                self.parameters.insert(parameter.clone(), value.clone());
                self.origins.insert(parameter.clone(), origin);
            }
        }
        let id = about.get("id").and_then(|id| {
            let is_number = id
                .text()
                .starts_with(|c: char| c == '-' || c.is_ascii_digit());
            is_number
                .then(|| id.text().to_owned())
                .or_else(|| id.as_string())
        });
        let time = about.get("timestamp").and_then(JsonText::value);
        self.enter(Started {
            timestamp: time.as_ref().and_then(seconds),
            id,
            name: name.to_owned(),
            kind: Kind::Event,
        });
    }

    async fn run(
        &mut self,
        store: &Store,
        name: &str,
        flow: &str,
        token: &JsonText,
    ) -> Result<(), TaskError> {
        let Some(run) = token.as_string().as_deref().and_then(run_id) else {
            let token = token.text();
            return Err(configuration(format!(
                "the run of `{flow}` that ended is handed over as {token}, which is no run: it has the form argo:NAME, sfn:NAME, airflow:NAME or id:RUN"
            )));
        };
        let Some(end) = finished(store, flow, &run).await? else {
            return Err(configuration(format!(
                "the run {flow}/{run} that ended has left no result in {}: both flows need the same store",
                store.url()
            )));
        };
        self.enter(Started {
            name: name.to_owned(),
            ..end.started()
        });
        Ok(())
    }

    /// As Metaflow: the latest first, and what has no time last; the order of the triggers among equals.
    fn enter(&mut self, one: Started) {
        let time = |one: &Started| one.timestamp.as_ref().and_then(Number::as_f64);
        let later =
            |other: &Started| time(&one).unwrap_or(f64::MIN) > time(other).unwrap_or(f64::MIN);
        let at = self.started.iter().position(later);
        self.started.insert(at.unwrap_or(self.started.len()), one);
    }
}

/// The end task of a run that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Name of the flow.
    pub flow: String,
    /// Run id.
    pub run: String,
    /// Name of its last step.
    pub end: String,
    /// When its last task committed, milliseconds since the epoch; S3 tells whole seconds.
    pub at_ms: u64,
}

impl Finished {
    /// As what starts another run.
    #[must_use]
    pub fn started(&self) -> Started {
        Started {
            timestamp: Some((self.at_ms / 1000).into()),
            id: Some(task_prefix(&self.flow, &self.run, &self.end, "t")),
            name: format!("metaflow.{}.{}", self.flow, self.end),
            kind: Kind::Run,
        }
    }
}

/// How a run ended; `None` if it has not, or not well.
pub async fn finished(store: &Store, flow: &str, run: &str) -> Result<Option<Finished>, TaskError> {
    let parameters = Place::new(flow, run, flowc_protocol::identity::PARAMETERS_STEP, "t");
    let Some(began) = commit::find(store, &parameters).await? else {
        return Ok(None);
    };
    let end = began.end.unwrap_or_else(|| "end".to_owned());
    let place = Place::new(flow, run, &end, "t");
    let folder = store.list(&place.prefix).await?;
    let key = place.commit();
    let committed = folder.keys.iter().find(|found| found.key == key);
    Ok(committed.map(|found| Finished {
        flow: flow.to_owned(),
        run: run.to_owned(),
        end,
        at_ms: found.modified_ms,
    }))
}

/// The run that an execution of Step Functions resumed under another id, by its input.
fn resumed_as(input: &JsonText) -> Option<String> {
    let input: Members = serde_json::from_str(&input.as_string()?).ok()?;
    input.get("flowc_run")?.as_string()
}

/// The years 1 to 9999, which Python's `datetime` has, in seconds since the epoch; Metaflow's client makes one of each time.
const TIMES: std::ops::RangeInclusive<f64> = -62_135_596_800.0..=253_402_300_799.0;

/// A time as seconds since the epoch: a number, or a text as RFC 3339 writes it.
fn seconds(time: &Value) -> Option<Number> {
    match time {
        Value::Number(number) => {
            let is_time = number
                .as_f64()
                .is_some_and(|number| TIMES.contains(&number));
            is_time.then(|| number.clone())
        }
        Value::String(text) => {
            let time = rfc3339(text).filter(|time| TIMES.contains(&(*time as f64)))?;
            Some(time.into())
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `2026-01-31T12:00:00Z`, also with a fraction, which is dropped, or an offset.
fn rfc3339(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        let are = digits.bytes().all(|digit| digit.is_ascii_digit());
        are.then(|| digits.parse().ok())?
    };
    let marks = [(4, '-'), (7, '-'), (13, ':'), (16, ':')];
    let is = |(at, mark): (usize, char)| text.get(at..=at).is_some_and(|it| it.starts_with(mark));
    if !marks.into_iter().all(is)
        || !text
            .get(10..11)
            .is_some_and(|t| matches!(t, "T" | "t" | " "))
    {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let rest = text.get(19..)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let at = text.len() - rest.len();
    let offset = match rest {
        "Z" | "z" => 0,
        _ if rest.len() == 6 && rest.as_bytes()[3] == b':' => {
            let seconds = number(at + 1, at + 3)? * 3600 + number(at + 4, at + 6)? * 60;
            match rest.as_bytes()[0] {
                b'+' => seconds,
                b'-' => -seconds,
                _ => return None,
            }
        }
        _ => return None,
    };
    // Days of the civil calendar, from 1 March of year 0: "chrono-Compatible Low-Level Date Algorithms" (Hinnant).
    let year = year - i64::from(month <= 2);
    let month = (month + 9) % 12;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

fn configuration(message: String) -> TaskError {
    TaskError::new(Exit::Configuration, message)
}

#[cfg(test)]
mod tests;
