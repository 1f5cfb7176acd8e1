//! Foreaches inside foreaches, on Airflow with real pods.

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    every_task_sees_its_own_index_path,
    a_failed_inner_task_fails_the_run,
];

/// 3 x 4 x 2, and a fourth outer task whose foreach is empty, with a branch beside the inner foreach.
/// What a task sees is kept in artifacts, and the joins hand all of them on to the end.
const GRID: &str = "class GridFlow(FlowSpec):
    @step
    def start(self):
        self.xs = ['a', 'b', 'c', 'd']
        self.next(self.x, foreach='xs')

    def look(self):
        return current.task_id, self.input, [frame[:2] for frame in self.foreach_stack()]

    @step
    def x(self):
        self.seen_x = self.look()
        self.next(self.row, self.beside)

    @step
    def row(self):
        self.ys = [] if self.input == 'd' else [self.input + str(y) for y in range(4)]
        self.next(self.y, foreach='ys')

    @step
    def y(self):
        self.seen_y = self.look()
        self.zs = [self.input + '+', self.input + '-']
        self.next(self.z, foreach='zs')

    @step
    def z(self):
        self.seen_z = self.look()
        self.next(self.z_join)

    @step
    def z_join(self, inputs):
        self.below = [one.seen_z for one in inputs]
        self.merge_artifacts(inputs, include=['seen_y'])
        self.next(self.y_join)

    @step
    def y_join(self, inputs):
        self.below = [(one.seen_y, one.below) for one in inputs]
        self.next(self.meet)

    @step
    def beside(self):
        self.seen_beside = self.look()
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.seen = (inputs.beside.seen_x, inputs.beside.seen_beside, inputs.y_join.below)
        self.next(self.x_join)

    @step
    def x_join(self, inputs):
        self.seen = [one.seen for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        expect = []
        for x, letter in enumerate('abcd'):
            own = ('t-%d' % x, letter, [(x, 4)])
            below = []
            for y in range(4 if letter != 'd' else 0):
                middle = ('t-%d-%d' % (x, y), '%s%d' % (letter, y), [(x, 4), (y, 4)])
                inner = [
                    ('t-%d-%d-%d' % (x, y, z), '%s%d%s' % (letter, y, sign), [(x, 4), (y, 4), (z, 2)])
                    for z, sign in enumerate('+-')
                ]
                below.append((middle, inner))
            expect.append((own, own, below))
        assert self.seen == expect, self.seen
        print('saw', sum(len(inner) for _, _, below in self.seen for _, inner in below))";

fn every_task_sees_its_own_index_path() {
    let Some(world) = World::new(GRID) else {
        return;
    };
    world.profile("empty_foreach = 'join'");
    let ended = world.run(&[]).succeeded();
    assert!(world.logs(&ended.run).contains("saw 24"));
    for x in 0..3 {
        for y in 0..4 {
            for z in 0..2 {
                ended.done_once(&format!("z/t-{x}-{y}-{z}"), 1);
            }
            ended.done_once(&format!("z_join/t-{x}-{y}"), 1);
        }
    }
    for x in 0..4 {
        ended.done_once(&format!("y_join/t-{x}"), 1);
    }
    let attempts = ended.attempts();
    let of = |step: &str| {
        let tasks = attempts.keys().filter(|task| task.starts_with(step));
        tasks.count()
    };
    assert_eq!((of("y/"), of("z/"), of("meet/")), (12, 24, 4));
}

fn a_failed_inner_task_fails_the_run() {
    let flow = "class InnerFailureFlow(FlowSpec):
    @step
    def start(self):
        self.xs = [0, 1]
        self.next(self.x, foreach='xs')

    @step
    def x(self):
        self.ys = [0, 1] if self.input else []
        self.next(self.y, foreach='ys')

    @step
    def y(self):
        if self.foreach_stack()[-1][0] == 1:
            raise ValueError('no such shop')
        self.next(self.y_join)

    @step
    def y_join(self, inputs):
        self.next(self.x_join)

    @step
    def x_join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    world.profile("empty_foreach = 'join'");
    let ended = world.run(&[]);
    let status = ended.failed();
    assert!(
        status.stdout.contains("y/t-1-1") && status.stdout.contains("ValueError: no such shop"),
        "{status:#?}"
    );
    ended.done_once("y/t-1-0", 1);
    let attempts = ended.attempts();
    assert_eq!(attempts["y/t-1-1"].commits, 0, "{attempts:#?}");
    for join in ["y_join/", "x_join/", "end/"] {
        assert!(
            !attempts.keys().any(|task| task.starts_with(join)),
            "{attempts:#?}"
        );
    }
}
