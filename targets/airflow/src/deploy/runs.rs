//! DAG runs as runs of the flow.

use flowc_protocol::identity::run_id;
use flowc_protocol::json_text::{JsonText, Members};
use flowc_target::deploy::{DeployError, Phase, Run, RunState};
use reqwest::{Method, Url};
use serde::Serialize;
use serde_json::{Value, json};

use super::api::{About, Api, Generation};
use super::dags::Dag;
use super::values;
use crate::params::RESUME;

/// What is written to a run that flowc stopped, by which it is told from one that failed by itself.
const STOPPED: &str = "stopped by flowc";

/// Runs of a page; the API gives no more at once.
const PAGE: usize = 100;

/// Pages that are looked through for a run id that names no DAG run directly.
const PAGES: usize = 50;

/// A DAG run, as the API describes it.
pub(super) struct DagRun {
    pub(super) dag_id: String,
    pub(super) state: RunState,
}

/// Starts a run.
pub(super) async fn start(
    api: &Api,
    dag_id: &str,
    parameters: &Members,
) -> Result<Run, DeployError> {
    let object = format!("DAG {dag_id}");
    let about = About {
        permission: "create DAG runs",
        object: &object,
    };
    let missing = || DeployError::Missing {
        object: format!("{object} in Airflow"),
        help: "deploy it first: flowc deploy FLOW --target airflow".to_owned(),
    };
    let dag = Dag::find(api, dag_id).await?.ok_or_else(missing)?;
    if dag.stale {
        return Err(missing());
    }
    if dag.paused {
        return Err(DeployError::Refused {
            object,
            help: format!(
                "it is paused in Airflow, so that a run would wait: `airflow dags unpause {dag_id}`"
            ),
        });
    }
    values::check(&object, &dag.defaults, parameters)?;
    // Letters, digits, `.`, `_` and `-` only: it is a part of the run id in the store as it is.
    let now = jiff::Timestamp::now();
    let native = format!("manual__{}", now.strftime("%Y-%m-%dT%H%M%S.%6f"));
    let body = JsonText::of(&Start {
        dag_run_id: &native,
        conf: parameters,
        // Without one, a scheduled run would not see that this one is older.
        logical_date: (api.generation() == Generation::Three).then(|| now.to_string()),
    })
    .map_err(|error| DeployError::Other {
        action: "write",
        object: "the parameters".to_owned(),
        source: Box::new(error),
    })?;
    let url = api.path(&["dags", dag_id, "dagRuns"]);
    let answer = api.request(Method::POST, url, Some(&body), about).await?;
    let answer = answer.ok_or_else(missing)?;
    let native = answer["dag_run_id"].as_str().unwrap_or(&native).to_owned();
    Ok(Run {
        id: id(dag_id, &native, &answer["conf"]),
        native,
    })
}

/// The request for a run.
#[derive(Serialize)]
struct Start<'a> {
    dag_run_id: &'a str,
    conf: &'a Members,
    #[serde(skip_serializing_if = "Option::is_none")]
    logical_date: Option<String>,
}

/// The newest runs of a DAG, newest first.
pub(super) async fn newest(
    api: &Api,
    dag_id: &str,
    limit: usize,
) -> Result<Vec<DagRun>, DeployError> {
    page(api, dag_id, 0, limit.min(PAGE)).await
}

/// The newest DAG run that has this run id.
pub(super) async fn find(
    api: &Api,
    dag_id: &str,
    wanted: &str,
) -> Result<Option<DagRun>, DeployError> {
    // Most run ids are DAG runs' own ids; the others have their unusual characters replaced.
    let native = wanted.strip_prefix("airflow-").map(|native| {
        let in_project = native
            .strip_prefix(dag_id)
            .and_then(|it| it.strip_prefix('.'));
        in_project.unwrap_or(native)
    });
    if let Some(native) = native {
        let object = format!("run {native}");
        let url = api.path(&["dags", dag_id, "dagRuns", native]);
        if let Some(answer) = api.get(url, read(&object)).await? {
            let run = describe(api, dag_id, &answer);
            if run.state.run.id == wanted {
                return Ok(Some(run));
            }
        }
    }
    for number in 0..PAGES {
        let runs = page(api, dag_id, number * PAGE, PAGE).await?;
        let last = runs.len() < PAGE;
        let found = runs.into_iter().find(|run| run.state.run.id == wanted);
        if found.is_some() || last {
            return Ok(found);
        }
    }
    Ok(None)
}

/// How many runs have not ended.
pub(super) async fn unfinished(api: &Api, dag_id: &str) -> Result<u64, DeployError> {
    let mut url = api.path(&["dags", dag_id, "dagRuns"]);
    url.set_query(Some("limit=1&state=running&state=queued"));
    let answer = api.get(url, read(dag_id)).await?.unwrap_or(Value::Null);
    Ok(answer["total_entries"].as_u64().unwrap_or(0))
}

/// Ends a run as the user interface does: its tasks are set to failed, and their processes get SIGTERM.
pub(super) async fn stop(api: &Api, run: &DagRun) -> Result<(), DeployError> {
    let native = run.state.run.native.as_str();
    let object = format!("run {native}");
    let about = About {
        permission: "edit DAG runs",
        object: &object,
    };
    let url = api.path(&["dags", &run.dag_id, "dagRuns", native]);
    match api.generation() {
        Generation::Three => {
            let body = json!({"state": "failed", "note": STOPPED}).into();
            api.request(Method::PATCH, url, Some(&body), about).await?;
        }
        Generation::Two => {
            let note = api.path(&["dags", &run.dag_id, "dagRuns", native, "setNote"]);
            let body = json!({"note": STOPPED}).into();
            api.request(Method::PATCH, note, Some(&body), about).await?;
            let body = json!({"state": "failed"}).into();
            api.request(Method::PATCH, url, Some(&body), about).await?;
        }
    }
    Ok(())
}

async fn page(
    api: &Api,
    dag_id: &str,
    offset: usize,
    limit: usize,
) -> Result<Vec<DagRun>, DeployError> {
    let mut url = api.path(&["dags", dag_id, "dagRuns"]);
    url.set_query(Some(&format!("order_by=-id&offset={offset}&limit={limit}")));
    let answer = api.get(url, read(dag_id)).await?.unwrap_or(Value::Null);
    let runs = answer["dag_runs"].as_array().cloned().unwrap_or_default();
    Ok(runs.iter().map(|run| describe(api, dag_id, run)).collect())
}

fn read(object: &str) -> About<'_> {
    About {
        permission: "read DAG runs",
        object,
    }
}

fn describe(api: &Api, dag_id: &str, run: &Value) -> DagRun {
    let native = run["dag_run_id"].as_str().unwrap_or_default().to_owned();
    let note = run["note"].as_str().unwrap_or_default();
    DagRun {
        dag_id: dag_id.to_owned(),
        state: RunState {
            phase: phase(run["state"].as_str().unwrap_or_default(), note),
            started_ms: milliseconds(&run["start_date"]),
            ended_ms: milliseconds(&run["end_date"]),
            reason: None,
            troubles: Vec::new(),
            page: Some(address(api, dag_id, &native).to_string()),
            run: Run {
                id: id(dag_id, &native, &run["conf"]),
                native,
            },
        },
    }
}

fn address(api: &Api, dag_id: &str, native: &str) -> Url {
    match api.generation() {
        Generation::Three => api.page(&["dags", dag_id, "runs", native]),
        Generation::Two => {
            let mut url = api.page(&["dags", dag_id, "grid"]);
            url.query_pairs_mut().append_pair("dag_run_id", native);
            url
        }
    }
}

/// The run id in the store: the one that the DAG run continues, or its own.
fn id(dag_id: &str, native: &str, conf: &Value) -> String {
    let resumed = conf[RESUME].as_str().filter(|id| !id.is_empty());
    let raw = match resumed {
        Some(id) => format!("id:{id}"),
        None if dag_id.contains('.') => format!("airflow:{dag_id}.{native}"),
        None => format!("airflow:{native}"),
    };
    run_id(&raw).unwrap_or(raw)
}

fn phase(state: &str, note: &str) -> Phase {
    match state {
        "running" => Phase::Running,
        "success" => Phase::Succeeded,
        "failed" if note.starts_with(STOPPED) => Phase::Stopped,
        "failed" => Phase::Failed,
        _ => Phase::Pending,
    }
}

fn milliseconds(time: &Value) -> Option<i64> {
    let time: jiff::Timestamp = time.as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_as_the_shim_names_it() {
        assert_eq!(id("F", "manual__x1", &Value::Null), "airflow-manual__x1");
        assert_eq!(
            id("shop.prod.F", "manual__x1", &Value::Null),
            "airflow-shop.prod.F.manual__x1"
        );
        assert_eq!(
            id("F", "manual__x1", &json!({"flowc_run": "airflow-first"})),
            "airflow-first"
        );
        assert_eq!(
            id("F", "manual__x1", &json!({"flowc_run": ""})),
            "airflow-manual__x1"
        );
        let scheduled = "scheduled__2026-01-01T00:00:00+00:00";
        assert_eq!(
            Some(id("F", scheduled, &json!({}))),
            run_id(&format!("airflow:{scheduled}"))
        );
    }

    #[test]
    fn states_and_times_are_read() {
        assert_eq!(phase("queued", ""), Phase::Pending);
        assert_eq!(phase("failed", ""), Phase::Failed);
        assert_eq!(phase("failed", "stopped by flowc"), Phase::Stopped);
        let time = json!("1970-01-01T00:00:01.500000+00:00");
        assert_eq!(milliseconds(&time), Some(1500));
        assert_eq!(milliseconds(&json!("1970-01-01T00:00:02Z")), Some(2000));
        assert_eq!(milliseconds(&Value::Null), None);
    }
}
