//! Steps and exit hooks that remove what the run has left: such a run is no success.

use super::world::World;

/// `start` and `middle` and `end` and the hook do what their parameter says.
const FLOW: &str = "
import os, shutil
from metaflow import exit_hook

def remove(path):
    # By its name first: the run writes into it meanwhile.
    os.rename(path, 'gone')
    shutil.rmtree('gone', ignore_errors=True)

def hook(run):
    if os.path.exists('hook'):
        remove('.metaflow')

def do(what):
    exec(what)

@exit_hook(on_success=[hook])
class F(FlowSpec):
    first = Parameter('first', default='pass')
    then = Parameter('then', default='pass')
    last = Parameter('last', default='pass')

    @step
    def start(self):
        self.noise = os.urandom(200_000)
        do(self.first)
        self.next(self.middle)

    @step
    def middle(self):
        do(self.then)
        self.next(self.end)

    @step
    def end(self):
        do(self.last)";

/// The run failed, said so, and does not offer to go on from what is gone.
#[track_caller]
fn fails(world: &World, arguments: &[&str], said: &str) {
    let output = world.run(arguments);
    assert_eq!(output.code, Some(1), "{arguments:?}\n{}", output.stderr);
    for said in ["Failed", said, "Again"] {
        assert!(
            output.stderr.contains(said),
            "{arguments:?}: no `{said}` in\n{}",
            output.stderr
        );
    }
    for unsaid in ["Finished", "Kept", "Resume", "trying again"] {
        assert!(
            !output.stderr.contains(unsaid),
            "{arguments:?}: `{unsaid}` in\n{}",
            output.stderr
        );
    }
}

#[test]
fn a_run_whose_results_are_removed_is_no_success() {
    const ALL: &str = "remove('.metaflow')";
    const ANEW: &str = "shutil.move('.metaflow', 'moved'); os.mkdir('.metaflow')";
    const RUN: &str = "remove('.metaflow/F/' + current.run_id)";
    const FIRST: &str = "remove('.metaflow/F/' + current.run_id + '/start')";
    const BLOBS: &str = "remove('.metaflow/F/data')";
    let replaced = "was removed or replaced while it";
    for (which, what, said) in [
        ("--first", ALL, replaced),
        ("--then", ANEW, replaced),
        ("--last", ALL, replaced),
        ("--last", RUN, replaced),
        (
            "--last",
            FIRST,
            "start/t/commit was removed after it had been written",
        ),
        ("--last", BLOBS, "was removed after it had been written"),
    ] {
        let world = World::new(FLOW);
        fails(&world, &[which, what], said);
    }
    let world = World::new(FLOW);
    world.write("hook", "");
    fails(&world, &[], replaced);
    let world = World::new(FLOW);
    world.runs(&[]);
}
