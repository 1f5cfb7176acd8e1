//! The official Metaflow, on runs of ours.

use std::process::Command;

use super::world::{World, output};

fn flow() -> World {
    let flow = World::foreach(
        "",
        4,
        "self.square = self.input ** 2\nprint('squared', self.input)",
        "self.total = sum(task.square for task in inputs)",
    );
    flow.runs(&["--tag", "nightly"]);
    flow
}

fn metaflow(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(flowc_tests::metaflow_python());
    command
        .args(arguments)
        .current_dir(world.path())
        .env("METAFLOW_USER", "ann")
        .env("METAFLOW_HOME", world.path().join("no-settings"));
    command
}

#[test]
fn the_client_sees_runs_steps_tasks_and_artifacts() {
    let world = flow();
    let script = "
import sys
from metaflow import Flow
run = Flow('F').latest_run
print(run.successful, run.finished, sorted(run.tags), run.finished_at > run.created_at)
print([step.id for step in sorted(run.steps(), key=lambda step: step.created_at)])
tasks = sorted(run['body'].tasks(), key=lambda task: task.index)
print([(task.id, task.index, task.data.square, task.successful) for task in tasks])
print([task.stdout for task in tasks])
print([[parent.pathspec.split('/', 2)[2] for parent in task.parent_tasks] for task in tasks])
print(sorted(child.id for child in run['start'].task.child_tasks))
print(sorted(parent.id for parent in run['join'].task.parent_tasks))
print(run['join'].task.data.total, run['end'].task.data.total, run.data.total)
print(run['body'].task.metadata_dict['attempt'], tasks[0].artifacts.square.size > 0)
about = tasks[0].metadata_dict
print(about['user'], about['runtime'], about['python_version'] == '.'.join(map(str, sys.version_info[:3])), about['script-name'])
";
    let seen = output(&mut metaflow(&world, &["-c", script]));
    assert_eq!(
        seen.stdout,
        "True True ['nightly', 'user:ann'] True
['start', 'body', 'join', 'end']
[('t-0', 0, 0, True), ('t-1', 1, 1, True), ('t-2', 2, 4, True), ('t-3', 3, 9, True)]
['squared 0\\n', 'squared 1\\n', 'squared 2\\n', 'squared 3\\n']
[['start/t'], ['start/t'], ['start/t'], ['start/t']]
['t-0', 't-1', 't-2', 't-3']
['t-0', 't-1', 't-2', 't-3']
14 14 14
0 True
ann flowc True flow.py
"
        .replace("['nightly', 'user:ann']", &tags(&world)),
        "{}",
        seen.stderr
    );
}

/// The tags that the client shows: the user's and the run's own.
fn tags(world: &World) -> String {
    let myself = std::fs::read(world.latest().join("_meta/_self.json")).unwrap();
    let myself: serde_json::Value = serde_json::from_slice(&myself).unwrap();
    let of = |field: &str| myself[field].as_array().unwrap().clone();
    let mut tags: Vec<String> = of("tags")
        .into_iter()
        .chain(of("system_tags"))
        .map(|tag| format!("'{}'", tag.as_str().unwrap()))
        .collect();
    tags.sort();
    assert!(tags.contains(&"'runtime:flowc'".to_owned()));
    format!("[{}]", tags.join(", "))
}

#[test]
fn metaflows_own_commands_work() {
    let world = flow();
    let run = world.latest();
    let run = run.file_name().unwrap().to_str().unwrap();
    let logs = output(&mut metaflow(
        &world,
        &["flow.py", "logs", &format!("{run}/body/t-2")],
    ));
    assert!(
        logs.stdout.contains("squared 2"),
        "{}\n{}",
        logs.stdout,
        logs.stderr
    );
    let dump = output(&mut metaflow(
        &world,
        &["flow.py", "dump", &format!("{run}/join/t")],
    ));
    assert!(
        dump.stdout.contains("total"),
        "{}\n{}",
        dump.stdout,
        dump.stderr
    );
    let resume = ["flow.py", "resume", "join", "--origin-run-id", run];
    let resumed = output(&mut metaflow(&world, &resume));
    assert_eq!(
        resumed.code,
        Some(0),
        "{}\n{}",
        resumed.stdout,
        resumed.stderr
    );
    let script = "from metaflow import Flow; print(Flow('F').latest_run.data.total)";
    assert_eq!(
        output(&mut metaflow(&world, &["-c", script])).stdout,
        "14\n"
    );
}
