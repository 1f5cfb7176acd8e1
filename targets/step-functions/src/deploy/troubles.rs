//! Trouble with tasks that their own records may not tell, from Batch's descriptions of jobs in the history.

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use flowc_core::ir::plan::Plan;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::IndexPath;
use flowc_target::deploy::{DeployError, Trouble};
use serde_json::Value;

use super::clients::Clients;
use super::errors::{Request, explain};
use super::history::{self, History, Visit};
use super::runs;

/// Failed children of distributed maps that are looked at: more say the same.
const CHILDREN_MAX: usize = 50;

/// Longest text of an error that is shown, characters.
const REASON_MAX: usize = 300;

/// Troubles of an execution and of the failed children of its maps.
pub(super) async fn of(
    clients: &Clients,
    plan: Option<&Plan>,
    execution: &DescribeExecutionOutput,
) -> Result<Vec<Trouble>, DeployError> {
    let history = history::read(clients, execution.execution_arn()).await?;
    let is_running = execution.status() == &ExecutionStatus::Running;
    let mut troubles = from_history(&history, None, is_running);
    for map_run in &history.map_runs {
        for child in failed_children(clients, map_run).await? {
            let Some(described) = runs::describe(clients, &child).await? else {
                continue;
            };
            let index = described.input().and_then(history::index);
            let history = history::read(clients, &child).await?;
            troubles.extend(from_history(&history, index.as_deref(), false));
        }
    }
    for trouble in &mut troubles {
        trouble.step = step_name(plan, &trouble.step);
    }
    Ok(troubles)
}

async fn failed_children(clients: &Clients, map_run: &str) -> Result<Vec<String>, DeployError> {
    let mut found = Vec::new();
    for status in [ExecutionStatus::Failed, ExecutionStatus::TimedOut] {
        let mut pages = clients
            .states
            .list_executions()
            .map_run_arn(map_run)
            .status_filter(status)
            .into_paginator()
            .items()
            .send();
        while found.len() < CHILDREN_MAX
            && let Some(child) = pages.next().await
        {
            let child = child.map_err(|error| {
                let permission = "states:ListExecutions";
                explain(
                    error,
                    &Request::new("Step Functions", "list children of", permission, map_run),
                )
            })?;
            found.push(child.execution_arn);
        }
    }
    Ok(found)
}

/// The plan's name of a step, from the state's.
fn step_name(plan: Option<&Plan>, state: &str) -> String {
    let known = plan.and_then(|plan| {
        let mut steps = plan.steps.iter().map(|(_, step)| &step.name);
        steps.find(|step| crate::names::STATE.legal(step) == state)
    });
    known.cloned().unwrap_or_else(|| state.to_owned())
}

/// `index` is that of the child whose history this is.
fn from_history(history: &History, index: Option<&str>, is_running: bool) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for visit in &history.visits {
        // The data outside any foreach has no index.
        let path = visit.index.as_deref().or(index).unwrap_or_default();
        let path: Option<IndexPath> = path.parse().ok();
        let mut add = |step: &str, cause: String, is_final: bool| {
            troubles.push(Trouble {
                step: step.to_owned(),
                index: path.clone(),
                cause,
                is_final,
            });
        };
        let count = visit.failures.len();
        for (place, (error, cause)) in visit.failures.iter().enumerate() {
            let ends_task = place + 1 == count && !visit.tries_again && !is_running;
            match serde_json::from_str::<Value>(cause) {
                Ok(job) if job["JobId"].is_string() => {
                    let step = job["Parameters"]["step"].as_str().unwrap_or(&visit.state);
                    add_job(&job, ends_task, |cause, is_final| {
                        add(step, cause, is_final);
                    });
                }
                _ => add(
                    &visit.state,
                    shorten(&format!("{error}: {cause}")),
                    ends_task,
                ),
            }
        }
        add_lost_attempts(visit, |cause| add(&visit.state, cause, false));
    }
    troubles
}

/// Attempts within a job that Batch itself repeated, and the last one.
fn add_job(job: &Value, ends_task: bool, mut add: impl FnMut(String, bool)) {
    let attempts = job["Attempts"].as_array().map_or(&[][..], Vec::as_slice);
    let (last, earlier) = match attempts.split_last() {
        Some((_, earlier)) => (job, earlier),
        None => (job, &[][..]),
    };
    for attempt in earlier {
        if let Some(cause) = cause(attempt) {
            add(cause, false);
        }
    }
    if let Some(cause) = cause(last) {
        add(cause, ends_task);
    }
}

fn add_lost_attempts(visit: &Visit, mut add: impl FnMut(String)) {
    let job: Value = visit
        .output
        .as_deref()
        .and_then(|output| serde_json::from_str(output).ok())
        .unwrap_or_default();
    let Some((_, earlier)) = job["Attempts"]
        .as_array()
        .and_then(|attempts| attempts.split_last())
    else {
        return;
    };
    for attempt in earlier {
        if let Some(cause) = cause(attempt) {
            add(cause);
        }
    }
}

/// One line on a job or an attempt of one; `None` if the task's own record says more: user code failed.
fn cause(job: &Value) -> Option<String> {
    let container = &job["Container"];
    let status = job["StatusReason"].as_str().unwrap_or_default();
    let reason = container["Reason"].as_str().unwrap_or_default();
    let exit = container["ExitCode"].as_i64();
    if reason.starts_with("OutOfMemory") {
        return Some(match exit {
            Some(exit) => format!("out of memory (exit {exit})"),
            None => "out of memory".to_owned(),
        });
    }
    if status.starts_with("Host EC2") || status.starts_with("Your Spot Task was interrupted") {
        return Some(format!("the host was lost: {}", shorten(status)));
    }
    if status.contains("attempt duration exceeded timeout") {
        return Some("took longer than its timeout".to_owned());
    }
    if reason.starts_with("CannotPullContainerError") {
        let image = container["Image"].as_str().unwrap_or("?");
        return Some(format!(
            "image \"{image}\" cannot be pulled: {}",
            shorten(reason)
        ));
    }
    let code = |exit: Exit| i64::from(exit.code());
    match exit {
        Some(0) => None,
        // Told by the attempt's own record.
        Some(exit) if exit == code(Exit::UserFailure) || exit == code(Exit::UserFailureFinal) => {
            None
        }
        Some(137) => Some("killed (exit 137)".to_owned()),
        Some(143) => Some("stopped (exit 143)".to_owned()),
        Some(exit) => Some(ended(exit, container["LogStreamName"].as_str())),
        None if !reason.is_empty() => Some(shorten(reason)),
        None => Some(shorten(status)),
    }
}

/// The shim's own exit codes have a meaning, and it has written one line about each to the container's log.
fn ended(exit: i64, log_stream: Option<&str>) -> String {
    let mut said = match Exit::from_code(exit) {
        Some(known) => format!("{} (exit {exit})", known.meaning()),
        None => format!("ended with exit code {exit}"),
    };
    if let Some(stream) = log_stream {
        said.push_str(", see CloudWatch's log stream ");
        said.push_str(stream);
    }
    said
}

/// Why an execution ended badly: the error's name and, where it is text, its cause.
pub(super) fn reason(error: Option<&str>, cause: Option<&str>) -> Option<String> {
    let cause_text = cause.unwrap_or_default();
    let job: Value = serde_json::from_str(cause_text).unwrap_or_default();
    if job["JobId"].is_string() {
        let step = job["Parameters"]["step"].as_str().unwrap_or("?");
        return Some(match self::cause(&job) {
            Some(why) => format!("step `{step}`: {why}"),
            None => format!("step `{step}` failed"),
        });
    }
    match (error, cause_text) {
        (None, "") => None,
        (None, cause) => Some(shorten(cause)),
        (Some(error), "") => Some(error.to_owned()),
        (Some(error), cause) => Some(shorten(&format!("{error}: {cause}"))),
    }
}

/// The first line, at most [`REASON_MAX`] characters of it.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(status: &str, reason: &str, exit: Option<i64>) -> String {
        serde_json::json!({
            "JobId": "1",
            "Parameters": {"step": "train"},
            "StatusReason": status,
            "Container": {"ExitCode": exit, "Reason": reason, "Image": "x:1"},
            "Attempts": [
                {"StatusReason": "Host EC2 (instance i-1) terminated.", "Container": {}},
                {"StatusReason": status, "Container": {"ExitCode": exit, "Reason": reason}},
            ],
        })
        .to_string()
    }

    fn visit(failures: &[String], tries_again: bool) -> History {
        let failures = failures
            .iter()
            .map(|cause| ("States.TaskFailed".to_owned(), cause.clone()));
        History {
            visits: vec![Visit {
                state: "train".to_owned(),
                index: Some("3-1".to_owned()),
                failures: failures.collect(),
                tries_again,
                output: None,
            }],
            map_runs: Vec::new(),
        }
    }

    fn told(history: &History) -> Vec<(String, bool)> {
        let troubles = from_history(history, None, false);
        for trouble in &troubles {
            assert_eq!(trouble.step, "train");
            assert_eq!(
                trouble.index.as_ref().map(ToString::to_string).as_deref(),
                Some("3-1")
            );
        }
        troubles
            .into_iter()
            .map(|trouble| (trouble.cause, trouble.is_final))
            .collect()
    }

    #[test]
    fn jobs_tell_why_they_were_lost() {
        let exited = "Essential container in task exited";
        let oom = "OutOfMemoryError: Container killed due to memory usage";
        let lost = (
            "the host was lost: Host EC2 (instance i-1) terminated.".to_owned(),
            false,
        );
        let memory = job(exited, oom, Some(137));
        assert_eq!(
            told(&visit(&[memory], false)),
            [lost.clone(), ("out of memory (exit 137)".to_owned(), true)]
        );
        let killed = job(exited, "", Some(137));
        assert_eq!(
            told(&visit(&[killed], true)),
            [lost.clone(), ("killed (exit 137)".to_owned(), false)]
        );
        let user = job(exited, "", Some(1));
        assert_eq!(told(&visit(std::slice::from_ref(&user), false)), [lost]);
        assert_eq!(
            reason(Some("States.TaskFailed"), Some(&user)).as_deref(),
            Some("step `train` failed")
        );
        let busy = job(exited, "", Some(70)).replace(
            "\"Container\":{\"ExitCode\":70",
            "\"Container\":{\"LogStreamName\":\"j/default/1\",\"ExitCode\":70",
        );
        assert_eq!(
            reason(Some("States.TaskFailed"), Some(&busy)).as_deref(),
            Some(
                "step `train`: the store did not answer, or was busy for too long (exit 70), \
                 see CloudWatch's log stream j/default/1"
            )
        );
        assert_eq!(
            reason(Some("States.Timeout"), None).as_deref(),
            Some("States.Timeout")
        );
    }

    #[test]
    fn errors_of_services_are_told_as_they_are() {
        let history = visit(&["Access Denied\nand more".to_owned()], false);
        assert_eq!(
            told(&history),
            [("States.TaskFailed: Access Denied".to_owned(), true)]
        );
    }
}
