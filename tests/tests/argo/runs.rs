//! Flows run on Argo with real pods, in a namespace that enforces the restricted profile.

use std::fs;

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    the_image_needs_nothing,
    an_empty_foreach_fails_its_split_step_by_default,
    an_empty_foreach_goes_on_with_its_join_if_the_profile_says_so,
    a_nested_foreach_in_a_branch,
    two_hundred_tasks_of_a_foreach,
];

fn the_image_needs_nothing() {
    // No shell, no CA files, no /tmp, another user, and a root file system that cannot be written.
    let flow = "class BareFlow(FlowSpec):
    @step
    def start(self):
        assert os.getuid() == 4711, os.getuid()
        assert not os.path.exists('/bin/sh') and not os.path.exists('/tmp')
        try:
            open('/x', 'w')
            raise SystemExit('the root file system can be written')
        except OSError:
            pass
        self.words = ['a', 'b']
        self.next(self.part, foreach='words')

    @step
    def part(self):
        self.word = self.input * 2
        self.next(self.whole)

    @step
    def whole(self, inputs):
        assert [one.word for one in inputs] == ['aa', 'bb']
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let profile = fs::read_to_string(world.path().join("flowc.toml")).unwrap();
    let (step, bare) = (world.argo.bed.image("step"), world.argo.bed.image("bare"));
    world.write(
        "flowc.toml",
        &profile
            .replace(step, bare)
            .replace("run_as_user = 1000", "run_as_user = 4711"),
    );
    world.kubectl(&[
        "label",
        "--overwrite",
        "namespace",
        world.argo.namespace,
        "flowc-bed/read-only=true",
    ]);
    let ended = world.run(&[]);
    world.kubectl(&[
        "label",
        "namespace",
        world.argo.namespace,
        "flowc-bed/read-only-",
    ]);
    let ended = ended.succeeded();
    assert_eq!(ended.pods(), 5);
}

fn two_hundred_tasks_of_a_foreach() {
    let flow = "class WideFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = list(range(200))
        self.next(self.square, foreach='numbers')

    @step
    def square(self):
        self.result = self.input ** 2
        self.next(self.total)

    @step
    def total(self, inputs):
        assert [one.result for one in inputs] == [n ** 2 for n in range(200)]
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    assert_eq!(ended.pods(), 203);
    let attempts = ended.attempts();
    let squares = attempts
        .iter()
        .filter(|(task, _)| task.starts_with("square/"));
    assert_eq!(squares.clone().count(), 200);
    for (task, attempts) in squares {
        assert_eq!((attempts.started, attempts.commits), (1, 1), "{task}");
    }
}

const EMPTY: &str = "class EmptyFlow(FlowSpec):
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        self.numbers = []
        self.next(self.square, foreach='numbers')

    @step
    def square(self):
        self.next(self.total)

    @step
    def total(self, inputs):
        assert list(inputs) == []
        self.next(self.end)

    @step
    def end(self):
        pass";

fn an_empty_foreach_fails_its_split_step_by_default() {
    let Some(world) = World::new(EMPTY) else {
        return;
    };
    let ended = world.run(&[]).failed();
    let attempts = ended.attempts();
    assert_eq!(
        attempts["start/t"].started, 2,
        "it is retried as any failure: {attempts:?}"
    );
    assert!(!attempts.contains_key("total/t"), "{attempts:?}");
}

fn an_empty_foreach_goes_on_with_its_join_if_the_profile_says_so() {
    let Some(world) = World::new(&EMPTY.replace("EmptyFlow", "EmptyJoinFlow")) else {
        return;
    };
    world.profile("empty_foreach = 'join'");
    let ended = world.run(&[]).succeeded();
    let attempts = ended.attempts();
    assert_eq!(attempts["total/t"].commits, 1, "{attempts:?}");
    assert!(
        !attempts.keys().any(|task| task.starts_with("square/")),
        "{attempts:?}"
    );
}

fn a_nested_foreach_in_a_branch() {
    let flow = "class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.rows = [1, 2]
        self.next(self.row, foreach='rows')

    @step
    def row(self):
        self.cells = [10, 20, 30]
        self.next(self.cell, foreach='cells')

    @step
    def cell(self):
        self.value = self.input
        self.next(self.cells_join)

    @step
    def cells_join(self, inputs):
        self.value = sum(one.value for one in inputs)
        self.next(self.rows_join)

    @step
    def rows_join(self, inputs):
        self.value = sum(one.value for one in inputs)
        self.next(self.both)

    @step
    def right(self):
        self.value = 3
        self.next(self.both)

    @step
    def both(self, inputs):
        assert sorted(one.value for one in inputs) == [3, 120]
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    assert_eq!(ended.pods(), 16);
    assert_eq!(ended.attempts()["cell/t-1-2"].commits, 1);
}
