//! `flowc-shim hooks`: which functions are called, how often, and what they are given.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use support::{Bed, one_step, put_package, shim};

/// The functions say that they were called in a file beside the code.
const HOOKS: &str = "
def shim():
    # Between the shim and the function's process is one that ends with the shim.
    with open('/proc/%d/stat' % os.getppid()) as file:
        return int(file.read().rpartition(')')[2].split()[1])

def note(text):
    with open(os.environ['NOTES'], 'a') as file:
        file.write(text + '\\n')

def told(run):
    note('told %s %s %s' % (run.pathspec, run.successful, sorted(each.id for each in run)))

def data(run):
    note('data %s' % run.data.answer)

def plain():
    note('plain %s' % os.path.exists('plan.json'))

def broken():
    note('broken')
    raise ValueError('no such channel')

def killed():
    note('killed')
    os.kill(shim(), signal.SIGKILL)

def sleepy():
    note('sleepy')
    os.kill(shim(), signal.SIGTERM)
    time.sleep(60)
";

/// A flow of two steps whose first has this body, with the package that is deployed.
fn flow(body: &str, on_success: &[&str], on_error: &[&str]) -> (Bed, String) {
    let (flow, mut manifest) = one_step(body, &json!({}));
    let hooks = json!({"on_success": on_success, "on_error": on_error});
    manifest.exit_hooks = Some(serde_json::from_value(hooks).unwrap());
    let flow = flow.replace("\nclass OneFlow", &format!("{HOOKS}\nclass OneFlow"));
    let bed = Bed::new(&flow, manifest);
    let package = put_package(&bed);
    (bed, package)
}

/// The shim that calls the functions after an execution.
fn hooks(folder: &Path, package: &str, execution: &str) -> Command {
    let step = shim(folder, package, "-", "-");
    let mut command = Command::new(step.get_program());
    let variables = step
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command
        .arg("hooks")
        .envs(variables)
        .env("FLOWC_EXECUTION", execution)
        .env("NOTES", folder.join("notes"));
    command
}

fn called(bed: &Bed) -> Vec<String> {
    let notes = std::fs::read_to_string(bed.folder.path().join("notes")).unwrap_or_default();
    notes.lines().map(str::to_owned).collect()
}

/// Runs it; the exit code and what it said on standard error.
fn ended(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn steps(bed: &Bed, package: &str, steps: &[&str]) {
    for step in steps {
        let _ = shim(bed.folder.path(), package, step, "-")
            .output()
            .unwrap();
    }
}

#[test]
fn the_store_tells_how_the_run_ended() {
    let (bed, package) = flow("pass", &["broken", "plain"], &["plain"]);
    let folder = bed.folder.path();
    steps(&bed, &package, &["start"]);
    assert_eq!(
        ended(hooks(folder, &package, "x")),
        (Some(0), String::new())
    );
    assert_eq!(called(&bed), ["plain True"]);
    steps(&bed, &package, &["end"]);
    let (code, said) = ended(hooks(folder, &package, "x"));
    // One that fails is told, and the others are called.
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ValueError: no such channel"), "{said}");
    assert!(said.contains("the exit hook `broken` failed"), "{said}");
    assert_eq!(called(&bed), ["plain True", "broken", "plain True"]);
}

#[test]
fn a_function_is_called_once_for_an_execution() {
    let (bed, package) = flow("pass", &[], &["killed", "plain", "sleepy", "plain"]);
    let folder = bed.folder.path();
    // Killed together with the container, told to stop, and started a last time for what is left.
    let (code, _) = ended(hooks(folder, &package, "x"));
    assert_eq!(code, None);
    let (code, said) = ended(hooks(folder, &package, "x"));
    assert_eq!(code, Some(75), "{said}");
    assert!(
        said.contains("the exit hook `killed` was called before"),
        "{said}"
    );
    let (code, said) = ended(hooks(folder, &package, "x"));
    assert_eq!(code, Some(0), "{said}");
    let all = ["killed", "plain True", "sleepy", "plain True"];
    assert_eq!(called(&bed), all);
    assert_eq!(ended(hooks(folder, &package, "x")).0, Some(0));
    assert_eq!(called(&bed), all);
    // A run that was continued ends a second time.
    assert_eq!(ended(hooks(folder, &package, "y")).0, None);
    assert_eq!(called(&bed)[4..], ["killed"]);
}

#[test]
fn metaflow_finds_the_run() {
    let body = "self.answer = 42\nif os.environ.get('FAILS'): raise KeyError('start')";
    let (bed, package) = flow(body, &["told", "data"], &["told"]);
    let folder = bed.folder.path();
    let metaflow = PathBuf::from(flowc_tests::metaflow_python());
    let call = |execution: &str| {
        let mut command = hooks(folder, &package, execution);
        command
            .env("FLOWC_PYTHON", &metaflow)
            .env("METAFLOW_HOME", folder.join("no-settings"));
        assert_eq!(ended(command), (Some(0), String::new()));
    };
    // Nothing of the run is in the store yet.
    call("x");
    let failed = shim(folder, &package, "start", "-")
        .env("FAILS", "1")
        .output()
        .unwrap();
    assert!(!failed.status.success());
    call("y");
    let run = "OneFlow/argo-test";
    assert_eq!(
        called(&bed),
        [
            format!("told {run} False []"),
            format!("told {run} False ['start']")
        ]
    );
}

#[test]
fn metaflow_finds_the_artifacts() {
    let (bed, package) = flow("self.answer = 42", &["told", "data"], &[]);
    let folder = bed.folder.path();
    steps(&bed, &package, &["start", "end"]);
    let mut command = hooks(folder, &package, "x");
    command
        .env("FLOWC_PYTHON", flowc_tests::metaflow_python())
        .env("METAFLOW_HOME", folder.join("no-settings"));
    assert_eq!(ended(command), (Some(0), String::new()));
    let told = "told OneFlow/argo-test True ['end', 'start']";
    assert_eq!(called(&bed), [told, "data 42"]);
}

#[test]
fn without_functions_nothing_is_done() {
    let (bed, package) = flow("pass", &["plain"], &[]);
    let folder = bed.folder.path();
    steps(&bed, &package, &["start"]);
    assert_eq!(
        ended(hooks(folder, &package, "x")),
        (Some(0), String::new())
    );
    assert_eq!(called(&bed), [""; 0]);
    // The run's folder tells of steps alone.
    assert!(
        !bed.store
            .local_root()
            .unwrap()
            .join("OneFlow/argo-test/_exit_hooks")
            .exists()
    );
}
