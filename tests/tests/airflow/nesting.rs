//! Foreaches inside foreaches, on Airflow with real pods.

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![a_failed_inner_task_fails_the_run];

fn a_failed_inner_task_fails_the_run() {
    let flow = "@exit_hook(on_error=[first, fails, last], on_success=[never])
class InnerFailureFlow(FlowSpec):
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
    assert_eq!(ended.hooks(), ["first", "last"]);
    let attempts = ended.attempts();
    assert_eq!(attempts["y/t-1-1"].commits, 0, "{attempts:#?}");
    for join in ["y_join/", "x_join/", "end/"] {
        assert!(
            !attempts.keys().any(|task| task.starts_with(join)),
            "{attempts:#?}"
        );
    }
}
