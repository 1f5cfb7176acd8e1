//! What only Python can tell of a flow: when it is asked, what its answer changes, and what happens if it has none.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod attached;
mod classes;
mod configs;
mod limits;
mod same;
mod surroundings;
mod values;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use flowc_tests::{flowc, metaflow_python, temp_dir};
use serde_json::{Value, json};

pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = temp_dir();
    for (path, text) in files {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }
    folder
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(flowc());
    command
        .current_dir(folder)
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("HOME", folder)
        .env_remove("VIRTUAL_ENV")
        .env_remove("METAFLOW_FLOW_CONFIG")
        .env_remove("METAFLOW_FLOW_CONFIG_VALUE");
    command
}

/// What was said, and the exit code.
pub(crate) fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    format!("{text}exit {}\n", output.status.code().unwrap())
}

/// A flow of two steps with something around it.
pub(crate) fn flow(head: &str, around: &str, inside: &str) -> String {
    format!(
        "from metaflow import FlowSpec, Parameter, retry, step
{head}
{around}
class Demo(FlowSpec):
    {inside}
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == \"__main__\":
    Demo()
"
    )
}

#[test]
fn static_forbids_asking_and_says_where_it_would_have_been_needed() {
    let flow = flow("TIMES = int('2')", "", "@retry(times=TIMES)");
    let folder = folder(&[("flow.py", &flow)]);
    insta::assert_snapshot!(said(&run(folder.path(), &["check", "--static", "flow.py"])), @r"
    error[FC0012]: `times` of `@retry` is not a literal
     --> flow.py:5:18
      |
    5 |     @retry(times=TIMES)
      |                  ^^^^^ only Python could evaluate this
      |
      = note: `--static` forbids asking Python
    help: write the value itself; what is computed belongs into a parameter or into the body of a step
    exit 1
    ");
    // Nobody is asked, so nobody is missed.
    for (arguments, expected) in [
        (&["check", "--static", "flow.py"][..], "FC0012"),
        (&["check", "flow.py"][..], "FC4004"),
    ] {
        let output = command(folder.path(), arguments)
            .env("FLOWC_PYTHON", "/nonexistent/python")
            .output()
            .unwrap();
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    let compile = ["compile", "--static", "flow.py", "--target", "argo"];
    assert!(said(&run(folder.path(), &compile)).contains("FC0012"));
    assert_eq!(
        said(&run(folder.path(), &["check", "flow.py"])),
        "     Checked Demo (2 steps)\nexit 0\n"
    );
}

#[test]
fn a_bundle_says_that_python_was_asked() {
    let source = flow("TIMES = int('2')", "", "@retry(times=TIMES)");
    let folder = folder(&[
        ("flow.py", &source),
        ("plain/flow.py", &flow("", "", "N = 1")),
    ]);
    let view = |file: &str| -> Value {
        let out = folder.path().join("out");
        let arguments = ["compile", file, "--target", "airflow", "-o", "out"];
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let text = fs::read_to_string(out.join("flow.ir.json")).unwrap();
        fs::remove_dir_all(out).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let described = view("flow.py");
    assert_eq!(described["described"], json!(true));
    assert_eq!(described["steps"][0]["retries"], json!(2));
    assert_eq!(view("plain/flow.py").get("described"), None);
}

#[test]
fn a_module_that_fails_is_shown_by_its_line_and_its_last_word() {
    let source = flow("import tools", "", "@retry(times=tools.times())");
    let files = [
        ("flow.py", source.as_str()),
        ("tools.py", "def times():\n    return int('many')\n"),
    ];
    let broken = folder(&files);
    insta::assert_snapshot!(said(&run(broken.path(), &["check", "flow.py"])), @r"
    error[FC0026]: the flow file fails when Python runs it: ValueError: invalid literal for int() with base 10: 'many'
     --> tools.py:2:5
      |
    2 |     return int('many')
      |     ^^^^^^^^^^^^^^^^^^ while this line was run
      |
     ::: flow.py:5:18
      |
    5 |     @retry(times=tools.times())
      |                  ------------- Python was asked because of this
      |
    help: mend the file, or write the values that cannot be read as literals
    exit 1
    ");
    let missing = folder(&[(
        "flow.py",
        &source.replace("import tools", "import tools_of_nobody as tools"),
    )]);
    let text = said(&run(missing.path(), &["check", "flow.py"]));
    assert!(text.contains("No module named 'tools_of_nobody'"), "{text}");
    assert!(text.contains("--> flow.py:2:1"), "{text}");
    assert!(!text.contains("Traceback"), "{text}");
    let dying = flow("import os\nos._exit(3)", "", "@retry(times=int('2'))");
    let dying = folder(&[("flow.py", &dying)]);
    let text = said(&run(dying.path(), &["check", "flow.py"]));
    assert!(
        text.contains("FC0026") && text.contains("exit status: 3"),
        "{text}"
    );
}

#[test]
fn what_the_module_prints_is_no_part_of_the_answer() {
    let source = flow(
        "import os\nprint('hello')\nos.write(1, b'raw')",
        "",
        "@retry(times=int('2'))",
    );
    let folder = folder(&[("flow.py", &source)]);
    let output = run(folder.path(), &["check", "flow.py"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn a_flow_that_changes_is_refused() {
    for (head, value) in [
        ("import random", "random.random()"),
        ("import time", "time.time()"),
        ("import uuid", "str(uuid.uuid4())"),
        ("import os", "os.getpid()"),
        ("", "' '.join({'a', 'b', 'c', 'd', 'e', 'f', 'g'})"),
    ] {
        let inside = format!("alpha = Parameter(\"alpha\", default={value})");
        let folder = folder(&[("flow.py", &flow(head, "", &inside))]);
        let text = said(&run(folder.path(), &["check", "flow.py"]));
        assert!(text.contains("error[FC0027]"), "{value}: {text}");
        assert!(
            text.contains("what differs: parameters 0 default"),
            "{text}"
        );
    }
}

#[test]
fn steps_are_those_that_were_read() {
    let lost = "def plain(function):\n    return lambda self: function(self)\n";
    let folder = folder(&[
        ("lost.py", &flow(lost, "", "@plain")),
        (
            "kept.py",
            &flow(
                "import functools\ndef kept(function):\n    @functools.wraps(function)\n    def wrapped(self): return function(self)\n    return wrapped\n",
                "",
                "@kept",
            ),
        ),
        (
            "added.py",
            &flow(
                "@step\ndef extra(self): pass\ndef add(cls):\n    cls.extra = extra\n    return cls\n",
                "@add",
                "",
            ),
        ),
    ]);
    insta::assert_snapshot!(said(&run(folder.path(), &["check", "lost.py"])), @r"
    error[FC0028]: `start` is no step once Python has run the file
     --> lost.py:9:9
      |
    9 |     def start(self):
      |         ^^^^^ a decorator or a mutator makes something else of it
      |
    help: decorators of a step must hand on the function that `@step` marked
    exit 1
    ");
    let text = said(&run(folder.path(), &["check", "kept.py"]));
    assert!(text.contains("Checked Demo"), "{text}");
    let text = said(&run(folder.path(), &["check", "added.py"]));
    assert!(
        text.contains("FC0028") && text.contains("`extra` exists only once"),
        "{text}"
    );
}

#[test]
fn values_that_no_target_can_be_told_are_refused_where_they_stand() {
    let source = flow(
        "import datetime",
        "",
        "@retry(times=datetime.timedelta(days=1))",
    );
    let folder = folder(&[("flow.py", &source)]);
    let text = said(&run(folder.path(), &["check", "flow.py"]));
    assert!(
        text.contains("error[FC0012]") && text.contains("flow.py:5:18"),
        "{text}"
    );
    assert!(text.contains("datetime.timedelta(days=1)"), "{text}");
}

/// A mutator that inserts a decorator with a wrong value, and one whose decorator is not supported.
const INSERTS: &str = "from metaflow import FlowMutator, StepMutator
class Many(StepMutator):
    def mutate(self, mutable_step):
        mutable_step.add_decorator(retry, deco_kwargs={\"times\": 99})
class Cards(FlowMutator):
    def pre_mutate(self, mutable_flow):
        for _, one in mutable_flow.steps:
            one.add_decorator(\"checkpoint\")
";

#[test]
fn what_was_inserted_is_shown_at_its_mutator() {
    let folder = folder(&[
        ("step.py", &flow(INSERTS, "", "@Many")),
        ("flow.py", &flow(INSERTS, "@Cards()", "")),
    ]);
    let text = said(&run(folder.path(), &["check", "step.py"]));
    assert!(
        text.contains("error[FC0206]") && text.contains("step.py:13:6"),
        "{text}"
    );
    let text = said(&run(folder.path(), &["check", "flow.py"]));
    assert!(
        text.contains("error[FC0014]") && text.contains("flow.py:11:2"),
        "{text}"
    );
}

#[test]
fn events_are_computed_but_for_those_that_functions_name() {
    let head = "from metaflow import namespaced_event_name, trigger
def pick(context=None):
    return 'picked'
";
    let names = "@trigger(events=[namespaced_event_name('new.' + pick()), {'name': pick()}])";
    let folder = folder(&[
        ("names.py", &flow(head, names, "")),
        (
            "function.py",
            &flow(head, "@trigger(events=['a', pick])", ""),
        ),
    ]);
    let shown = run(folder.path(), &["show", "names.py", "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["triggers"], json!(["mfns.new.picked", "picked"]));
    let text = said(&run(folder.path(), &["check", "function.py"]));
    // Said once, and nothing of the decorator without that argument.
    assert_eq!(text.matches("error[").count(), 1, "{text}");
    for said in ["FC0012", "function.py:6", "<function pick>", "Config"] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_base_class_outside_the_tree_is_read_where_it_is() {
    let outside = folder(&[(
        "company/flows.py",
        "from metaflow import FlowSpec, Parameter, step
class Base(FlowSpec):
    alpha = Parameter(\"alpha\", default=0.5)
    @step
    def start(self):
        self.next(self.end)
",
    )]);
    let folder = folder(&[(
        "flow.py",
        "from company.flows import Base
from metaflow import step
class Demo(Base):
    @step
    def end(self):
        assert self.alpha == 2
if __name__ == \"__main__\":
    Demo()
",
    )]);
    let with = |arguments: &[&str]| {
        let mut command = command(folder.path(), arguments);
        said(&command.env("PYTHONPATH", outside.path()).output().unwrap())
    };
    let text = with(&["check", "flow.py"]);
    assert!(text.contains("Checked Demo (2 steps)"), "{text}");
    let text = with(&["run", "flow.py", "--store", "runs", "--alpha", "2"]);
    assert!(text.contains("Finished Demo"), "{text}");
    let text = with(&["check", "--static", "flow.py"]);
    assert!(text.contains("error[FC0010]"), "{text}");
}

/// Python is asked in the flow's folder, and finds what it would find from where the user is.
#[test]
fn relative_folders_count_from_where_the_user_is() {
    let place = folder(&[
        (
            "lib/common/__init__.py",
            "import os
from metaflow import FlowSpec, step
class Base(FlowSpec):
    @step
    def start(self):
        self.next(self.end)
    def seen(self):
        assert os.path.exists('ready')
",
        ),
        (
            "flows/flow.py",
            "from common import Base
from metaflow import step
class Demo(Base):
    @step
    def end(self):
        self.seen()
if __name__ == \"__main__\":
    Demo()
",
        ),
    ]);
    let with = |arguments: &[&str]| {
        let mut command = command(place.path(), arguments);
        said(&command.env("PYTHONPATH", "none:lib").output().unwrap())
    };
    let text = with(&["check", "flows/flow.py"]);
    assert!(text.contains("Checked Demo (2 steps)"), "{text}");
    let text = with(&["run", "flows/flow.py"]);
    assert!(text.contains("Failed Demo"), "{text}");
    fs::write(place.path().join("ready"), "").unwrap();
    let text = with(&["resume", "flows/flow.py"]);
    assert!(text.contains("Finished Demo"), "{text}");
    let run = fs::read_to_string(place.path().join(".metaflow/Demo/latest_run")).unwrap();
    let run = format!("Demo/{run}");
    let text = with(&["test", "step", "flows/flow.py", "end", "--from", &run]);
    assert!(text.ends_with("exit 0\n"), "{text}");

    // A Python that is named so is found too.
    std::os::unix::fs::symlink(metaflow_python(), place.path().join("python")).unwrap();
    let text = with(&["check", "--python", "./python", "flows/flow.py"]);
    assert!(text.contains("Checked Demo (2 steps)"), "{text}");
}
