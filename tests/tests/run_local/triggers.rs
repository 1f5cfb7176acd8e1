//! `--trigger` and `current.trigger`, compared with Metaflow's own runner and client.

use super::metaflow::metaflow;
use super::world::{Output, World, output};

/// What is run first.
const UP: &str = "
class F(FlowSpec):
    rate = Parameter('rate', default=0.5)
    fails = Parameter('fails', default=False)

    @step
    def start(self):
        self.table = list(range(5000))
        self.next(self.end)

    @step
    def end(self):
        if self.fails:
            raise KeyError('end')
        self.total = sum(self.table) * self.rate";

/// What it starts; both steps say what they see.
const DOWN: &str = "
from metaflow import FlowSpec, Parameter, current, step, trigger_on_finish
import json

def seen(runs):
    trigger = current.trigger
    known = {pathspec: number for number, pathspec in enumerate(runs.split(','))}
    events = [(event.name, event.type, event.id.split('/')[0], event.id.split('/')[2]) for event in trigger]
    times = [event.timestamp for event in trigger.events]
    return {
        'events': events,
        'first': trigger.event.name,
        'latest first': times == sorted(times, reverse=True),
        'runs': [known[run.pathspec] for run in trigger.runs],
        'run': [trigger.run.successful, trigger.run.finished, trigger.run.path_components[0]],
        'data': [trigger['F'].data.rate, trigger.run.data.total, len(trigger.run.data.table)],
        'has': ['F' in trigger, 'G' in trigger, 'table' in trigger.run.data],
    }

@trigger_on_finish(flow='F')
class Down(FlowSpec):
    runs = Parameter('runs')
    fails = Parameter('fails', default='')

    @step
    def start(self):
        self.seen = seen(self.runs)
        self.next(self.end)

    @step
    def end(self):
        import os
        if self.fails and not os.path.exists(self.fails):
            open(self.fails, 'w').close()
            raise KeyError('end')
        assert seen(self.runs) == self.seen
        print('saw ' + json.dumps(self.seen))

if __name__ == '__main__':
    Down()
";

fn world() -> World {
    let world = World::new(UP);
    world.write("down.py", DOWN);
    world
}

/// Two runs of the first flow, of which the second is the latest.
fn two_runs(run: impl Fn(&str) -> Output, world: &World) -> [String; 2] {
    ["0.5", "0.25"].map(|rate| {
        let ran = run(rate);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        let run = world.latest();
        format!("F/{}", run.file_name().unwrap().to_str().unwrap())
    })
}

/// What the last step saw.
#[track_caller]
fn saw(output: &Output) -> serde_json::Value {
    assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
    let line = output
        .stdout
        .lines()
        .find_map(|line| line.split_once("saw "));
    serde_json::from_str(line.expect("the step says what it saw").1).unwrap()
}

#[test]
fn runs_that_started_one_are_shown_as_by_metaflow() {
    let world = world();
    let theirs = two_runs(
        |rate| output(&mut metaflow(&world, &["flow.py", "run", "--rate", rate])),
        &world,
    );
    let [first, second] = &theirs;
    let listed = theirs.join(",");
    let peer = saw(&output(&mut metaflow(
        &world,
        &[
            "down.py",
            "--trigger",
            first,
            "--trigger",
            second,
            "run",
            "--runs",
            &listed,
        ],
    )));

    let ours = two_runs(|rate| world.run(&["--rate", rate]), &world);
    let [first, second] = &ours;
    let listed = ours.join(",");
    let mut command = world.flowc("run");
    command.args(["down.py", "--trigger", first, "--trigger", second]);
    command.args([
        "--runs",
        &listed,
        "--fails",
        "failed",
        "--run-id-file",
        "id",
    ]);
    let failed = output(&mut command);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    // The resumed run has taken over its first step, and what started it.
    let resumed = output(
        world
            .flowc("resume")
            .args(["down.py", "--run-id-file", "id"]),
    );
    assert_eq!(saw(&resumed), peer);
    assert_eq!(peer["runs"], serde_json::json!([1, 0]));

    let run = std::fs::read_to_string(world.path().join("id")).unwrap();
    // The one step in a store of its own still reads what those runs left.
    let mut tested = world.flowc("test");
    tested.args(["step", "down.py", "end", "--from", &format!("Down/{run}")]);
    assert_eq!(saw(&output(&mut tested)), peer);

    let script = "
import sys
from metaflow import Run
trigger = Run(sys.argv[1]).trigger
print([event.name for event in trigger.events], [run.pathspec for run in trigger.runs], trigger.run.data.rate)
";
    let seen = output(&mut metaflow(
        &world,
        &["-c", script, &format!("Down/{run}")],
    ));
    let name = "'metaflow.F.end'";
    assert_eq!(
        seen.stdout,
        format!("[{name}, {name}] ['{second}', '{first}'] 0.25\n"),
        "{}",
        seen.stderr
    );
}

#[test]
fn runs_that_cannot_have_started_one_are_refused() {
    let world = world();
    world.write(
        "plain.py",
        &DOWN.replace("@trigger_on_finish(flow='F')", ""),
    );
    assert_eq!(world.run(&["--fails", "True"]).code, Some(1));
    let run = world.latest();
    let failed = format!("F/{}", run.file_name().unwrap().to_str().unwrap());
    for (file, run, said) in [
        ("down.py", failed.as_str(), "has not ended well"),
        ("down.py", "F/17", "there is no run `F/17`"),
        ("down.py", "17", "does not name a run"),
        ("down.py", "F/../17", "does not name a run"),
        ("down.py", "F/..", "does not name a run"),
        ("plain.py", failed.as_str(), "no run starts Down"),
    ] {
        let mut command = world.flowc("run");
        let refused = output(command.args([file, "--trigger", run, "--runs", "x"]));
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        for said in ["FC4027", said] {
            assert!(refused.stderr.contains(said), "{}", refused.stderr);
        }
    }
    let shown = output(world.flowc("run").args(["down.py", "--help"]));
    assert!(
        shown.stdout.contains("--trigger FLOW/RUN"),
        "{}",
        shown.stdout
    );
}
