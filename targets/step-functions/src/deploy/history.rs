//! The history of an execution, as far as it tells of trouble with tasks.

use std::collections::HashMap;

use aws_sdk_sfn::types::HistoryEvent;
use flowc_target::deploy::DeployError;
use serde_json::Value;

use super::clients::Clients;
use super::errors::{Request, explain};

/// Events that an execution can have at most (Step Functions, "Quotas").
const EVENTS_MAX: usize = 25_000;

/// What one visit of a state saw; a state in a map or branch is visited once for each item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) state: String,
    /// The index path in the state's input, if it has one.
    pub(super) index: Option<String>,
    /// Each failure in turn: error and cause; another attempt followed all but the last one.
    pub(super) failures: Vec<(String, String)>,
    /// Whether an attempt began after the last failure.
    pub(super) tries_again: bool,
    /// What the task that succeeded left: Batch's description of the job.
    pub(super) output: Option<String>,
}

/// What an execution's history tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// Visits of states that call a service, in order of entry.
    pub(super) visits: Vec<Visit>,
    /// ARNs of distributed maps.
    pub(super) map_runs: Vec<String>,
}

/// Reads all of it.
pub(super) async fn read(clients: &Clients, arn: &str) -> Result<History, DeployError> {
    let mut pages = clients
        .states
        .get_execution_history()
        .execution_arn(arn)
        .max_results(1000)
        .into_paginator()
        .items()
        .send();
    let mut events = Vec::new();
    while events.len() < EVENTS_MAX
        && let Some(event) = pages.next().await
    {
        events.push(event.map_err(|error| {
            let permission = "states:GetExecutionHistory";
            explain(
                error,
                &Request::new("Step Functions", "read the history of", permission, arn),
            )
        })?);
    }
    Ok(collect(&events))
}

/// Events name the event before them; so each leads back to the entry of its state.
fn collect(events: &[HistoryEvent]) -> History {
    let mut history = History::default();
    let mut visit_of: HashMap<i64, usize> = HashMap::new();
    for event in events {
        if let Some(entered) = event.state_entered_event_details() {
            visit_of.insert(event.id(), history.visits.len());
            history.visits.push(Visit {
                state: entered.name().to_owned(),
                index: entered.input().and_then(index),
                ..Visit::default()
            });
            continue;
        }
        if let Some(started) = event.map_run_started_event_details() {
            history
                .map_runs
                .extend(started.map_run_arn().map(str::to_owned));
        }
        let Some(place) = visit_of.get(&event.previous_event_id()).copied() else {
            continue;
        };
        visit_of.insert(event.id(), place);
        let visit = &mut history.visits[place];
        let failure = event
            .task_failed_event_details()
            .map(|failed| (failed.error(), failed.cause()))
            .or_else(|| {
                let timed_out = event.task_timed_out_event_details()?;
                Some((timed_out.error(), timed_out.cause()))
            });
        if let Some((error, cause)) = failure {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            visit.failures.push((text(error), text(cause)));
            visit.tries_again = false;
        } else if event.task_scheduled_event_details().is_some() {
            visit.tries_again = true;
        } else if let Some(succeeded) = event.task_succeeded_event_details() {
            visit.output = succeeded.output().map(str::to_owned);
        }
    }
    history
}

/// The index path that the data inside a foreach carries.
pub(super) fn index(input: &str) -> Option<String> {
    let data: Value = serde_json::from_str(input).ok()?;
    Some(data["index"].as_str()?.to_owned())
}
