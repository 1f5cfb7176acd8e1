//! Whose a bundle's folder is, and what of it is touched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use flowc_tests::temp_dir;

use super::{run, text};

/// A flow of that name, with these lines before its class.
fn flow(name: &str, decorators: &str) -> String {
    format!(
        "from metaflow import FlowSpec, project, schedule, step


{decorators}
class {name}(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == \"__main__\":
    {name}()
"
    )
}

/// A folder with two flows, of which the first has a schedule, and so one more file.
fn place() -> tempfile::TempDir {
    let folder = temp_dir();
    fs::write(
        folder.path().join("a.py"),
        flow("AFlow", "@schedule(daily=True)"),
    )
    .unwrap();
    fs::write(folder.path().join("b.py"), flow("BFlow", "")).unwrap();
    folder
}

/// Exit code and what was said.
fn compile(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(folder, &[&["compile"], arguments].concat());
    (output.status.code().unwrap(), text(&output.stderr))
}

#[track_caller]
fn compiles(folder: &Path, arguments: &[&str]) -> String {
    let (code, said) = compile(folder, arguments);
    assert_eq!(code, 0, "{said}");
    said
}

#[track_caller]
fn refused(folder: &Path, arguments: &[&str], words: &[&str]) {
    let before = contents(folder);
    let (code, said) = compile(folder, arguments);
    assert_eq!(code, 2, "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(contents(folder), before, "{said}");
}

/// All files below a folder; links by what they lead to.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap();
            let name = name.to_str().unwrap().to_owned();
            if path.is_symlink() {
                found.insert(name, fs::read_link(path).unwrap().display().to_string());
            } else if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_folder_belongs_to_one_flow_and_target() {
    let folder = place();
    let folder = folder.path();
    compiles(folder, &["a.py", "--target", "argo", "-o", "out"]);
    let marker = fs::read_to_string(folder.join("out/.flowc-bundle")).unwrap();
    assert_eq!(
        marker,
        "owner: argo AFlow\nworkflow-template.yaml\ncron-workflow.yaml\nrbac.yaml\nflow.ir.json\n"
    );
    let other = ["b.py", "--target", "argo", "-o", "out"];
    refused(
        folder,
        &other,
        &["error[FC0314]", "`argo AFlow`", "`argo BFlow`"],
    );
    refused(folder, &[&other[..], &["--check"]].concat(), &["FC0314"]);
    let target = ["a.py", "--target", "airflow", "-o", "out"];
    refused(folder, &target, &["FC0314", "`airflow AFlow`"]);
    // Of several bundles none is written if one cannot be.
    compiles(
        folder,
        &["a.py", "--target", "airflow", "-o", "all/airflow"],
    );
    refused(
        folder,
        &["b.py", "--target", "all", "-o", "all"],
        &["FC0314"],
    );

    // Its own next version: a file less, and what lies beside stays.
    fs::write(folder.join("out/kustomization.yaml"), "resources: []\n").unwrap();
    fs::write(folder.join("a.py"), flow("AFlow", "")).unwrap();
    compiles(folder, &["a.py", "--target", "argo", "-o", "out"]);
    let left = contents(&folder.join("out"));
    let names: Vec<_> = left.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            ".flowc-bundle",
            "flow.ir.json",
            "kustomization.yaml",
            "rbac.yaml",
            "workflow-template.yaml"
        ]
    );
    let said = compiles(folder, &["a.py", "--target", "argo", "-o", "out"]);
    assert!(said.contains("Unchanged"), "{said}");
    compiles(
        folder,
        &["a.py", "--target", "argo", "-o", "out", "--check"],
    );

    // Each branch is a deployment of its own; without `-o` it has a folder of its own.
    fs::write(folder.join("a.py"), flow("AFlow", "@project(name='shop')")).unwrap();
    for branch in ["one", "two"] {
        compiles(folder, &["a.py", "--target", "argo", "--branch", branch]);
        let name = format!("bundles/shop.test.{branch}.AFlow/argo/workflow-template.yaml");
        assert!(folder.join(name).is_file());
    }
    let one = "bundles/shop.test.one.AFlow/argo";
    refused(
        folder,
        &["a.py", "--target", "argo", "--branch", "two", "-o", one],
        &["FC0314", "`argo shop.test.one.AFlow`"],
    );
}

#[test]
fn foreign_files_are_left_alone() {
    let folder = place();
    let folder = folder.path();
    let command = ["b.py", "--target", "argo", "-o", "out"];
    let out = folder.join("out");
    let rbac = out.join("rbac.yaml");
    fs::create_dir(&out).unwrap();
    fs::write(&rbac, "mine\n").unwrap();
    refused(
        folder,
        &command,
        &["error[FC0315]: out/rbac.yaml is in the way"],
    );
    fs::remove_file(&rbac).unwrap();
    fs::create_dir(&rbac).unwrap();
    refused(folder, &command, &["FC0315", "it is a folder"]);
    fs::remove_dir(&rbac).unwrap();
    compiles(folder, &command);

    // What is listed but has become a link leads to somebody else's file.
    let text = fs::read_to_string(&rbac).unwrap();
    fs::write(folder.join("elsewhere"), &text).unwrap();
    fs::remove_file(&rbac).unwrap();
    symlink("../elsewhere", &rbac).unwrap();
    refused(folder, &command, &["FC0315", "it is a link"]);
    // Whoever lost the marker keeps what is the bundle's to the byte.
    fs::remove_file(&rbac).unwrap();
    fs::write(&rbac, &text).unwrap();
    fs::remove_file(out.join(".flowc-bundle")).unwrap();
    compiles(folder, &command);

    fs::write(folder.join("file"), "").unwrap();
    refused(
        folder,
        &["b.py", "--target", "argo", "-o", "file"],
        &["FC0315", "it is no folder"],
    );
}

#[test]
fn bundles_of_before_and_half_written_ones_are_completed() {
    let folder = place();
    let folder = folder.path();
    let command = ["a.py", "--target", "argo", "-o", "out"];
    compiles(folder, &command);
    let whole = contents(folder);
    let marker = folder.join("out/.flowc-bundle");
    let listed = fs::read_to_string(&marker).unwrap();
    let listed = listed.split_once('\n').unwrap().1;

    // A marker that does not say whose the bundle is: `flow.ir.json` does.
    fs::write(&marker, listed).unwrap();
    refused(
        folder,
        &["b.py", "--target", "argo", "-o", "out"],
        &["FC0314", "`AFlow`"],
    );
    refused(
        folder,
        &["a.py", "--target", "airflow", "-o", "out"],
        &["FC0314"],
    );
    compiles(folder, &command);
    assert_eq!(contents(folder), whole);

    // Killed: the marker is the first thing in place, some files are of before, some not there, some staged.
    fs::write(folder.join("out/rbac.yaml"), "before\n").unwrap();
    fs::remove_file(folder.join("out/workflow-template.yaml")).unwrap();
    fs::write(folder.join("out/stale.yaml"), "before\n").unwrap();
    fs::write(&marker, format!("owner: argo AFlow\nstale.yaml\n{listed}")).unwrap();
    fs::create_dir(folder.join("out/.flowc-bundle.new")).unwrap();
    fs::write(folder.join("out/.flowc-bundle.new/0"), "half").unwrap();
    compiles(folder, &command);
    assert_eq!(contents(folder), whole);
}
