//! Flows run on Airflow with real pods.

use std::thread;
use std::time::Duration;

use flowc_tests::output;
use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::{World, run_name};

pub(crate) const TESTS: &[Test] = trials![
    a_tick_starts_a_run_and_the_next_one_gives_way,
    thirty_tasks_of_a_foreach,
    retry_timeout_and_catch,
    a_failure_is_told_by_its_error_line,
    an_empty_foreach_fails_its_split_step_by_default,
    an_empty_foreach_goes_on_with_its_join_if_the_profile_says_so,
    a_stopped_run_ends_its_pods,
];

fn retry_timeout_and_catch() {
    let flow = "@exit_hook(on_success=[first, fails, last], on_error=[never])
class EndsFlow(FlowSpec):
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count < 1:
            raise ValueError('once')
        self.attempt = current.retry_count
        self.next(self.slow)

    @catch(var='late')
    @timeout(seconds=3)
    @step
    def slow(self):
        time.sleep(120)
        self.next(self.broken)

    @catch(var='broke')
    @retry(times=1, minutes_between_retries=0)
    @step
    def broken(self):
        raise ValueError('always')
        self.next(self.end)

    @step
    def end(self):
        assert self.attempt == 1
        assert self.late and self.broke, (self.late, self.broke)";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    ended.done_once("start/t", 2);
    ended.done_once("slow/t", 1);
    ended.done_once("broken/t", 2);
    ended.done_once("end/t", 1);
    assert_eq!(ended.hooks(), ["first", "last"]);
}

fn a_failure_is_told_by_its_error_line() {
    let flow = "class FailingFlow(FlowSpec):
    @step
    def start(self):
        raise ValueError('no such model')
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
        status.stdout.contains("ValueError: no such model"),
        "{status:#?}"
    );
    let logs = world.logs(&ended.run);
    assert!(logs.contains("raise ValueError('no such model')"), "{logs}");
    assert_eq!(
        ended.attempts()["start/t"].started,
        1,
        "{:?}",
        ended.attempts()
    );
}

fn thirty_tasks_of_a_foreach() {
    let flow = "class WideFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = list(range(30))
        self.next(self.square, foreach='numbers')

    @step
    def square(self):
        self.value = self.input ** 2
        self.next(self.total)

    @step
    def total(self, inputs):
        assert [one.value for one in inputs] == [n ** 2 for n in range(30)]
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    for index in 0..30 {
        ended.done_once(&format!("square/t-{index}"), 1);
    }
    ended.done_once("total/t", 1);
}

const EMPTY: &str = "class EmptyFlow(FlowSpec):
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
    let ended = world.run(&[]);
    ended.failed();
    let attempts = ended.attempts();
    assert_eq!(attempts["start/t"].started, 1, "{attempts:?}");
    assert!(!attempts.contains_key("total/t"), "{attempts:?}");
}

fn an_empty_foreach_goes_on_with_its_join_if_the_profile_says_so() {
    let Some(world) = World::new(&EMPTY.replace("EmptyFlow", "EmptyJoinFlow")) else {
        return;
    };
    world.profile("empty_foreach = 'join'");
    let ended = world.run(&[]).succeeded();
    ended.done_once("total/t", 1);
    let attempts = ended.attempts();
    assert!(
        !attempts.keys().any(|task| task.starts_with("square/")),
        "{attempts:?}"
    );
}

fn a_stopped_run_ends_its_pods() {
    let flow = "@exit_hook(on_error=[last])
class StoppedFlow(FlowSpec):
    @step
    def start(self):
        print('it runs', flush=True)
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    let pod = world.pod_that_says("it runs");
    let (_, id) = run.split_once('/').unwrap();
    let status = world.flowc("status", &[id]);
    assert!(status.stdout.contains(" running for "), "{status:#?}");
    let mut stop = world.airflow.flowc(&["stop", &run, "--target", "airflow"]);
    let stopped = output(stop.current_dir(world.path()));
    assert_eq!(stopped.code, Some(0), "{stopped:#?}");
    let ended = world.wait(&run);
    assert_eq!(ended.phase, "stopped");
    assert!(ended.status().stdout.contains(" stopped after "));
    assert_eq!(ended.hooks(), ["last"]);
    world.kubectl(&[
        "wait",
        "--for=delete",
        &format!("pod/{pod}"),
        "--timeout=300s",
    ]);
    // What it had printed until then is kept.
    assert!(world.logs(&run).contains("it runs"), "{}", world.logs(&run));
}

fn a_tick_starts_a_run_and_the_next_one_gives_way() {
    let flow = "@exit_hook(on_success=[never], on_error=[never])
@schedule(cron='* * * * *')
class TickFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = [1]
        self.next(self.row, foreach='numbers')

    @step
    def row(self):
        self.next(self.part, foreach='numbers')

    @step
    def part(self):
        time.sleep(900)
        self.next(self.row_join)

    @step
    def row_join(self, inputs):
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
    world.profile("overlap = 'skip'");
    world.deploy();
    // The first tick's run is at work; the second one's ends without a task.
    world.pod_with(|pod| pod.starts_with("part"));
    // However late its start was: it never gives way to a younger one.
    let skipped = loop {
        let mut runs = world.dag_runs();
        runs.sort_by_key(|run| run["logical_date"].to_string());
        assert_eq!(runs[0]["state"], "running", "{runs:#?}");
        assert!(runs.iter().all(|run| run["state"] != "failed"), "{runs:#?}");
        if let Some(run) = runs.iter().find(|run| run["state"] == "success") {
            break run_name(run);
        }
        thread::sleep(Duration::from_secs(2));
    };
    assert!(skipped.starts_with("airflow-scheduled__"), "{skipped}");
    let path = format!("/{}/{skipped}/", world.dag_id());
    let touched = world.airflow.cluster.requests();
    let touched = touched
        .iter()
        .filter(|request| request["path"].as_str().unwrap().contains(&path));
    assert_eq!(touched.count(), 0, "the skipped run touched the store");
    let deleted = world.flowc("delete", &[]);
    assert!(
        deleted.stderr.contains("have not ended"),
        "a flow that runs is not deleted: {deleted:#?}"
    );
    world.stop_all();
}
