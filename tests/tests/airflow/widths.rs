//! Foreaches of more tasks than Airflow expands over one list: 30 on the bed.

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    more_tasks_than_airflow_takes_are_divided_into_blocks,
    more_tasks_than_airflow_takes_are_refused_by_the_split_step,
];

/// 3 x 11 and what is beside: neither 3 nor 33 is a multiple of the number of blocks.
const BLOCKS: &str = "class BlocksFlow(FlowSpec):
    @step
    def start(self):
        self.xs = [0, 1, 2]
        self.next(self.x, foreach='xs')

    @step
    def x(self):
        self.next(self.row, self.beside)

    @step
    def row(self):
        self.ys = [100 * self.input + y for y in range(11)]
        self.next(self.y, foreach='ys')

    @step
    def y(self):
        self.seen = (current.task_id, self.input)
        self.next(self.y_join)

    @step
    def y_join(self, inputs):
        self.seen = [one.seen for one in inputs]
        self.next(self.meet)

    @step
    def beside(self):
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.merge_artifacts(inputs, include=['seen'])
        self.next(self.x_join)

    @step
    def x_join(self, inputs):
        self.seen = [one.seen for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        expect = [[('t-%d-%d' % (x, y), 100 * x + y) for y in range(11)] for x in range(3)]
        assert self.seen == expect, self.seen";

fn more_tasks_than_airflow_takes_are_divided_into_blocks() {
    let Some(world) = World::new(BLOCKS) else {
        return;
    };
    let settings = world.airflow.profile("");
    let settings = settings.replace("dags = ", "foreach_blocks = 2\ndags = ");
    world.write("flowc.toml", &settings);
    let ended = world.run(&[]).succeeded();
    for x in 0..3 {
        ended.done_once(&format!("meet/t-{x}"), 1);
        for y in 0..11 {
            ended.done_once(&format!("y/t-{x}-{y}"), 1);
        }
    }
    ended.done_once("end/t", 1);
}

fn more_tasks_than_airflow_takes_are_refused_by_the_split_step() {
    let flow = "class TooWideFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = list(range(31))
        self.next(self.part, foreach='numbers')

    @step
    def part(self):
        self.next(self.whole)

    @step
    def whole(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]);
    let status = ended.failed();
    let said = "31 tasks of one foreach, but [core] max_map_length is 30";
    assert!(status.stdout.contains(said), "{status:#?}");
    ended.done_once("start/t", 1);
    let attempts = ended.attempts();
    assert!(
        !attempts.keys().any(|task| task.starts_with("part/")),
        "{attempts:#?}"
    );
}
