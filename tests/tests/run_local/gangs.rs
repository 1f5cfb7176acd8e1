//! Gangs: what becomes of the other nodes when one fails, and of the gang when the run is resumed.

use super::world::{World, output};

/// Three nodes; `middle` is what the body of the second does.
fn gang(decorators: &str, middle: &str) -> World {
    World::new(&format!(
        "from metaflow import parallel
import os
import time

class F(FlowSpec):
    @step
    def start(self):
        self.next(self.work, num_parallel=3)

    {decorators}
    @parallel
    @step
    def work(self):
        here = current.parallel
        if here.node_index == 0:
            # Ends well, long before the others.
            self.role = 'first'
        elif here.node_index == 1:
            {middle}
            self.role = 'middle'
        else:
            # Waits for the others, as code that trains together does.
            while not os.path.exists('mended'):
                time.sleep(0.01)
            self.role = 'last'
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.roles = [(node.role, getattr(node, 'problem', None) is not None) for node in inputs]
        self.next(self.end)

    @step
    def end(self):
        print(self.roles)
"
    ))
}

/// Fails as long as there is no file `mended`.
const FAILS: &str = "assert os.path.exists('mended'), 'no luck'";

#[test]
fn one_that_fails_stops_the_others_and_none_has_a_result() {
    let world = gang("", FAILS);
    let failed = world.run(&["--max-workers", "1"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("[work/t-1] failed") && !failed.stderr.contains("[work/t-2] failed"),
        "{}",
        failed.stderr
    );
    assert!(world.committed("work").is_empty());

    world.write("mended", "");
    let resumed = output(world.flowc("resume").arg("flow.py"));
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    let roles = "[('first', False), ('middle', False), ('last', False)]";
    assert!(resumed.stdout.contains(roles), "{}", resumed.stdout);
    assert_eq!(world.committed("work"), ["t-0", "t-1", "t-2"]);

    // Now all of it is there to be taken over.
    let again = output(world.flowc("resume").args(["flow.py", "gather"]));
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(world.committed("work"), ["t-0", "t-1", "t-2"]);
    let origin = std::fs::read_to_string(world.latest().join("work/t-2/commit")).unwrap();
    assert!(origin.contains("\"origin\":"), "{origin}");
}

#[test]
fn a_gang_of_which_a_node_is_missing_runs_again_as_a_whole() {
    let world = gang("", FAILS);
    world.write("mended", "");
    world.runs(&[]);
    std::fs::remove_file(world.latest().join("work/t-1/commit")).unwrap();
    let resumed = output(world.flowc("resume").arg("flow.py"));
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(
        resumed.stderr.contains("another node of its gang runs"),
        "{}",
        resumed.stderr
    );
    for task in ["t-0", "t-1", "t-2"] {
        let commit = world.latest().join("work").join(task).join("commit");
        let text = std::fs::read_to_string(commit).unwrap();
        assert!(!text.contains("\"origin\":"), "{task} was taken over");
    }
}

#[test]
fn each_node_has_its_own_catch() {
    let middle = "self.role = 'middle'; open('mended', 'w').close(); raise ValueError('no luck')";
    let world = gang("@catch(var='problem', print_exception=False)", middle);
    let ran = world.runs(&[]);
    let roles = "[('first', False), ('middle', True), ('last', False)]";
    assert!(ran.stdout.contains(roles), "{}", ran.stdout);
}

#[test]
fn a_process_that_is_lost_is_a_failure_of_the_gang() {
    let lost = "
            if current.retry_count == 0:
                os.kill(os.getpid(), 9)
            open('mended', 'w').close()";
    let world = gang("@retry(times=1, minutes_between_retries=0)", lost);
    let ran = world.runs(&[]);
    let roles = "[('first', False), ('middle', False), ('last', False)]";
    assert!(ran.stdout.contains(roles), "{}", ran.stdout);
    for task in ["t-0", "t-1", "t-2"] {
        let attempts = world.latest().join("work").join(task);
        assert!(attempts.join("1.attempt.json").exists(), "{task}");
        assert!(!attempts.join("2.attempt.json").exists(), "{task}");
    }
}

#[test]
fn a_number_of_nodes_that_is_none_is_said_when_it_is_known() {
    let world = World::new(
        "from metaflow import parallel

class F(FlowSpec):
    nodes = Parameter('nodes', default=0)

    @step
    def start(self):
        self.next(self.work, num_parallel=self.nodes)

    @parallel
    @step
    def work(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
",
    );
    let failed = world.run(&[]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let says = "must be a whole number from 1 on";
    assert!(failed.stderr.contains(says), "{}", failed.stderr);
    world.runs(&["--nodes", "2"]);
    assert_eq!(world.committed("work"), ["t-0", "t-1"]);
}
