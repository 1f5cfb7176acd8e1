//! Switches and loops, on Airflow with real pods.

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    what_was_chosen_runs_and_nothing_else,
    a_failed_arm_fails_the_run,
];

/// Switches around and inside a foreach, arms of any length, one with a foreach, and a loop.
/// Each step adds its name to `way`; the arm `idle`, of which nothing runs, has a foreach with a switch.
const CHOICES: &str = "class ChoicesFlow(FlowSpec):
    @step
    def start(self):
        self.do = 'work'
        self.next({'work': self.many, 'wait': self.idle, 'stop': self.report}, condition='do')

    @step
    def idle(self):
        self.items = [1]
        self.next(self.piece, foreach='items')

    @step
    def piece(self):
        self.next({1: self.one, 2: self.two}, condition='input')

    @step
    def one(self):
        self.next(self.other)

    @step
    def two(self):
        self.next(self.other)

    @step
    def other(self):
        self.next(self.idle_join)

    @step
    def idle_join(self, inputs):
        self.next(self.report)

    @step
    def many(self):
        self.items = ['plain', 'also', 'fancy', 'odd', 'loop']
        self.next(self.item, foreach='items')

    @step
    def item(self):
        self.kind, self.way = self.input, [self.input]
        self.next(
            {
                'plain': self.plain,
                'also': self.plain,
                'fancy': self.fancy,
                'odd': self.done,
                'loop': self.polish,
            },
            condition='kind',
        )

    @step
    def plain(self):
        self.way = self.way + ['plain']
        self.next(self.done)

    @step
    def fancy(self):
        self.parts = ['x', 'y']
        self.next(self.part, foreach='parts')

    @step
    def part(self):
        self.mine = (self.input, current.task_id)
        self.next(self.parts_join)

    @step
    def parts_join(self, inputs):
        self.merge_artifacts(inputs, include=['way', 'kind'])
        self.way = self.way + [one.mine for one in inputs]
        self.next(self.done)

    @step
    def polish(self):
        self.way = self.way + [current.task_id]
        self.more = 'yes' if len(self.way) < 4 else 'no'
        self.next({'yes': self.polish, 'no': self.done}, condition='more')

    @step
    def done(self):
        self.way = self.way + [current.task_id]
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.ways = [one.way for one in inputs]
        self.next(self.both)

    @step
    def both(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = 2
        self.next({1: self.near, 2: self.far}, condition='side')

    @step
    def near(self):
        self.next(self.meet)

    @step
    def far(self):
        self.next(self.meet)

    @step
    def right(self):
        self.side = 0
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.sides = [one.side for one in inputs]
        self.merge_artifacts(inputs, include=['ways'])
        self.next(self.report)

    @step
    def report(self):
        self.next(self.end)

    @step
    def end(self):
        assert self.sides == [2, 0], self.sides
        assert self.ways == [
            ['plain', 'plain', 't-0'],
            ['also', 'plain', 't-1'],
            ['fancy', ('x', 't-2-0'), ('y', 't-2-1'), 't-2'],
            ['odd', 't-3'],
            ['loop', 't-4.0', 't-4.1', 't-4.2', 't-4'],
        ], self.ways
        print('all ways are right')";

fn what_was_chosen_runs_and_nothing_else() {
    let Some(world) = World::new(CHOICES) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    assert!(world.logs(&ended.run).contains("all ways are right"));
    let attempts = ended.attempts();
    let of = |step: &str| {
        let tasks = attempts.keys().filter_map(|task| task.strip_prefix(step));
        let mut tasks: Vec<_> = tasks.collect();
        tasks.sort_unstable();
        tasks.join(" ")
    };
    assert_eq!(of("plain/"), "t-0 t-1");
    assert_eq!(of("fancy/"), "t-2");
    assert_eq!(of("part/"), "t-2-0 t-2-1");
    assert_eq!(of("parts_join/"), "t-2");
    assert_eq!(of("done/"), "t-0 t-1 t-2 t-3 t-4");
    assert_eq!(of("far/"), "t");
    for step in [
        "idle/",
        "piece/",
        "one/",
        "two/",
        "other/",
        "idle_join/",
        "near/",
    ] {
        assert_eq!(of(step), "", "{step}");
    }
    for iteration in 0..3 {
        ended.done_once(&format!("polish/t-4.{iteration}"), 1);
    }
    ended.done_once("report/t", 1);
}

fn a_failed_arm_fails_the_run() {
    let flow = "class FailedArmFlow(FlowSpec):
    @step
    def start(self):
        self.way = 'bad'
        self.next({'bad': self.bad, 'good': self.good}, condition='way')

    @step
    def bad(self):
        raise ValueError('not this way')
        self.next(self.after)

    @step
    def good(self):
        self.next(self.after)

    @step
    def after(self):
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]);
    let status = ended.failed();
    assert!(
        status.stdout.contains("ValueError: not this way"),
        "{status:#?}"
    );
    let steps: Vec<_> = ended.attempts().into_keys().collect();
    assert_eq!(steps, ["_parameters/t", "bad/t", "start/t"]);
}
