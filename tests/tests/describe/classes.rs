//! The class that a file runs is the one that runs here, however it is made.

use super::{folder, run, said};

/// A file that ends with something after a base class of two steps.
fn file(rest: &str) -> String {
    format!(
        "from metaflow import FlowSpec, Parameter, step
class Base(FlowSpec):
    @step
    def start(self):
        self.way = \"base\"
        self.next(self.end)
    @step
    def end(self):
        print(\"ran\", type(self).__name__, self.way, getattr(self, \"more\", None))
class Other(Base):
    more = \"other\"
@step
def another(self):
    self.way = \"another\"
    self.next(self.end)
another.name = another.__name__ = \"start\"
{rest}
"
    )
}

/// A factory of classes.
const MAKE: &str = "def make(base):
    class Made(base):
        @step
        def start(self):
            self.way = \"made\"
            self.next(self.end)
    return Made
";

#[test]
fn the_class_that_the_file_runs_is_run() {
    for (rest, expected) in [
        (
            "Made = type(\"Made\", (Base,), {\"more\": 5})\nMade()".to_owned(),
            "ran Made base 5",
        ),
        (format!("{MAKE}Flow = make(Base)\nFlow()"), "ran Made made None"),
        (format!("{MAKE}make(Other)()"), "ran Made made other"),
        (format!("{MAKE}@make\nclass Flow(Base):\n    pass\nFlow()"), "ran Made made None"),
        ("Base = type(\"Base\", (Base,), {\"more\": 2})\nBase()".to_owned(), "ran Base base 2"),
        ("Again = Base\nAgain()".to_owned(), "ran Base base None"),
        (
            "if __name__ == \"__main__\":\n    globals()[\"Base\"]()".to_owned(),
            "ran Base base None",
        ),
        (
            "def main(flow):\n    flow()\nif __name__ == \"__main__\":\n    main(Base)".to_owned(),
            "ran Base base None",
        ),
        (
            "Base.__name__ = \"Named\"\nsetattr(Base, \"more\", Parameter(\"more\", default=4))\nBase()".to_owned(),
            "ran Named base 4",
        ),
        (
            "import os\nif os.environ.get(\"HOME\"):\n    class Flow(Base):\n        more = 1\nelse:\n    class Flow(Other):\n        pass\nFlow()".to_owned(),
            "ran Flow base 1",
        ),
    ] {
        let folder = folder(&[("flow.py", &file(&rest))]);
        let output = run(folder.path(), &["run", "flow.py", "--store", "runs"]);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(printed.contains(expected), "{rest}: {printed}{}", said(&output));
    }
}

#[test]
fn steps_that_are_put_into_a_class_are_refused() {
    for rest in [
        "Base.start = another\nBase()",
        "Made = type(\"Made\", (Base,), {\"start\": another})\nMade()",
    ] {
        let folder = folder(&[("flow.py", &file(rest))]);
        let text = said(&run(folder.path(), &["check", "flow.py"]));
        for part in ["error[FC0028]", "is another function", "flow.py:12"] {
            assert!(text.contains(part), "{rest}: {text}");
        }
    }
    let folder = folder(&[(
        "flow.py",
        &file("if __name__ == \"__main__\":\n    print()"),
    )]);
    let text = said(&run(folder.path(), &["check", "flow.py"]));
    assert!(text.contains("Checked Other"), "{text}");
    let text = said(&run(folder.path(), &["check", "flow.py", "--static"]));
    assert!(text.contains("error[FC0033]"), "{text}");
}
