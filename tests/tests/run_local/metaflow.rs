//! The official Metaflow, on runs of ours.

use std::collections::BTreeSet;
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

pub(crate) fn metaflow(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(flowc_tests::metaflow_python());
    command
        .args(arguments)
        .current_dir(world.path())
        .env("METAFLOW_USER", "ann")
        .env("METAFLOW_HOME", world.path().join("no-settings"));
    command
}

/// A setting that Metaflow reads and that the page does not mention would be ignored without a word.
#[test]
fn every_setting_of_metaflow_stands_once_in_the_docs() {
    let world = World::new("");
    let script = "
import metaflow.cmd.main_cli, metaflow.plugins
from metaflow.metaflow_config_funcs import _all_configs
print(*[name[len('METAFLOW_'):] for name in _all_configs])
";
    let read = output(&mut metaflow(&world, &["-c", script]));
    let read: BTreeSet<&str> = read.stdout.split_whitespace().collect();
    assert!(read.len() > 100, "{read:?}");
    let page = std::fs::read_to_string(flowc_tests::repo_root().join("docs/settings.md")).unwrap();
    let (_, table) = page.split_once("## Settings").unwrap();
    let (table, _) = table.split_once("## ").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.flat_map(|row| row.split(" |").next().unwrap().split('`'));
    let mut told: Vec<&str> = names
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    told.sort_unstable();
    assert_eq!(told, read.into_iter().collect::<Vec<_>>());
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

/// A foreach whose third task to begin fails until there is a file `mended`, and branches behind it.
const BROKEN: &str = "
import os

class F(FlowSpec):
    power = Parameter('power', default=2)

    @step
    def start(self):
        self.items = [3, 1, 2, 5]
        self.next(self.body, foreach='items')

    @step
    def body(self):
        with open('begun', 'a') as begun:
            begun.write('x')
        if os.path.getsize('begun') > 2 and not os.path.exists('mended'):
            raise ValueError('not yet')
        print('raised', self.input)
        self.raised = self.input ** self.power
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [task.raised for task in inputs]
        self.next(self.fork)

    @step
    def fork(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.origin = current.origin_run_id is not None
        self.next(self.both)

    @step
    def right(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        self.all = inputs.left.all
        self.next(self.end)

    @step
    def end(self):
        pass";

/// How the client tells of each task of a run that it was cloned or executed, and of what the run left.
const TELL: &str = "
import json
from metaflow import Run
run = Run('F/RUN')
told = {}
for step in run.steps():
    for task in step.tasks():
        about = task.metadata_dict
        how = 'cloned' if 'origin-task-id' in about else 'executed'
        told.setdefault(step.id, []).append([
            how, about['origin-run-id'], about['attempt'], about['attempt_ok'], task.successful, task.finished,
            task.stdout if step.id == 'body' else '', task['power'].data,
        ])
for tasks in told.values():
    tasks.sort()
print(json.dumps([told, run.data.all, run.successful, run['left'].task.data.origin], sort_keys=True))
";

/// Runs a command on the flow of a world; how it ended and what it said.
type Program = dyn Fn(&World, &[&str]) -> (Option<i32>, String) + Sync;

/// The id of the newest run; Metaflow's own `latest_run` does not know of runs that resumed others.
fn newest(world: &World) -> String {
    let runs = std::fs::read_dir(world.path().join(".metaflow/F")).unwrap();
    let names = runs.map(|run| run.unwrap().file_name().into_string().unwrap());
    let ids = names.filter(|name| name.starts_with(|first: char| first.is_ascii_digit()));
    ids.max().unwrap()
}

/// Runs the flow, which fails, resumes it, and resumes that again from each of these steps; what the client tells of
/// each run that resumed another, without the origin's id.
fn told(program: &Program, again: &[&str]) -> Vec<String> {
    let world = World::new(BROKEN);
    let (code, said) = program(&world, &["run", "--max-workers", "1", "--power", "3"]);
    assert_eq!(code, Some(1), "{said}");
    world.write("mended", "");
    let steps = std::iter::once(None).chain(again.iter().map(Some));
    let tell = |step: Option<&&str>| {
        let origin = newest(&world);
        let mut arguments = vec!["resume"];
        arguments.extend(step);
        arguments.extend(["--origin-run-id", &origin]);
        let (code, said) = program(&world, &arguments);
        assert_eq!(code, Some(0), "{said}");
        let script = TELL.replace("RUN", &newest(&world));
        let seen = output(&mut metaflow(&world, &["-c", &script]));
        assert!(
            seen.stdout.contains(&origin),
            "{}\n{}",
            seen.stdout,
            seen.stderr
        );
        seen.stdout.replace(&origin, "ORIGIN")
    };
    steps.map(tell).collect()
}

#[test]
fn the_same_tasks_are_taken_over_as_by_metaflow() {
    let again = ["left", "body", "end"];
    let theirs: &Program = &|world, arguments| {
        let arguments = [&["flow.py", "--no-pylint"], arguments].concat();
        let seen = output(&mut metaflow(world, &arguments));
        (seen.code, seen.stderr + &seen.stdout)
    };
    let ours: &Program = &|world, arguments| {
        let mut command = world.flowc(arguments[0]);
        let seen = output(command.arg("flow.py").args(&arguments[1..]));
        (seen.code, seen.stderr)
    };
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| told(theirs, &again));
        (told(ours, &again), theirs.join().unwrap())
    });
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
        assert!(
            ours.contains("cloned") && ours.contains("executed"),
            "{ours}"
        );
        assert!(ours.contains("[27, 1, 8, 125]"), "{ours}");
    }
    assert_eq!(ours.len(), 1 + again.len());
}

/// What the tasks of a flow in a project learn of it, and what the client finds.
const PROJECT: &str = "
from metaflow import project

@project(name='shop'WRITTEN)
class F(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        names = ['project_name', 'branch_name', 'is_user_branch', 'is_production', 'project_flow_name']
        self.place = [getattr(current, name) for name in names]
        from metaflow import get_namespace
        self.place += [current.namespace, get_namespace()]";

const TELL_PROJECT: &str = "
from metaflow import Flow, namespace
namespace(None)
run = next(iter(Flow('F')))
of = lambda tags: sorted(tag for tag in tags if tag.startswith('project'))
print(run.data.place, of(run.system_tags), of(run['end'].task.system_tags))
print(sorted(name for name in run['end'].task.metadata_dict if 'project' in name))
";

#[test]
fn branches_and_namespaces_are_those_of_metaflow() {
    // What the decorator says, options, and what is learnt.
    let cases: [[&str; 4]; 4] = [
        ["", "", "'user.ann'", "'user:ann', 'user:ann'"],
        [
            "",
            "--production --namespace=user:bob",
            "'prod'",
            "'user:ann', 'user:bob'",
        ],
        [
            "",
            "--branch=next --namespace=",
            "'test.next'",
            "'user:ann', ''",
        ],
        [
            ", branch='fix'",
            "--production",
            "'prod.fix'",
            "'user:ann', 'user:ann'",
        ],
    ];
    let tell = |[written, options, branch, namespaces]: [&str; 4]| {
        let options: Vec<&str> = options.split_whitespace().collect();
        let (run, top): (Vec<&str>, Vec<&str>) =
            options.iter().partition(|it| it.starts_with("--namespace"));
        let world = World::new(&PROJECT.replace("WRITTEN", written));
        let told = || output(&mut metaflow(&world, &["-c", TELL_PROJECT])).stdout;
        world.runs(&options);
        let ours = told();
        std::fs::remove_dir_all(world.path().join(".metaflow")).unwrap();
        let arguments = [&["flow.py", "--no-pylint"], &*top, &["run"], &*run].concat();
        let theirs = output(&mut metaflow(&world, &arguments));
        assert_eq!(theirs.code, Some(0), "{}", theirs.stderr);
        assert_eq!(ours, told(), "{written} {options:?}");
        assert!(ours.contains(branch) && ours.contains(namespaces), "{ours}");
    };
    std::thread::scope(|scope| {
        let running = cases.map(|case| scope.spawn(move || tell(case)));
        for case in running {
            case.join().unwrap();
        }
    });
}
