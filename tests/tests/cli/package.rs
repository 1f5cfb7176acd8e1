//! What goes into a code package, and what is said of the rest.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use flowc_tests::{flowc, temp_dir};
use serde_json::Value;

use super::{run, text};

/// A flow whose file begins with these lines.
fn flow(imports: &str) -> String {
    format!(
        "{imports}
from metaflow import FlowSpec, step


class PackFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == \"__main__\":
    PackFlow()
"
    )
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let place = folder.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, content).unwrap();
    }
}

/// Paths of the files in the package.
fn paths(listed: &Value) -> Vec<&str> {
    let files = listed["files"].as_array().unwrap().iter();
    files.map(|file| file["path"].as_str().unwrap()).collect()
}

#[test]
fn a_package_is_listed_with_sizes_and_digests() {
    let folder = temp_dir();
    write(
        folder.path(),
        &[
            ("flow.py", &flow("")),
            ("model.r", "1\n"),
            ("data.csv", "a\n"),
            ("secret.py", ""),
            (".flowcignore", "secret.py\n"),
            ("flowc.toml", "[package]\ninclude = [\"*.csv\"]\n"),
        ],
    );
    let output = run(folder.path(), &["package", "flow.py", "--json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        paths(&listed),
        ["data.csv", "flow.py", "model.r", "plan.json"]
    );
    assert_eq!(listed["files"][2]["size"], 2);
    let digest = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";
    assert_eq!(listed["files"][2]["sha256"], digest);

    // It is the package that a bundle names.
    let sha256 = listed["sha256"].as_str().unwrap();
    let name = format!("PackFlow/{sha256}");
    assert_eq!(listed["package"], name.as_str());
    let compiled = run(
        folder.path(),
        &["compile", "flow.py", "--target", "argo", "-o", "out"],
    );
    assert!(compiled.status.success(), "{}", text(&compiled.stderr));
    let template = fs::read_to_string(folder.path().join("out/workflow-template.yaml")).unwrap();
    assert!(template.contains(&name), "{template}");

    let shown = text(&run(folder.path(), &["package", "flow.py"]).stdout);
    assert!(shown.contains("\nmodel.r      2  4355a46b"), "{shown}");
    assert!(shown.ends_with(&format!("\n\n{name}\n")), "{shown}");

    // Another branch is another package, so that somebody has to say which.
    let in_project = flow("from metaflow import project")
        .replace("class PackFlow", "@project(name=\"shop\")\nclass PackFlow");
    write(folder.path(), &[("flow.py", &in_project)]);
    let undecided = run(folder.path(), &["package", "flow.py"]);
    assert_eq!(undecided.status.code(), Some(1));
    assert!(text(&undecided.stderr).contains("FC0309"));
    let decided = run(folder.path(), &["package", "flow.py", "--production"]);
    assert!(decided.status.success(), "{}", text(&decided.stderr));

    // Rules that cannot be read must not let anything in.
    fs::write(folder.path().join(".flowcignore"), b"\xff").unwrap();
    let unread = run(folder.path(), &["package", "flow.py", "--production"]);
    assert_eq!(unread.status.code(), Some(2), "{}", text(&unread.stderr));
    assert!(text(&unread.stderr).contains("cannot read ./.flowcignore"));
}

#[test]
fn links_become_what_they_lead_to_and_are_told() {
    let folder = temp_dir();
    write(
        folder.path(),
        &[
            ("flow/flow.py", &flow("import aa, bb, own")),
            ("flow/own/__init__.py", ""),
            ("lib/__init__.py", "X = 1\n"),
            ("data/only.csv", ""),
        ],
    );
    for (link, target) in [
        ("aa", "../lib"),
        ("bb", "../lib"),
        ("same", "own"),
        ("data", "../data"),
    ] {
        symlink(target, folder.path().join("flow").join(link)).unwrap();
    }
    let output = run(folder.path(), &["package", "flow/flow.py", "--json"]);
    assert!(!text(&output.stderr).contains("warning"));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        paths(&listed),
        [
            "aa/__init__.py",
            "bb/__init__.py",
            "flow.py",
            "own/__init__.py",
            "plan.json",
            "same/__init__.py"
        ]
    );
    let said = text(&run(folder.path(), &["check", "flow/flow.py"]).stderr);
    insta::assert_snapshot!(said, @"
    warning[FC0313]: 2 links lead out of the flow's folder
     = note: `aa` leads to ../lib
     = note: `bb` leads to ../lib
    help: what a link leads to is copied into the code package; name in `.flowcignore` what is not needed
         Checked PackFlow (2 steps)
    ");
    let target = ["check", "flow/flow.py", "--target", "argo"];
    assert_eq!(text(&run(folder.path(), &target).stderr), said);
}

/// What `check --target argo` says of the flow with this `PYTHONPATH`, without its last line.
fn check(folder: &Path, python_path: &str) -> String {
    let output = Command::new(flowc())
        .current_dir(folder)
        .args(["check", "--target", "argo", "flows/flow.py"])
        .env("PYTHONPATH", python_path)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    said.replace("     Checked PackFlow (2 steps)\n", "")
}

#[test]
fn modules_that_the_package_lacks_are_told() {
    let folder = temp_dir();
    let imports = "import numpy, types, helper
from common.util import f
from scratch import g
from lib import fast
from pkg import slow
import tools";
    write(
        folder.path(),
        &[
            ("flows/flow.py", &flow(imports)),
            // One of the package leads to more, and one that nothing leads to is not asked.
            ("flows/helper/__init__.py", "from . import deep\n"),
            ("flows/helper/deep.py", "def f():\n    import lonely\n"),
            ("flows/unused.py", "import other\n"),
            ("flows/scratch/__init__.py", "g = 1\n"),
            ("flows/.flowcignore", "scratch\n"),
            ("flows/lib/fast.cpython-311-x86_64-linux-gnu.so", ""),
            ("flows/vendor/tools.py", ""),
            ("python/pkg/slow.py", ""),
            ("common/util.py", ""),
            ("common/__init__.py", ""),
            ("lonely.py", ""),
            ("other.py", ""),
            // Python has its own.
            ("types.py", ""),
        ],
    );
    // From where the user is, Python's folders or not.
    let said = check(folder.path(), "python:flows/vendor");
    insta::assert_snapshot!(said, @r#"
    warning[FC0311]: `common` is not in the code package
     --> flows/flow.py:2:1
      |
    2 | from common.util import f
      | ^^^^^^^^^^^^^^^^^^^^^^^^^ here it is common, outside of the flow's folder
      |
      = note: a container has it only if its image has
    help: link it into the flow's folder, `ln -s ../common flows/common`, or install it in the image

    warning[FC0311]: `scratch` is not in the code package
     --> flows/flow.py:3:1
      |
    3 | from scratch import g
      | ^^^^^^^^^^^^^^^^^^^^^ here it is `scratch` in the flow's folder
      |
    help: the rules of `.flowcignore`, or its folder's name, keep it out; `flowc package` lists what is in

    warning[FC0311]: `lib.fast` is not in the code package
     --> flows/flow.py:4:1
      |
    4 | from lib import fast
      | ^^^^^^^^^^^^^^^^^^^^ here it is `lib/fast.cpython-311-x86_64-linux-gnu.so` in the flow's folder
      |
    help: name it in flowc.toml: `[package] include = ["lib/fast.cpython-311-x86_64-linux-gnu.so"]`

    warning[FC0311]: `pkg` is not in the code package
     --> flows/flow.py:5:1
      |
    5 | from pkg import slow
      | ^^^^^^^^^^^^^^^^^^^^ here it is python/pkg, outside of the flow's folder
      |
      = note: a container has it only if its image has
    help: link it into the flow's folder, `ln -s ../python/pkg flows/pkg`, or install it in the image

    warning[FC0311]: `tools` is not in the code package
     --> flows/flow.py:6:1
      |
    6 | import tools
      | ^^^^^^^^^^^^ here `PYTHONPATH` leads to vendor/tools.py
      |
    help: say where it is in the container too, in the profile: `env = { PYTHONPATH = "vendor" }`

    warning[FC0311]: `lonely` is not in the code package
     --> flows/helper/deep.py:2:5
      |
    2 |     import lonely
      |     ^^^^^^^^^^^^^ here it is lonely.py, outside of the flow's folder
      |
      = note: a container has it only if its image has
    help: link it into the flow's folder, `ln -s ../lonely.py flows/lonely.py`, or install it in the image
    "#);
    let codes = |said: &str| said.matches("FC0311").count();
    assert_eq!(codes(&said), 6, "{said}");

    // What the help says helps.
    for (target, link) in [
        ("../common", "common"),
        ("../lonely.py", "lonely.py"),
        ("../python/pkg", "pkg"),
    ] {
        symlink(target, folder.path().join("flows").join(link)).unwrap();
    }
    write(
        folder.path(),
        &[
            ("flows/.flowcignore", ""),
            (
                "flowc.toml",
                "[package]\ninclude = [\"*.so\"]\n[profile.default]\nenv = { PYTHONPATH = \"vendor\" }\n",
            ),
        ],
    );
    let said = check(folder.path(), "python:flows/vendor");
    assert_eq!(codes(&said), 0, "{said}");
}
