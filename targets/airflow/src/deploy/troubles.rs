//! What went wrong with single tasks, from their state and the end of their logs.

use flowc_protocol::identity::IndexPath;
use flowc_target::deploy::{DeployError, Trouble};
use serde_json::Value;

use super::api::{About, Api};
use super::runs::DagRun;
use crate::exit::ENDED;
use crate::names::PATHS;

/// Tasks whose logs are read; a foreach that fails as a whole fails for one reason.
const TASKS: usize = 20;

/// The line in a task's log in which the generated operator says why a pod failed.
const MARK: &str = "flowc: ";

/// Troubles of the tasks that failed or wait for another attempt.
pub(super) async fn troubles(api: &Api, run: &DagRun) -> Result<Vec<Trouble>, DeployError> {
    let native = run.state.run.native.as_str();
    let mut url = api.path(&["dags", &run.dag_id, "dagRuns", native, "taskInstances"]);
    url.set_query(Some(&format!(
        "state=failed&state=up_for_retry&limit={TASKS}"
    )));
    let about = About {
        permission: "read task instances",
        object: native,
    };
    let answer = api.get(url, about).await?.unwrap_or(Value::Null);
    let tasks = answer["task_instances"].as_array().cloned();
    let mut troubles = Vec::new();
    for task in tasks.unwrap_or_default() {
        if task["task_id"] == ENDED {
            // It says what the other tasks have told.
            continue;
        }
        let (step, index) = place(&task);
        let is_final = task["state"] == "failed";
        // A task that waits for a retry already has the number of its next try in Airflow 2.
        let tried = task["try_number"].as_u64().unwrap_or(1).max(1);
        let log = log(api, run, &task, tried).await;
        troubles.push(Trouble {
            cause: cause(&log).unwrap_or_else(|| "it failed; see its log in Airflow".to_owned()),
            step,
            index,
            is_final,
        });
    }
    Ok(troubles)
}

/// The step that a task is of, and its index path; that of a task whose operator never ran is not known.
fn place(task: &Value) -> (String, Option<IndexPath>) {
    let task_id = task["task_id"].as_str().unwrap_or_default();
    let step = task_id.strip_suffix(PATHS).unwrap_or(task_id).to_owned();
    let shown = task["rendered_map_index"].as_str();
    let index = shown.filter(|shown| !shown.is_empty() && !task_id.ends_with(PATHS));
    (step, index.and_then(|index| index.parse().ok()))
}

/// The log of a try, one event per line. Without the right to read logs there is none.
async fn log(api: &Api, run: &DagRun, task: &Value, tried: u64) -> String {
    let step = task["task_id"].as_str().unwrap_or_default();
    let number = tried.to_string();
    let mut url = api.path(&[
        "dags",
        &run.dag_id,
        "dagRuns",
        &run.state.run.native,
        "taskInstances",
        step,
        "logs",
        &number,
    ]);
    let map_index = task["map_index"].as_i64().unwrap_or(-1);
    url.set_query(Some(&format!("map_index={map_index}&full_content=true")));
    let about = About {
        permission: "read logs",
        object: step,
    };
    let answer = api.get(url, about).await.ok().flatten();
    lines(&answer.unwrap_or(Value::Null)["content"])
}

/// Airflow 3 gives events, Airflow 2 one text.
fn lines(content: &Value) -> String {
    let Some(events) = content.as_array() else {
        let text = content.as_str().unwrap_or_default();
        // It is the printed form of a list of Python tuples, so its line ends are escaped.
        return text.replace("\\n", "\n");
    };
    let mut lines = String::new();
    for event in events {
        lines.push_str(event["event"].as_str().unwrap_or_default());
        lines.push('\n');
        // The first one is what was raised; what follows is what led to it.
        if let Some(detail) = event["error_detail"].get(0) {
            let kind = detail["exc_type"].as_str().unwrap_or_default();
            let value = detail["exc_value"].as_str().unwrap_or_default();
            let value = value.lines().next().unwrap_or_default();
            lines.extend([kind, ": ", value, "\n"]);
        }
    }
    lines
}

/// The operator's own words, or else the last line that looks like an exception.
fn cause(log: &str) -> Option<String> {
    let own = log
        .lines()
        .filter_map(|line| line.rsplit_once(MARK))
        .map(|(_, cause)| cause)
        .next_back();
    let is_exception = |line: &&str| {
        let head = line.split(':').next().unwrap_or_default();
        let name = head.rsplit('.').next().unwrap_or_default();
        !head.contains(' ')
            && (name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Timeout"))
    };
    let cause = own.or_else(|| log.lines().rfind(is_exception))?;
    Some(cause.trim().chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_operators_words_come_first() {
        let log = "x\n[2026] {DAG.py:1} ERROR - flowc: out of memory (exit 137)\nAirflowException: Pod p returned a failure\n";
        assert_eq!(cause(log).as_deref(), Some("out of memory (exit 137)"));
        let log = "x\nairflow.exceptions.AirflowException: Pod took too long\nmore\n";
        assert_eq!(
            cause(log).as_deref(),
            Some("airflow.exceptions.AirflowException: Pod took too long")
        );
        assert_eq!(cause("all is well"), None);
    }

    #[test]
    fn a_task_tells_its_index_path() {
        let task = json!({"task_id": "day", "map_index": 7, "rendered_map_index": "1-0-3"});
        let path = IndexPath::from(vec![1, 0, 3]);
        assert_eq!(place(&task), ("day".to_owned(), Some(path)));
        let task = json!({"task_id": "store-paths", "map_index": -1, "rendered_map_index": null});
        assert_eq!(place(&task), ("store".to_owned(), None));
    }

    #[test]
    fn both_forms_of_a_log_are_read() {
        let events = json!([
            {"event": "a"},
            {"event": "b", "error_detail": [
                {"exc_type": "E", "exc_value": "v\nw"}, {"exc_type": "F", "exc_value": "f"}
            ]}
        ]);
        assert_eq!(lines(&events), "a\nb\nE: v\n");
        assert_eq!(lines(&json!("[('host', 'a\\nb')]")), "[('host', 'a\nb')]");
        assert_eq!(lines(&Value::Null), "");
    }
}
