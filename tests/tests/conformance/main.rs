//! The bundles are read by the tools of the systems they are for: those of the goldens, and those of flows that are
//! compiled here because they hold what examples rarely do.
//!
//! The tools come from `tests/beds/tools.sh`; one that cannot be installed is a failure that says so.

#![expect(
    clippy::unwrap_used,
    reason = "every function here is part of a test, and a panic is how it fails"
)]

mod airflow;
mod argo;
mod step_functions;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flowc_core::front::python;
use flowc_core::ir::plan::Plan;
use flowc_core::lower;
use flowc_core::source::SourceTree;
use flowc_target::package::BUNDLE_MARKER;
use flowc_target::profile::Setting;
use flowc_target::{BranchChoice, Options, Profile, Target, profile, project};
use flowc_tests::repo_root;

/// A file of a bundle that lies in a folder.
struct Written {
    path: PathBuf,
    /// What it was printed from; absent for a golden.
    plan: Option<Plan>,
}

/// All files of the target's bundles: goldens, and flows compiled into `folder` for the default and the full profile.
fn bundles(target: &dyn Target, folder: &Path) -> Vec<Written> {
    let mut written = goldens(target.name(), folder);
    let mut compiled = 0;
    for source in flows() {
        for (name, profile) in profiles() {
            let label = format!("{}-{name}", label(&source));
            let (plan, files) = compile(&source, target, profile);
            for (path, text) in files {
                let path = folder.join(&label).join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
                compiled += 1;
                let plan = Some(plan.clone());
                written.push(Written { path, plan });
            }
        }
    }
    assert!(compiled > 0, "nothing was compiled");
    written
}

/// Copies in `folder` of what lies below `golden/FLOW/PROFILE/TARGET` and is for the target: some tests spoil what they read.
fn goldens(target: &str, folder: &Path) -> Vec<Written> {
    let mut found = Vec::new();
    let mut folders = vec![repo_root().join("golden")];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(repo_root().join("golden")).unwrap();
            let in_target = below
                .components()
                .nth(2)
                .is_some_and(|part| part.as_os_str() == target);
            if path.is_dir() {
                folders.push(path);
            } else if in_target && !path.ends_with("flow.ir.json") && !path.ends_with(BUNDLE_MARKER)
            {
                let copy = folder.join("golden").join(below);
                fs::create_dir_all(copy.parent().unwrap()).unwrap();
                fs::copy(&path, &copy).unwrap();
                found.push(Written {
                    path: copy,
                    plan: None,
                });
            }
        }
    }
    found.sort_by(|one, two| one.path.cmp(&two.path));
    found
}

/// The flows of this test and those of the examples.
fn flows() -> Vec<PathBuf> {
    let own = repo_root().join("tests/tests/conformance/flows");
    let mut flows: Vec<_> = files(&own).collect();
    flows.extend(files(&repo_root().join("examples")).map(|folder| folder.join("flow.py")));
    flows.retain(|path| path.is_file() && path.extension().is_some_and(|ending| ending == "py"));
    flows.sort();
    flows
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
}

/// `statistics-flow` for `examples/statistics/flow.py`.
fn label(source: &Path) -> String {
    let folder = source.parent().and_then(Path::file_name).unwrap();
    format!(
        "{}-{}",
        folder.display(),
        source.file_stem().unwrap().display()
    )
}

fn profiles() -> Vec<(&'static str, Profile)> {
    let text = repo_root().join("tests/tests/conformance/flowc.toml");
    let mut tree = SourceTree::default();
    let file = tree.add("flowc.toml", fs::read_to_string(text).unwrap());
    let (config, found) = profile::read(&tree, file);
    assert!(found.is_empty(), "{found:?}");
    vec![
        (
            "default",
            Profile {
                production: Setting::given(true),
                ..Profile::default()
            },
        ),
        ("full", config.profile(Some("full")).unwrap()),
    ]
}

/// The plan and the bundle's files; none if the flow's first line says that the target refuses it, and by what.
fn compile(source: &Path, target: &dyn Target, profile: Profile) -> (Plan, Vec<(String, String)>) {
    let text = fs::read_to_string(source).unwrap();
    let shown = source.display();
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", text.as_str());
    let (flow, found) = python::lower(&tree, file, None);
    assert!(!found.has_errors(), "{shown}: {found:?}");
    let (plan, found) = lower::plan(&tree, &flow.unwrap());
    let mut plan = plan.unwrap_or_else(|| panic!("{shown}: {found:?}"));
    let found = project::choose(&mut plan, &BranchChoice::default(), Some(&profile));
    assert!(found.is_empty(), "{shown}: {found:?}");
    let options = Options {
        package: "5f".repeat(32),
        profile,
    };
    let (files, found) = target.emit(&plan, &options);
    let codes: BTreeSet<&str> = found.iter().map(|item| item.code.as_str()).collect();
    let refused = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("# refused by {}: ", target.name())));
    match (refused, files) {
        (Some(code), None) => {
            assert_eq!(codes, BTreeSet::from([code]), "{shown}");
            (plan, Vec::new())
        }
        (None, Some(files)) => {
            let files = files.into_iter().map(|file| (file.path, file.text));
            (plan, files.collect())
        }
        (_, files) => panic!(
            "{shown} for {}: {} files, {found:?}",
            target.name(),
            files.map_or(0, |files| files.len())
        ),
    }
}

/// The path that `tests/beds/tools.sh` prints for a tool, installed if need be.
fn tool(name: &str) -> PathBuf {
    let script = repo_root().join("tests/beds/tools.sh");
    let output = Command::new(&script)
        .arg(name)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|why| panic!("cannot start {}: {why}", script.display()));
    assert!(
        output.status.success(),
        "this test needs what `tests/beds/tools.sh {name}` installs, and that failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    PathBuf::from(stdout.lines().last().unwrap_or_default())
}

/// Runs a program with `input` on its stdin; whether it went well, and what it printed.
fn feed(command: &mut Command, input: &str) -> (bool, String) {
    use std::io::Write as _;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("cannot start {command:?}: {why}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that ends early closes the pipe; its exit code says why.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = if output.status.success() {
        String::from_utf8_lossy(&output.stdout).into_owned()
    } else {
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    (output.status.success(), text)
}

/// The last line that a program printed, as JSON; a program that failed is a failure of the test.
#[track_caller]
fn json((well, text): (bool, String)) -> serde_json::Value {
    assert!(well, "{text}");
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}:\n{text}"))
}

/// Fails with all problems that a checker listed.
#[track_caller]
fn assert_no_problems(problems: &serde_json::Value) {
    let problems: Vec<_> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            format!(
                "{}: {}",
                item["file"].as_str().unwrap(),
                item["problem"].as_str().unwrap()
            )
        })
        .collect();
    assert!(
        problems.is_empty(),
        "{} problems\n{}",
        problems.len(),
        problems.join("\n")
    );
}
