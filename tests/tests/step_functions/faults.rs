//! What goes wrong in the world: the right end, nothing lost, nothing double, and the cause is told.

use flowc_tests::beds::aws::{Bed, Death};
use serde_json::json;

use super::world::World;

const HEAD: &str = "import time\nfrom metaflow import FlowSpec, current, retry, step\n\n\n";

/// A flow whose middle step says where it is and waits to be killed, the first time.
fn flow(class: &str, times: u32) -> String {
    format!(
        "{HEAD}class {class}(FlowSpec):\n    \
         @step\n    def start(self):\n        self.x = 1\n        self.next(self.middle)\n\n    \
         @retry(times={times}, minutes_between_retries=0)\n    \
         @step\n    def middle(self):\n        \
         print('READY TO DIE %d' % current.retry_count, flush=True)\n        \
         if current.retry_count == 0: time.sleep(600)\n        \
         self.y = self.x + current.retry_count\n        self.next(self.end)\n\n    \
         @step\n    def end(self):\n        print('y', self.y)\n\n\nif __name__ == '__main__':\n    {class}()\n"
    )
}

fn attempts(world: &World<'_>, run: &str) -> usize {
    let keys = world.keys(run);
    keys.iter()
        .filter(|key| key.starts_with("middle/t/") && key.ends_with(".attempt.json"))
        .count()
}

/// A container that is lost after user code started uses up one of the author's attempts.
#[test]
fn a_killed_task_is_tried_again() {
    let bed = Bed::up();
    for (class, death) in [
        ("KilledFlow", Death::Kill),
        ("MemoryFlow", Death::OutOfMemory),
        ("HostFlow", Death::Host),
    ] {
        let world = World::new(&bed, &flow(class, 1), "");
        world.deploy();
        bed.kill_jobs_that_print("READY TO DIE 0", death, 1);
        let ended = world.trigger(&[]);
        ended.assert("succeeded");
        assert_eq!(attempts(&world, &ended.name), 2, "{class}");
        let printed = world.printed(&ended.name);
        let end = &printed.iter().find(|(step, _)| step == "end").unwrap().1;
        assert!(end.contains("y 2"), "{end}");
    }
}

#[test]
fn a_task_that_dies_without_attempts_left_fails_the_run() {
    let bed = Bed::up();
    for (class, death, told) in [
        ("KilledOnceFlow", Death::Kill, "killed (exit 137)"),
        (
            "MemoryOnceFlow",
            Death::OutOfMemory,
            "out of memory (exit 137)",
        ),
        ("HostOnceFlow", Death::Host, "the host was lost"),
    ] {
        let world = World::new(&bed, &flow(class, 0), "");
        world.deploy();
        bed.kill_jobs_that_print("READY TO DIE 0", death, 1);
        let ended = world.trigger(&[]);
        ended.assert("failed");
        assert_eq!(attempts(&world, &ended.name), 1);
        assert!(ended.status.contains(told), "{}", ended.status);
    }
}

#[test]
fn an_image_that_cannot_be_pulled_is_told() {
    let bed = Bed::up();
    let world = World::new(
        &bed,
        &flow("ImageFlow", 0),
        "image = \"example.org/nobody:1\"",
    );
    world.deploy();
    let ended = world.trigger(&[]);
    ended.assert("failed");
    assert!(
        ended
            .status
            .contains("image \"example.org/nobody:1\" cannot be pulled"),
        "{}",
        ended.status
    );
}

const WIDE: &str = "from metaflow import FlowSpec, step


class BusyFlow(FlowSpec):
    @step
    def start(self):
        self.items = list(range(12))
        self.next(self.work, foreach='items')

    @step
    def work(self):
        self.double = 2 * self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.sum = sum(task.double for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        print('sum', self.sum)


if __name__ == '__main__':
    BusyFlow()
";

#[test]
fn a_busy_store_is_waited_for() {
    let bed = Bed::up();
    let world = World::new(&bed, WIDE, "");
    world.deploy();
    bed.slow_down_s3(0.5);
    let ended = world.trigger(&[]);
    bed.slow_down_s3(0.0);
    ended.assert("succeeded");
    let keys = world.keys(&ended.name);
    let committed = keys
        .iter()
        .filter(|key| key.ends_with("/commit") && !key.starts_with("_parameters"));
    assert_eq!(committed.count(), 15);
    let printed = world.printed(&ended.name);
    let end = &printed.iter().find(|(step, _)| step == "end").unwrap().1;
    assert!(end.contains("sum 132"), "{end}");
}

#[test]
fn a_denied_store_ends_the_run_and_is_told() {
    let bed = Bed::up();
    let world = World::new(&bed, WIDE, "");
    world.deploy();
    // Step Functions itself may write the input; the tasks may write nothing.
    bed.deny(&["s3:PutObject"]);
    let ended = world.trigger(&[]);
    bed.deny(&[]);
    ended.assert("failed");
    assert!(
        ended
            .status
            .contains("step `start`: it cannot start as it is configured (exit 20)"),
        "{}",
        ended.status
    );
    let printed = world.printed(&ended.name);
    assert_eq!(printed.len(), 1, "{printed:?}");
    assert!(
        printed[0].1.to_lowercase().contains("denied"),
        "{printed:?}"
    );
}

#[test]
fn a_stopped_run_stops_its_tasks() {
    let bed = Bed::up();
    let world = World::new(&bed, &flow("StopFlow", 2), "");
    world.deploy();
    let run = world.start(&[]);
    let is_there = |mark: &str| {
        world
            .printed(&run)
            .iter()
            .any(|(step, log)| step == "middle" && log.contains(mark))
    };
    while !is_there("READY TO DIE 0") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    flowc_tests::run(&mut world.flowc(&["stop", &run, "--target", "step-functions"]));
    while bed.jobs().iter().any(|job| job["status"] == "RUNNING") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let status = world.status(&run);
    assert!(status.contains("stopped"), "{status}");
    assert_eq!(attempts(&world, &run), 1);
    let job = bed
        .jobs()
        .into_iter()
        .find(|job| job["name"] == json!("StopFlow-middle"))
        .unwrap();
    assert_eq!(job["status"], "FAILED");
}
