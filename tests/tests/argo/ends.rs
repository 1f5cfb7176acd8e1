//! How tasks end: retried, caught, out of time, stopped.

use flowc_tests::trials::Test;
use flowc_tests::{HOOKS_SHIM, trials};

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    user_code_is_started_as_often_as_retry_says,
    a_failure_ends_the_run_and_status_tells_the_line,
    a_timeout_is_caught,
    a_stopped_run_starts_nothing_more,
];

/// Exit hooks: two that say that they were called, and in between one that fails or ends its container.
const HOOKS: &str = "def first():
    print('hook first', flush=True)

def fails():
    raise ValueError('no such channel')

def ends():
    print('hook ends', flush=True)
    os.kill(shim(), signal.SIGTERM)

def last(run):
    print('hook last', run, flush=True)

def never():
    print('hook never', flush=True)

";

fn user_code_is_started_as_often_as_retry_says() {
    let flow = "@exit_hook(on_success=[first, ends, last], on_error=[never])
class RetryFlow(FlowSpec):
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count < 2:
            raise ValueError(f'attempt {current.retry_count}')
        self.tries = current.retry_count
        self.next(self.again)

    @step
    def again(self):
        assert self.tries == 2
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(&format!("{HOOKS_SHIM}{HOOKS}{flow}")) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    let attempts = ended.attempts();
    assert_eq!(
        (attempts["start/t"].started, attempts["start/t"].commits),
        (3, 1)
    );
    // Two for the hooks: the one whose container ended is not called again, those behind it are.
    assert_eq!(ended.pods(), 5 + 2);
    let mut called = ended.hooks();
    called.sort_unstable();
    assert_eq!(called, ["hook ends", "hook first", "hook last None"]);
}

fn a_failure_ends_the_run_and_status_tells_the_line() {
    let flow = "@exit_hook(on_error=[first, fails, last], on_success=[never])
class FailingFlow(FlowSpec):
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        raise ValueError('the moon is full')
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(&format!("{HOOKS_SHIM}{HOOKS}{flow}")) else {
        return;
    };
    let ended = world.run(&[]).failed();
    assert_eq!(ended.hooks(), ["hook first", "hook last None"]);
    assert_eq!(ended.pods(), 2 + 1);
    let attempts = ended.attempts();
    assert_eq!(
        (attempts["start/t"].started, attempts["start/t"].commits),
        (2, 0)
    );
    assert!(!attempts.contains_key("end/t"), "{attempts:?}");
    let status = ended.status();
    assert_eq!(status.code, Some(0), "{status:#?}");
    assert!(
        status.stdout.contains("ValueError: the moon is full"),
        "{status:#?}"
    );
}

fn a_timeout_is_caught() {
    let flow = "class TimeoutFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.slow)

    @catch(var='why')
    @timeout(seconds=2)
    @step
    def slow(self):
        time.sleep(600)
        self.next(self.after)

    @step
    def after(self):
        assert 'Timeout' in repr(self.why), repr(self.why)
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    let attempts = ended.attempts();
    assert_eq!(
        (attempts["slow/t"].started, attempts["slow/t"].commits),
        (1, 1)
    );
}

fn a_stopped_run_starts_nothing_more() {
    let flow = "@exit_hook(on_error=[last])
class StoppedFlow(FlowSpec):
    @retry(times=3, minutes_between_retries=0)
    @step
    def start(self):
        print('waiting for its end', flush=True)
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(&format!("{HOOKS_SHIM}{HOOKS}{flow}")) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    world.pod_that_says(&run, "waiting for its end");
    let (_, id) = run.split_once('/').unwrap();
    let going_on = world.flowc("status", &[id]);
    assert!(going_on.stdout.contains("running for"), "{going_on:#?}");
    world.stop(&run);
    let ended = world.wait(&run).failed();
    let status = ended.status();
    assert!(
        status.stderr.contains("stopped") || status.stdout.contains("stopped"),
        "{status:#?}"
    );
    assert_eq!(ended.attempts()["start/t"].started, 1);
    // As Metaflow does after an interruption.
    assert_eq!(ended.hooks(), ["hook last None"]);
    // What it printed until then has reached the store.
    let mut logs = world.argo.flowc(&["logs", &run]);
    let logs = flowc_tests::output(logs.current_dir(world.path()));
    assert_eq!(logs.code, Some(0), "{logs:#?}");
    assert!(logs.stdout.contains("waiting for its end"), "{logs:#?}");
}
