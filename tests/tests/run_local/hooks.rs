//! `@exit_hook`: what is called once a run is over, compared with Metaflow's own runner.

use super::world::{World, output};

/// The functions keep what they were called with in files, one line each.
const FLOW: &str = "
import notes
from metaflow import exit_hook

def note(text):
    with open('called', 'a') as file:
        file.write(text + '\\n')

def tell(run):
    note('tell %s %s' % (run.path_components[0], run.successful))

def plain():
    note('plain')

def broken():
    note('broken')
    raise ValueError('no such channel')

@exit_hook(on_success=[tell, 'plain'], on_error=['notes.failed'])
@exit_hook(on_success=[broken, 'nowhere'], on_error=[broken, tell])
class F(FlowSpec):
    fails = Parameter('fails', default=False)

    @step
    def start(self):
        if self.fails:
            raise KeyError('start')
        self.next(self.end)

    @step
    def end(self):
        pass";

const NOTES: &str = "
def failed(**given):
    with open('called', 'a') as file:
        file.write('failed %s\\n' % sorted(given))
";

fn world() -> World {
    let world = World::new(FLOW);
    world.write("notes.py", NOTES);
    world
}

fn called(world: &World) -> String {
    let file = world.path().join("called");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(file);
    text
}

#[test]
fn hooks_are_called_as_metaflow_calls_them() {
    let world = world();
    for (arguments, code) in [(&[][..], 0), (&["--fails", "True"], 1)] {
        let mut theirs = super::metaflow::metaflow(&world, &["flow.py", "--no-pylint", "run"]);
        assert_eq!(output(theirs.args(arguments)).code, Some(code));
        let theirs = called(&world);
        let ended = world.run(arguments);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        let ours = called(&world);
        assert!(!ours.is_empty());
        assert_eq!(ours, theirs, "{}", ended.stderr);
        // A hook that fails is told, without a line of ours, and changes nothing.
        let said = &ended.stderr;
        assert!(said.contains("ValueError: no such channel"), "{said}");
        assert!(said.contains("the exit hook `broken` failed"), "{said}");
        assert!(!said.contains("hooks.py"), "{said}");
        let nowhere = "LookupError: there is no function `nowhere` in flow.py";
        assert_eq!(said.contains(nowhere), code == 0, "{said}");
    }
}
