//! Switches, loops and steps with other names for start and end, on Argo with real pods.

use std::process::Command;

use flowc_tests::trials;
use flowc_tests::trials::Test;
use flowc_tests::{flowc, metaflow_python, repo_root, run};
use serde_json::{Value, json};

use super::faults::kill_shim;
use super::world::{Ended, World};

pub(crate) const TESTS: &[Test] = trials![
    every_shape_of_a_switch_leaves_what_it_leaves_here,
    a_loop_goes_on_where_its_container_was_lost,
    a_flow_of_one_step,
];

/// A switch inside a foreach whose body ends in several arms: several cases to one step, a foreach inside an arm, a switch
/// behind a loop, a switch inside a static branch inside an arm, a merge that the switch may choose itself.
/// Then a switch that may pass by one step, two, or all.
const SHAPES: &str = "class ShapesFlow(FlowSpec):
    kinds = Parameter('kinds', default='plain,same,many,loop,split,tidy')
    way = Parameter('way', default='deep')
    fails = Parameter('fails', default='')

    def note(self):
        self.trail = getattr(self, 'trail', ()) + (current.step_name,)
        if self.fails == current.step_name:
            raise ValueError('as asked')

    @step
    def start(self):
        self.note()
        self.items = self.kinds.split(',')
        self.next(self.look, foreach='items')

    @step
    def look(self):
        self.note()
        self.kind = self.input
        self.next({
            'plain': self.plain, 'same': self.plain, 'many': self.many,
            'loop': self.again, 'split': self.split_up, 'tidy': self.tidy,
        }, condition='kind')

    @step
    def plain(self):
        self.note()
        self.next(self.gather)

    @step
    def many(self):
        self.note()
        self.parts = [1, 2]
        self.next(self.part, foreach='parts')

    @step
    def part(self):
        self.note()
        self.next(self.parts_join)

    @step
    def parts_join(self, inputs):
        self.trail = tuple(one.trail for one in inputs)
        self.note()
        self.next(self.tidy)

    @retry(times=1, minutes_between_retries=0)
    @step
    def again(self):
        self.count = getattr(self, 'count', 0) + 1
        if self.count == 2 and current.retry_count == 0:
            raise ValueError('the second iteration fails once')
        self.note()
        self.state = 'more' if self.count < 3 else 'other'
        self.next({'more': self.again, 'tidy': self.tidy, 'other': self.other}, condition='state')

    @step
    def other(self):
        self.note()
        self.next(self.tidy)

    @step
    def split_up(self):
        self.note()
        self.next(self.left, self.right)

    @step
    def left(self):
        self.note()
        self.number = 2
        self.next({1: self.left_one, 2: self.left_two}, condition='number')

    @step
    def left_one(self):
        self.note()
        self.next(self.both)

    @step
    def left_two(self):
        self.note()
        self.next(self.both)

    @step
    def right(self):
        self.note()
        self.next(self.both)

    @step
    def both(self, inputs):
        self.trail = tuple(one.trail for one in inputs)
        self.note()
        self.next(self.tidy)

    @step
    def tidy(self):
        self.note()
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.trail = tuple(one.trail for one in inputs)
        self.note()
        self.next(self.choose)

    @step
    def choose(self):
        self.note()
        self.next({'deep': self.deep, 'half': self.shallow, 'straight': self.end}, condition='way')

    @step
    def deep(self):
        self.note()
        self.next(self.shallow)

    @step
    def shallow(self):
        self.note()
        self.next(self.end)

    @step
    def end(self):
        self.note()";

fn every_shape_of_a_switch_leaves_what_it_leaves_here() {
    let Some(world) = World::new(SHAPES) else {
        return;
    };
    world.deploy();
    let started: Vec<(&[&str], String)> = [
        &[][..],
        &["--kinds", "plain", "--way", "half"],
        &["--kinds", "plain", "--way", "straight"],
        &["--kinds", "same,split", "--fails", "left_two"],
        &["--kinds", "plain", "--way", "deep", "--fails", "deep"],
        &["--kinds", "tidy", "--way", "straight", "--fails", "gather"],
    ]
    .into_iter()
    .map(|parameters| (parameters, world.trigger(parameters)))
    .collect();
    for (parameters, run) in &started[..3] {
        let ended = world.wait(run).succeeded();
        let compared = compared_with_here(&world, &ended, parameters);
        assert!(compared > 20, "{compared}");
    }
    let mut nothing_after = started[3..].iter().map(|(_, run)| {
        let ended = world.wait(run).failed();
        let committed = ended
            .attempts()
            .into_iter()
            .filter(|(_, attempts)| attempts.commits == 1);
        let steps = committed.map(|(task, _)| task.split('/').next().unwrap().to_owned());
        let mut steps: Vec<String> = steps.collect();
        steps.dedup();
        steps
    });
    // What is beside a failure may go on, what is behind it may not.
    let steps = nothing_after.next().unwrap();
    assert!(steps.contains(&"plain".to_owned()), "{steps:?}");
    for step in ["both", "tidy", "gather", "deep", "shallow", "end"] {
        assert!(!steps.contains(&step.to_owned()), "{step} in {steps:?}");
    }
    let before = ["_parameters", "choose", "gather", "look", "plain", "start"];
    assert_eq!(nothing_after.next().unwrap(), before);
    let before = ["_parameters", "look", "start", "tidy"];
    assert_eq!(nothing_after.next().unwrap(), before);
}

/// Runs the flow on this machine too, and expects the same artifacts of the same tasks; how many.
#[track_caller]
fn compared_with_here(world: &World, ended: &Ended<'_>, parameters: &[&str]) -> u64 {
    let (class, theirs) = ended.run.split_once('/').unwrap();
    let here = flowc_tests::temp_dir();
    let (store, mirror) = (here.path().join("store"), here.path().join("mirror"));
    let id = here.path().join("id");
    let flow = world.path().join("flow.py");
    run(Command::new(flowc())
        .current_dir(here.path())
        .arg("run")
        .arg(&flow)
        .args(parameters)
        .arg("--store")
        .arg(&store)
        .arg("--python")
        .arg(world.argo.bed.python())
        .arg("--run-id-file")
        .arg(&id));
    let ours = std::fs::read_to_string(id).unwrap();
    run(world
        .argo
        .bed
        .command(metaflow_python())
        .arg(repo_root().join("tests/beds/aws/mirror.py"))
        .arg(world.argo.bed.store().trim_start_matches("s3://"))
        .arg(format!("{class}/"))
        .arg(&mirror));
    let told = Command::new(metaflow_python())
        .arg(repo_root().join("tests/beds/metaflow/compare.py"))
        .arg(class)
        .arg(&store)
        .arg(ours)
        .arg(&mirror)
        .arg(theirs)
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&told.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)));
    assert_eq!(told["equal"], json!(true), "{told:#}");
    told["artifacts"].as_u64().unwrap()
}

/// Its start and its end have names of their own.
const LOOP: &str = "class LoopFlow(FlowSpec):
    @step(start=True)
    def first(self):
        self.count = 0
        self.next(self.again)

    @retry(times=1, minutes_between_retries=0)
    @timeout(minutes=5)
    @step
    def again(self):
        if self.count == 1 and current.retry_count == 0:
            print('LoopFlow has begun again', flush=True)
            time.sleep(200)
        self.count += 1
        self.state = 'done' if self.count == 3 else 'more'
        self.next({'more': self.again, 'done': self.last}, condition='state')

    @step(end=True)
    def last(self):
        assert self.count == 3";

fn a_loop_goes_on_where_its_container_was_lost() {
    let Some(world) = World::new(LOOP) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    world.pod_that_says(&run, "LoopFlow has begun again");
    kill_shim(&run, "again");
    let attempts = world.wait(&run).succeeded().attempts();
    let told = |task: &str| (attempts[task].started, attempts[task].commits);
    assert_eq!(told("again/t.0"), (1, 1), "{attempts:?}");
    assert_eq!(told("again/t.1"), (2, 1), "{attempts:?}");
    assert_eq!(told("again/t.2"), (1, 1), "{attempts:?}");
    assert_eq!(told("last/t"), (1, 1), "{attempts:?}");
}

fn a_flow_of_one_step() {
    let flow = "class OneFlow(FlowSpec):
    word = Parameter('word', default='')

    @step
    def only(self):
        assert self.word == 'given', self.word";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&["--word", "given"]).succeeded();
    assert_eq!(ended.pods(), 1);
    assert_eq!(ended.attempts()["only/t"].commits, 1);
}
