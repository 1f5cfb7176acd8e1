//! Schedules: a tick starts a run, and `overlap` says what happens while another one is running.

use std::thread;
use std::time::Duration;

use flowc_tests::beds::aws::Bed;

use super::world::World;

fn flow(class: &str) -> String {
    format!(
        "import os\nimport time\nfrom metaflow import FlowSpec, Parameter, schedule, step\n\n\n\
         @schedule(cron='0 6 * * *', timezone='Europe/Berlin')\nclass {class}(FlowSpec):\n    \
         gate = Parameter('gate', default='')\n\n    \
         @step\n    def start(self):\n        \
         print('HERE', flush=True)\n        \
         while self.gate and not os.path.exists(self.gate): time.sleep(0.05)\n        \
         self.next(self.end)\n\n    @step\n    def end(self):\n        pass\n\n\nif __name__ == '__main__':\n    {class}()\n"
    )
}

/// The run of an execution and how it ended, once it has.
fn ended(world: &World<'_>, class: &str, name: &str) -> (String, String) {
    let name = name.rsplit(':').next().unwrap();
    let status = world.bed.boto(&format!(
        "import time\nsfn = client('stepfunctions')\n\
         arn = 'arn:aws:states:us-east-1:123456789012:execution:{class}:{name}'\n\
         while sfn.describe_execution(executionArn=arn)['status'] == 'RUNNING': time.sleep(0.1)\n\
         print(sfn.describe_execution(executionArn=arn)['status'])"
    ));
    (format!("{class}/sfn-{name}"), status.trim().to_owned())
}

#[test]
fn a_tick_starts_a_run() {
    let bed = Bed::up();
    let world = World::new(&bed, &flow("TickFlow"), "");
    world.deploy();
    let (run, status) = ended(&world, "TickFlow", &bed.fire("flowc-TickFlow")[0]);
    assert_eq!(status, "SUCCEEDED");
    assert_eq!(world.printed(&run).len(), 2);
}

#[test]
fn overlapping_runs_are_allowed_or_skipped() {
    let bed = Bed::up();
    for (class, overlap, tasks) in [("BothFlow", "allow", 2), ("SkipFlow", "skip", 0)] {
        let world = World::new(&bed, &flow(class), &format!("overlap = \"{overlap}\""));
        world.deploy();
        let schedule = format!("flowc-{class}");

        // Alone it runs, marked or not.
        let (run, status) = ended(&world, class, &bed.fire(&schedule)[0]);
        assert_eq!(status, "SUCCEEDED");
        assert_eq!(world.printed(&run).len(), 2, "{class}");

        // While another one runs, it is as the setting says.
        let gate = world.path().join("gate");
        let first = world.start(&["--gate", gate.to_str().unwrap()]);
        while !world
            .printed(&first)
            .iter()
            .any(|(_, log)| log.contains("HERE"))
        {
            thread::sleep(Duration::from_millis(50));
        }
        let (run, status) = ended(&world, class, &bed.fire(&schedule)[0]);
        assert_eq!(status, "SUCCEEDED");
        assert_eq!(world.printed(&run).len(), tasks, "{class}");

        // Runs that somebody triggers are not held back.
        let second = world.trigger(&[]);
        second.assert("succeeded");
        assert_eq!(world.printed(&second.name).len(), 2, "{class}");
        std::fs::write(&gate, "").unwrap();
        let (run, status) = ended(&world, class, first.split_once("/sfn-").unwrap().1);
        assert_eq!(status, "SUCCEEDED");
        assert_eq!(world.printed(&run).len(), 2, "{class}");
    }
}
