//! What one learns of an orchestrator's run: `flowc status`, `logs`, `sync`, and then Metaflow's own client.
//!
//! The run is made by the shims alone, on S3, as on any orchestrator.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

mod bed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowc_tests::{flowc, metaflow_python, repo_root, run, temp_dir};
use serde_json::{Value, json};

use bed::{Cloud, RUN, STORE, flow_file};

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    files
}

/// What `flowc` said on stderr; it must have succeeded.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// The same flow on this machine, as the client describes it.
fn described_here() -> Value {
    let root = temp_dir();
    let here = |program: &Path| {
        let mut command = Command::new(program);
        command
            .current_dir(root.path())
            .env("HOME", root.path())
            .env("METAFLOW_USER", "tester")
            .env("METAFLOW_DEFAULT_METADATA", "local")
            .env("METAFLOW_DATASTORE_SYSROOT_LOCAL", root.path());
        command
    };
    let id = root.path().join("run-id");
    run(here(flowc())
        .arg("run")
        .arg(flow_file())
        .arg("--python")
        .arg(metaflow_python())
        .arg("--run-id-file")
        .arg(&id));
    let run_id = fs::read_to_string(id).unwrap();
    let text = run(here(metaflow_python())
        .arg(repo_root().join("tests/beds/metaflow/client.py"))
        .args(["describe", &format!("HistoryFlow/{run_id}")]));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_official_client_sees_a_synced_run_as_one_of_this_machine() {
    let cloud = Cloud::start();
    let metadata = cloud.root.path().join(".metaflow");
    let sync = |what: &str| said(&mut cloud.flowc(&["sync", what, "--store", STORE]));
    let nothing = cloud
        .flowc(&["sync", RUN, "--store", STORE])
        .output()
        .unwrap();
    assert_eq!(nothing.status.code(), Some(2));
    assert!(!metadata.exists());

    // While it runs: what has ended can be read, and the run has not.
    cloud.run(&["start", "outer"]);
    assert!(sync(RUN).contains(&format!("{RUN}: 3 tasks, 3 new or changed")));
    let partial = cloud.describe();
    assert_eq!(
        (&partial["finished"], &partial["data"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(partial["tasks"]["outer[1]"]["successful"], true);

    cloud.run(&[
        "inner", "collect", "merge", "fork", "left", "right", "close", "end",
    ]);
    assert!(sync("HistoryFlow").contains(&format!("{RUN}: 15 tasks, 12 new or changed")));
    let mut synced = cloud.describe();
    let mut here = described_here();
    for task in here["tasks"].as_object_mut().unwrap().values_mut() {
        assert_eq!(task["metadata"]["ds-type"], "local");
        task["metadata"]["ds-type"] = json!("s3");
    }
    assert_eq!(here["successful"], true);
    assert_eq!(synced["tasks"]["inner[1,1]"]["attempt"], 1);
    assert_eq!(synced["tasks"].as_object().unwrap().len(), 15);
    let parted = |description: &mut Value| description["tasks"].take();
    let (tasks, tasks_here) = (parted(&mut synced), parted(&mut here));
    for (place, task) in tasks_here.as_object().unwrap() {
        assert_eq!(&tasks[place], task, "{place}");
    }
    assert_eq!(synced, here);

    // By default the client shows what is tagged with the user, and the run is as old as it is.
    let script = "from metaflow import Flow
run = next(iter(Flow('HistoryFlow').runs('project_branch:test.next', 'project:shop')))
print(run.pathspec, 'orchestrator:sfn' in run.system_tags, run.finished_at >= run.created_at, run.data.all)";
    let shown = run(cloud.command(metaflow_python()).args(["-c", script]));
    assert_eq!(shown.trim(), format!("{RUN} True True [[0, 1], [0, 1]]"));

    // Again, and nothing changes.
    let before = tree(&metadata);
    assert!(sync(RUN).contains(&format!("{RUN}: 15 tasks, nothing new")));
    assert!(tree(&metadata) == before);
}

/// The orchestrator knows that the run goes on, the store what each task did; `status` puts both together.
#[test]
fn status_merges_what_the_orchestrator_and_the_tasks_say() {
    let cloud = Cloud::start();
    cloud.start_execution();
    let status = |more: &[&str]| {
        let arguments = ["status", "flow.py", "--target", "step-functions"];
        run(cloud.flowc(&arguments).args(more))
    };
    let shown = status(&[]);
    assert!(shown.contains("\nno task has begun\n"), "{shown}");
    cloud.run(&["start", "outer"]);
    assert_eq!(cloud.task("inner", "0-0"), 0);
    assert_eq!(cloud.attempt("inner", "0-1"), 1);
    let shown = status(&[]);
    assert!(shown.starts_with(&format!("{RUN} running for ")), "{shown}");
    let table = "\
start          1        -        -        -
outer          2        -        -        -
inner          1        1        -        2
collect        -        -        -        2
merge          -        -        -        1
";
    assert!(shown.contains(table), "{shown}");
    let failure = "inner/t-0-1: ValueError: not at once (flow.py:28 in inner) (attempt 0); another attempt may follow\n";
    assert!(shown.contains(failure), "{shown}");

    // It is stopped by its id alone; what waited for another attempt has failed then.
    let (_, id) = RUN.split_once('/').unwrap();
    let stopped = said(&mut cloud.flowc(&["stop", id, "--target", "step-functions"]));
    assert!(stopped.contains("Stopped"), "{stopped}");
    let json: Value = serde_json::from_str(&status(&[id, "--json"])).unwrap();
    assert_eq!(json["phase"], "stopped");
    assert_eq!(
        json["steps"][2],
        json!({"step": "inner", "expected": 4, "done": 1, "running": 0, "failed": 1, "waiting": 2})
    );
    assert_eq!(json["failures"][0]["may_retry"], false);
}

#[test]
fn logs_of_any_run_are_read_from_the_store() {
    let cloud = Cloud::start();
    cloud.run(&["start", "outer", "inner"]);
    let logs = |arguments: &[&str]| {
        let mut all = vec!["logs"];
        all.extend(arguments);
        all.extend(["--store", STORE]);
        cloud.flowc(&all).output().unwrap()
    };
    let stdout = |arguments: &[&str]| {
        let output = logs(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    let (printed, complained) = stdout(&[RUN]);
    assert_eq!(
        printed,
        "[start/t] start of 2\n[inner/t-0-0] trying 0\n[inner/t-0-1] trying 1\n[inner/t-1-0] trying 0\n[inner/t-1-1] trying 1\n"
    );
    // The latest attempts had nothing to complain about.
    assert_eq!(complained, "");
    let (printed, complained) = stdout(&["sfn-history-x7k2p/inner/t-1-1", "--attempt", "0"]);
    assert_eq!(printed, "[inner/t-1-1] trying 1\n");
    let first = complained.lines().next().unwrap();
    assert_eq!(first, "[inner/t-1-1] no luck with 1");
    assert!(complained.contains("[inner/t-1-1] ValueError: not at once\n"));
    let (printed, _) = stdout(&[&format!("{RUN}/inner"), "--attempt", "0", "--stderr"]);
    assert_eq!(printed, "");
    let (printed, complained) = stdout(&[&format!("{RUN}/outer")]);
    assert_eq!((printed.as_str(), complained.lines().count()), ("", 1));

    // The other questions about a run take the same names.
    let task = format!("{RUN}/inner/t-1-1");
    let listed = run(&mut cloud.flowc(&["artifacts", &task, "--store", STORE]));
    assert!(listed.contains("  square "), "{listed}");
    let python = metaflow_python().to_str().unwrap();
    let dump = [
        "dump",
        &task,
        "--store",
        STORE,
        "--include",
        "square",
        "--python",
        python,
    ];
    assert_eq!(
        run(&mut cloud.flowc(&dump)),
        format!("{task}\n  square = 1\n")
    );

    let refused = |arguments: &[&str], words: &str| {
        let output = logs(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    };
    refused(&[&format!("{RUN}/innner")], "it has start, outer, inner");
    refused(&[&format!("{RUN}/end")], "has not begun");
    refused(&["HistoryFlow/argo-other"], "there is no run");

    // Following ends with the run.
    cloud.run(&["collect", "merge", "fork", "left", "right", "close", "end"]);
    let (printed, _) = stdout(&[RUN, "--follow"]);
    let last = printed.lines().last().unwrap();
    assert_eq!(last, "[end/t] ends with ['left', 'right'] [[0, 1], [0, 1]]");
}

/// A run that failed on an orchestrator goes on here, in its bucket, and Metaflow's client reads both.
#[test]
fn a_run_of_an_orchestrator_is_resumed_here() {
    let cloud = Cloud::start();
    cloud.run(&["start", "outer"]);
    assert_eq!(cloud.task("inner", "0-0"), 0);
    assert_eq!(cloud.attempt("inner", "0-1"), 1);
    fs::copy(flow_file(), cloud.root.path().join("flow.py")).unwrap();
    let (_, id) = RUN.split_once('/').unwrap();
    let resume = |arguments: &[&str]| {
        let mut command =
            cloud.flowc(&["resume", "flow.py", "--store", STORE, "--run-id-file", "id"]);
        said(
            command
                .args(arguments)
                .arg("--python")
                .arg(metaflow_python()),
        )
    };
    let told = resume(&["--origin-run-id", id]);
    for line in [
        format!("Adopted outer/t-0 t-1: done in {id}"),
        format!("Adopted inner/t-0-0: done in {id}"),
        format!("Runs inner/t-0-1: it failed in {id}: ValueError: not at once"),
        format!("Runs inner/t-1-0 t-1-1: it had not begun in {id}"),
        "(11 tasks, 4 adopted)".to_owned(),
    ] {
        assert!(told.contains(&line), "no `{line}` in\n{told}");
    }
    let script = "
from metaflow import Flow, Run
run = Flow('HistoryFlow').latest_run
print(run.data.all, run.origin_pathspec)
print(run['start'].task.metadata_dict['origin-task-id'], run['end'].task.metadata_dict['origin-run-id'])
print(sorted(t.id for t in run['inner'].tasks() if 'origin-task-id' in t.metadata_dict))";
    let shown = run(cloud.command(metaflow_python()).args(["-c", script]));
    assert_eq!(
        shown,
        format!("[[0, 1], [0, 1]] {RUN}\nt {id}\n['t-0-0']\n")
    );
    // One step of it alone, with what it started from in the bucket.
    let resumed = fs::read_to_string(cloud.root.path().join("id")).unwrap();
    let from = format!("HistoryFlow/{resumed}/inner/t-1-0");
    let python = metaflow_python().to_str().unwrap();
    let test = [
        "test", "step", "flow.py", "collect", "--from", &from, "--store", STORE,
    ];
    let left = run(cloud.flowc(&test).args(["--python", python]));
    assert_eq!(left, "squares (list) = [0, 1]\n");
    // The latest run of this machine is now the one that was resumed.
    let told = resume(&["close"]);
    assert!(told.contains("(2 tasks, 13 adopted)"), "{told}");
}
