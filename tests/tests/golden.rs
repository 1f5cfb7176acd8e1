//! Goldens: what every example compiles to, byte for byte. `UPDATE_GOLDEN=1 cargo test` rewrites them; review is the diff.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowc_core::front::python;
use flowc_core::ir::dump;
use flowc_core::source::SourceTree;
use flowc_tests::{flowc, repo_root};

const TARGETS: &[&str] = &["step-functions", "argo", "airflow"];

/// Folders below `examples/` that hold a `flow.py`, sorted.
fn examples() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(repo_root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("flow.py").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    names
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

fn compile(flow: &Path, output: &Path, extra: &[&str]) -> std::process::Output {
    Command::new(flowc())
        .args([
            "compile",
            flow.to_str().unwrap(),
            "--target",
            "all",
            "-o",
            output.to_str().unwrap(),
        ])
        .args(extra)
        .output()
        .unwrap()
}

fn compare(path: &Path, text: &str) {
    if updating() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(path).unwrap_or_default();
    assert!(
        golden == text,
        "{} is not up to date; run `UPDATE_GOLDEN=1 cargo test -p flowc-tests --test golden` and review the diff\n{text}",
        path.display()
    );
}

#[test]
fn bundles_are_the_goldens() {
    for example in examples() {
        let flow = repo_root().join("examples").join(&example).join("flow.py");
        let folder = repo_root().join("golden").join(&example).join("default");
        let check: &[&str] = if updating() { &[] } else { &["--check"] };
        let output = compile(&flow, &folder, check);
        assert!(
            output.status.success(),
            "golden/{example} is not up to date; run `UPDATE_GOLDEN=1 cargo test -p flowc-tests --test golden` and review the diff\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        for target in TARGETS {
            assert!(
                folder.join(target).join("flow.ir.json").is_file(),
                "{example}/{target}"
            );
            // `--check` compares what is deployed.
            let marker = fs::read_to_string(folder.join(target).join(".flowc-bundle")).unwrap();
            assert!(
                marker.starts_with(&format!("owner: {target} ")),
                "golden/{example}/{target} does not say whose it is: {marker}"
            );
        }
    }
}

#[test]
fn plans_are_the_goldens() {
    for example in examples() {
        let mut tree = SourceTree::default();
        let text = fs::read_to_string(repo_root().join("examples").join(&example).join("flow.py"))
            .unwrap();
        let file = tree.add("flow.py", text);
        let (flow, found) = python::lower(&tree, file, None);
        assert!(!found.has_errors(), "{found:?}");
        let (plan, found) = flowc_core::lower::plan(&tree, &flow.unwrap());
        assert!(!found.has_errors(), "{found:?}");
        compare(
            &repo_root().join("golden").join(&example).join("ir.txt"),
            &dump::dump(&plan.unwrap()),
        );
    }
}

/// All files below a folder with their bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((
                    path.strip_prefix(folder).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                ));
            }
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (path, bytes) in contents(from) {
        let target = to.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

/// Compiling is a pure function of source tree, profile and options: not of folder, user, home, locale, zone, clock or hash seed.
#[test]
fn the_world_does_not_reach_a_bundle() {
    for example in examples() {
        let here = tempfile::tempdir().unwrap();
        let there = tempfile::Builder::new()
            .prefix("some where ä ")
            .tempdir()
            .unwrap();
        let source = repo_root().join("examples").join(&example);
        copy(&source, &here.path().join("one"));
        copy(&source, &there.path().join("other/place"));
        // Things that lie about but do not belong to the source.
        fs::create_dir_all(there.path().join("other/place/__pycache__")).unwrap();
        fs::write(
            there
                .path()
                .join("other/place/__pycache__/flow.cpython-311.pyc"),
            "x",
        )
        .unwrap();
        fs::create_dir_all(there.path().join("other/place/.git")).unwrap();
        fs::write(there.path().join("other/place/.git/config.py"), "x").unwrap();

        let first = Command::new(flowc())
            .current_dir(here.path())
            .args(["compile", "one/flow.py", "--target", "all", "-o", "out"])
            .env_clear()
            .envs([
                ("USER", "ann"),
                ("HOME", "/nonexistent"),
                ("LANG", "C"),
                ("TZ", "UTC"),
            ])
            .output()
            .unwrap();
        assert!(
            first.status.success(),
            "{}",
            String::from_utf8_lossy(&first.stderr)
        );
        // The second compilation happens at another second of the clock, on newer files.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let place = there.path().join("other/place");
        let flow = place.join("flow.py");
        fs::write(&flow, fs::read(&flow).unwrap()).unwrap();
        for round in 0..2 {
            // The second round finds the first one's bundle inside the source tree, which must not become part of the package.
            let second = Command::new(flowc())
                .current_dir(&place)
                .args([
                    "compile",
                    flow.to_str().unwrap(),
                    "--target",
                    "all",
                    "-o",
                    "bundle",
                ])
                .env_clear()
                .envs([
                    ("USER", "bob"),
                    ("USERNAME", "bob"),
                    ("METAFLOW_USER", "eve"),
                    ("HOME", there.path().to_str().unwrap()),
                ])
                .envs([
                    ("LANG", "tr_TR.UTF-8"),
                    ("LC_ALL", "tr_TR.UTF-8"),
                    ("TZ", "Pacific/Kiritimati"),
                    ("SOURCE_DATE_EPOCH", "1"),
                ])
                .envs([
                    ("AWS_REGION", "eu-north-1"),
                    ("KUBECONFIG", "/tmp/none"),
                    ("METAFLOW_DATASTORE_SYSROOT_S3", "s3://other/x"),
                ])
                .output()
                .unwrap();
            assert!(
                second.status.success(),
                "{}",
                String::from_utf8_lossy(&second.stderr)
            );
            assert!(
                contents(&here.path().join("out")) == contents(&place.join("bundle")),
                "{example}: round {round} differs"
            );
        }
    }
}

#[test]
fn check_shows_what_differs_and_exits_3() {
    let folder = tempfile::tempdir().unwrap();
    let flow = repo_root().join("examples/hello/flow.py");
    assert_eq!(
        compile(&flow, folder.path(), &["--check"]).status.code(),
        Some(3),
        "nothing is there yet"
    );
    assert_eq!(compile(&flow, folder.path(), &[]).status.code(), Some(0));
    assert_eq!(
        compile(&flow, folder.path(), &["--check"]).status.code(),
        Some(0)
    );
    let template = folder.path().join("argo/workflow-template.yaml");
    let text = fs::read_to_string(&template).unwrap();
    fs::write(&template, text.replacen("entrypoint", "entry_point", 1)).unwrap();
    fs::write(
        folder.path().join("argo/mine.txt"),
        "not part of the bundle",
    )
    .unwrap();
    let output = compile(&flow, folder.path(), &["--check"]);
    let diff = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{diff}");
    let header = format!("--- there{}\n", template.display());
    assert!(
        diff.contains(&header) && diff.contains("-  entry_point"),
        "{diff}"
    );
    assert!(!diff.contains("mine.txt"), "{diff}");
    // A file that an earlier bundle had and this one has not is shown, and removed when compiling.
    let marker = folder.path().join("argo/.flowc-bundle");
    fs::write(
        &marker,
        format!(
            "{}cron-workflow.yaml\n",
            fs::read_to_string(&marker).unwrap()
        ),
    )
    .unwrap();
    fs::write(folder.path().join("argo/cron-workflow.yaml"), "old: true\n").unwrap();
    let output = compile(&flow, folder.path(), &["--check"]);
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("-old: true")
    );
    assert_eq!(compile(&flow, folder.path(), &[]).status.code(), Some(0));
    assert!(!folder.path().join("argo/cron-workflow.yaml").exists());
    assert!(folder.path().join("argo/mine.txt").exists());
}
