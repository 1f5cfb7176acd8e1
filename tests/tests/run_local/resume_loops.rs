//! `flowc resume` of runs with loops and switches.

use std::fs;
use std::process::Command;

use flowc_tests::metaflow_python;

use super::resume::{artifacts, ran, resumes, run_id};
use super::world::{World, output};

/// Inside a foreach a loop, and behind it a switch whose arms meet again; the third iteration for element 1 fails.
const LOOPS: &str = "
import os

def note(what):
    open('ran', 'a').write(what + '\\n')

class F(FlowSpec):
    @step
    def start(self):
        note('start')
        self.items = [0, 1]
        self.next(self.count, foreach='items')

    @step
    def count(self):
        self.n = getattr(self, 'n', 0) + 1
        self.item = self.input
        note('count-%d.%d' % (self.item, self.n - 1))
        if self.item == 1 and self.n == 3 and not os.path.exists('mended'):
            raise ValueError('not the third')
        self.way = 'again' if self.n < 3 + self.item else 'on'
        self.next({'again': self.count, 'on': self.choose}, condition='way')

    @step
    def choose(self):
        note('choose-%d' % self.item)
        self.side = 'odd' if self.n % 2 else 'even'
        self.next({'odd': self.odd, 'even': self.even}, condition='side')

    @step
    def odd(self):
        note('odd-%d' % self.item)
        self.next(self.tail)

    @step
    def even(self):
        note('even-%d' % self.item)
        self.next(self.tail)

    @step
    def tail(self):
        note('tail-%d' % self.item)
        self.next(self.join)

    @step
    def join(self, inputs):
        note('join')
        self.sides = [(task.n, task.side) for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print(self.sides)";

#[test]
fn loops_go_on_after_their_last_iteration_and_switches_choose_as_before() {
    let world = World::new(LOOPS);
    let failed = world.run(&["--max-workers", "1"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let id = run_id(&world.latest());
    let first = ran(&world);
    assert!(
        first.contains(&"count-0.2".to_owned()) && !first.contains(&"choose-0".to_owned()),
        "{first:?}"
    );
    world.write("mended", "");
    let said = resumes(&world, &["--max-workers", "1"]);
    assert_eq!(said.stdout, "[end/t] [(3, 'odd'), (4, 'even')]\n");
    let missing = [
        "choose-0",
        "choose-1",
        "count-1.2",
        "count-1.3",
        "even-1",
        "join",
        "odd-0",
        "tail-0",
        "tail-1",
    ];
    assert_eq!(ran(&world), missing);
    for line in [
        format!("Adopted count/t-0.0..t-0.2 t-1.0 t-1.1: done in {id}"),
        format!("Runs count/t-1.2: it failed in {id}: ValueError: not the third"),
        format!("Runs choose/t-0: it had not begun in {id}"),
        "Runs even/t-0 t-1: what it starts from runs, if that leads to it".to_owned(),
    ] {
        assert!(
            said.stderr.contains(&line),
            "no `{line}` in\n{}",
            said.stderr
        );
    }
    let whole = world.latest();
    let script = "
from metaflow import Run
run = Run('F/%s')
print(sorted((t.id, 'origin-task-id' in t.metadata_dict) for t in run['count'].tasks()))
print(sorted(t.id for step in ('odd', 'even') for t in run[step].tasks()), run.data.sides)";
    let read = output(
        Command::new(metaflow_python())
            .args(["-c", &script.replace("%s", &run_id(&whole))])
            .current_dir(world.path())
            .env("METAFLOW_USER", "ann")
            .env("METAFLOW_HOME", world.path().join("no-settings")),
    );
    assert_eq!(
        read.stdout,
        "[('t-0.0', True), ('t-0.1', True), ('t-0.2', True), ('t-1.0', True), ('t-1.1', True), ('t-1.2', False), ('t-1.3', False)]
['t-0', 't-1'] [(3, 'odd'), (4, 'even')]
",
        "{}",
        read.stderr
    );
    // Everything at once, and then from within.
    resumes(&world, &[]);
    assert!(ran(&world).is_empty());
    assert_eq!(artifacts(&world.latest()), artifacts(&whole));
    let said = resumes(&world, &["even"]).stderr;
    assert_eq!(ran(&world), ["even-1", "join", "tail-1"], "{said}");
    assert!(
        said.contains("Runs even/t-1: it is the step that was asked for"),
        "{said}"
    );
    resumes(&world, &["count"]);
    assert_eq!(ran(&world).len(), 3 + 4 + 2 + 2 + 2 + 1);
    assert_eq!(artifacts(&world.latest()), artifacts(&whole));
    // A loop that has become a plain step.
    let text = fs::read_to_string(world.path().join("flow.py")).unwrap();
    let plain = text.replace(
        "self.next({'again': self.count, 'on': self.choose}, condition='way')",
        "self.next(self.choose)",
    );
    world.write("flow.py", &plain);
    let said = resumes(&world, &[]).stderr;
    assert!(
        said.contains("Runs count/t-0 t-1: it leads elsewhere now"),
        "{said}"
    );
}
