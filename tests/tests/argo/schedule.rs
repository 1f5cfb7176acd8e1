//! Schedules: a tick starts a run, and holds itself back where the profile says so.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    a_tick_starts_a_run,
    a_scheduled_run_is_held_back_while_another_one_is_going_on,
];

/// The schedule fires at every full minute under Argo's own controller; the stand-in is asked to.
fn flow(name: &str) -> String {
    format!(
        "@schedule(cron='* * * * *')
class {name}(FlowSpec):
    seconds = Parameter('seconds', default=0)

    @step
    def start(self):
        print('{name} has begun', flush=True)
        time.sleep(self.seconds)
        self.next(self.end)

    @step
    def end(self):
        pass"
    )
}

impl World {
    /// Workflows that a schedule started, or that became its own.
    fn scheduled(&self, schedule: &str) -> Vec<String> {
        let selector = format!("workflows.argoproj.io/cron-workflow={schedule}");
        let path = "-ojsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}";
        let found = self.kubectl(&["get", "workflows", "--selector", &selector, path]);
        found.lines().map(str::to_owned).collect()
    }

    /// Waits until the schedule has come to its moment, whatever it did then.
    fn until_ticked(&self, schedule: &str) {
        if self.argo.version().is_none() {
            while !self
                .kubectl(&[
                    "get",
                    "cronworkflow",
                    schedule,
                    "-ojsonpath={.metadata.annotations.flowc-bed/tick}",
                ])
                .is_empty()
            {
                thread::sleep(Duration::from_millis(200));
            }
            return;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        // The controller needs a moment after the minute.
        thread::sleep(Duration::from_secs(60 - now % 60 + 15));
    }
}

fn a_tick_starts_a_run() {
    let Some(world) = World::new(&flow("TickFlow")) else {
        return;
    };
    world.deploy();
    world.argo.tick("tickflow");
    let workflow = loop {
        if let Some(name) = world.scheduled("tickflow").into_iter().next() {
            break name;
        }
        thread::sleep(Duration::from_millis(500));
    };
    let ended = world.wait(&format!("TickFlow/argo-{workflow}")).succeeded();
    // It is found as any other run, and stays when the schedule goes.
    let status = ended.status();
    assert_eq!(status.code, Some(0), "{status:#?}");
    let delete = world.flowc("delete", &[]);
    assert_eq!(delete.code, Some(0), "{delete:#?}");
    assert!(world.scheduled("tickflow").contains(&workflow));
}

fn a_scheduled_run_is_held_back_while_another_one_is_going_on() {
    let Some(world) = World::new(&flow("SkipFlow")) else {
        return;
    };
    world.profile("overlap = 'skip'");
    world.deploy();
    let run = world.trigger(&["--seconds", "600"]);
    world.pod_that_says(&run, "SkipFlow has begun");
    world.argo.tick("skipflow");
    world.until_ticked("skipflow");
    let (_, name) = run.rsplit_once("argo-").unwrap();
    assert_eq!(world.scheduled("skipflow"), [name]);
    world.kubectl(&["delete", "cronworkflow", "skipflow", "--cascade=orphan"]);
    world.stop(&run);
    world.wait(&run).failed();
}
