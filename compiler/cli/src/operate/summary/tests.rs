use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowc_protocol::manifest::Manifest;
use flowc_target::deploy::{Phase, Run};
use flowc_task::commit::Outcome;
use flowc_task::history::AttemptRecord;
use serde_json::json;

use super::*;

fn plan() -> Arc<Manifest> {
    let manifest = json!({
        "protocol": 1, "flow": "TrainFlow", "file": "flow.py", "start": "start", "end": "end",
        "parameters": [], "graph_info": {},
        "steps": {
            "start": {"type": "foreach", "next": ["train"], "parents": []},
            "train": {"type": "linear", "next": ["join"], "parents": ["start"], "foreach": ["start"], "retries": 1},
            "join": {"type": "join", "next": ["end"], "parents": ["train"], "split": "start"},
            "end": {"type": "end", "next": [], "parents": ["join"]},
        },
    });
    Arc::new(serde_json::from_value(manifest).unwrap())
}

/// A task of attempts that ended so: `None` has not.
fn task(id: &str, committed: bool, attempts: &[Option<&str>]) -> TaskRecord {
    let attempt = |(number, error): (usize, Option<&str>)| AttemptRecord {
        number: number as u32,
        done_ms: error.map(|_| 1),
        outcome: error.map(|error| Outcome {
            ok: false,
            is_final: false,
            error: Some(error.to_owned()),
            count: None,
            next: None,
        }),
        ..AttemptRecord::default()
    };
    TaskRecord {
        iteration: None,
        id: id.to_owned(),
        index: id
            .trim_start_matches('t')
            .trim_start_matches('-')
            .parse()
            .ok(),
        attempts: attempts.iter().copied().enumerate().map(attempt).collect(),
        committed_ms: committed.then_some(1),
        count: None,
    }
}

fn record(train: Vec<TaskRecord>) -> RunRecord {
    let step = |name: &str, tasks, expected| StepRecord {
        name: name.to_owned(),
        tasks,
        expected: Some(expected),
    };
    RunRecord {
        flow: "TrainFlow".to_owned(),
        run: "argo-x7k2".to_owned(),
        plan: Some(plan()),
        parameters: None,
        steps: vec![
            step("start", vec![task("t", true, &[None])], 1),
            step("train", train, 6),
            step("join", Vec::new(), 1),
            step("end", Vec::new(), 1),
        ],
    }
}

fn state(phase: Phase, troubles: &[(&str, Option<u32>, &str)]) -> RunState {
    let trouble = |(step, index, cause): &(&str, Option<u32>, &str)| Trouble {
        step: (*step).to_owned(),
        index: index.map(|index| vec![index].into()),
        cause: (*cause).to_owned(),
        is_final: phase.is_end(),
    };
    RunState {
        run: Run {
            id: "argo-x7k2".to_owned(),
            native: "flows/x7k2".to_owned(),
        },
        phase,
        started_ms: Some(1_000_000),
        ended_ms: phase.is_end().then_some(1_185_000),
        reason: None,
        troubles: troubles.iter().map(trouble).collect(),
        page: None,
    }
}

fn shown(record: Option<&RunRecord>, state: Option<&RunState>) -> String {
    let summary = Summary::new("TrainFlow", "argo-x7k2", record, state);
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(1_012);
    anstream::adapter::strip_str(&summary.text_at(now)).to_string()
}

const ERROR: &str = "ValueError: no such shard (flow.py:12 in train)";

#[test]
fn a_done_task_that_the_orchestrator_gave_up_is_told() {
    let train = vec![task("t-0", true, &[None])];
    let trouble = ("train", Some(0), "too many tasks for the orchestrator");
    let failed = state(Phase::Failed, &[trouble]);
    let text = shown(Some(&record(train.clone())), Some(&failed));
    assert!(text.contains(trouble.2), "{text}");
    // While it runs, an attempt that was lost is made good by the one that was committed.
    let running = state(Phase::Running, &[trouble]);
    let text = shown(Some(&record(train)), Some(&running));
    assert!(!text.contains(trouble.2), "{text}");
}

#[test]
fn a_running_run_says_what_is_being_tried_again() {
    let train = vec![
        task("t-0", true, &[None]),
        task("t-1", false, &[None]),
        task("t-2", false, &[Some(ERROR)]),
        task("t-3", false, &[Some(ERROR), None]),
    ];
    let state = state(
        Phase::Running,
        &[
            ("train", Some(0), "pod deleted"),
            ("train", Some(5), "image \"x\" cannot be pulled"),
        ],
    );
    assert_eq!(
        shown(Some(&record(train)), Some(&state)),
        "\
TrainFlow/argo-x7k2 running for 12.0 s

step      done  running   failed  waiting
start        1        -        -        -
train        1        3        -        2
join         -        -        -        1
end          -        -        -        1

train/t-2: ValueError: no such shard (flow.py:12 in train) (attempt 0); another attempt may follow
train/t-5: image \"x\" cannot be pulled; another attempt may follow

logs: flowc logs TrainFlow/argo-x7k2/train/t-2
"
    );
}

#[test]
fn a_failed_run_accounts_for_every_task() {
    let train = vec![
        task("t-0", true, &[None]),
        task("t-1", false, &[Some(ERROR), Some(ERROR)]),
        task("t-2", false, &[Some(ERROR), None]),
        task("t-3", false, &[None]),
    ];
    let state = state(
        Phase::Failed,
        &[
            ("train", Some(1), "exit code 1"),
            ("train", Some(3), "out of memory (exit 137)"),
        ],
    );
    assert_eq!(
        shown(Some(&record(train)), Some(&state)),
        "\
TrainFlow/argo-x7k2 failed after 3 min 5 s

step      done  running   failed  not run
start        1        -        -        -
train        1        -        3        2
join         -        -        -        1
end          -        -        -        1

train/t-1: ValueError: no such shard (flow.py:12 in train) (attempt 1)
  the orchestrator adds: exit code 1
train/t-2: it was lost before it could say why: its process was killed, or its machine went away (attempt 1)
train/t-3: out of memory (exit 137)

logs: flowc logs TrainFlow/argo-x7k2/train/t-1
"
    );
}

#[test]
fn one_side_alone_says_what_it_knows() {
    let mut waits = state(Phase::Pending, &[("start", None, "no node has room")]);
    waits.reason = Some("waiting for a slot".to_owned());
    assert_eq!(
        shown(None, Some(&waits)),
        "\
TrainFlow/argo-x7k2 pending for 12.0 s
  waiting for a slot

no task has begun

start: no node has room; another attempt may follow
"
    );
    let many = (0..12).map(|at| {
        let id = format!("t-{at}");
        task(&id, false, &[Some(ERROR), Some(ERROR)])
    });
    let forgotten = shown(Some(&record(many.collect())), None);
    assert!(
        forgotten.starts_with("TrainFlow/argo-x7k2 is not known to the orchestrator (any more)"),
        "{forgotten}"
    );
    assert!(forgotten.contains("\nand 2 more\n"), "{forgotten}");
}

#[test]
fn scripts_get_the_same_facts() {
    let train = vec![task("t-1", false, &[Some(ERROR), Some(ERROR)])];
    let state = state(Phase::Failed, &[]);
    let summary = Summary::new("TrainFlow", "argo-x7k2", Some(&record(train)), Some(&state));
    let json: serde_json::Value = serde_json::from_str(&summary.json().unwrap()).unwrap();
    assert_eq!(json["phase"], "failed");
    assert_eq!(
        json["steps"][1],
        json!({"step": "train", "expected": 6, "done": 0, "running": 0, "failed": 1, "waiting": 5})
    );
    assert_eq!(json["failures"][0]["error"], ERROR);
}
