//! What is refused before anything runs, and how it is said.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::world::{Output, World};

const FLOW: &str = "
class F(FlowSpec):
    alpha = Parameter('alpha', type=int, required=True)

    @step
    def start(self):
        open('ran', 'w').close()
        self.next(self.end)

    @step
    def end(self):
        pass";

/// Nothing ran, the command ended with 2, and it said all of this.
#[track_caller]
fn refused(world: &World, output: &Output, said: &[&str]) {
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    for said in said {
        assert!(
            output.stderr.contains(said),
            "no `{said}` in\n{}",
            output.stderr
        );
    }
    assert!(!world.path().join("ran").exists());
}

#[test]
fn values_are_checked_before_anything_runs() {
    let world = World::new(FLOW);
    refused(
        &world,
        &world.run(&[]),
        &[
            "FC4001",
            "`alpha` needs a value",
            "METAFLOW_RUN_ALPHA",
            "flow.py:",
        ],
    );
    refused(
        &world,
        &world.run(&["--alpha", "1", "--alhpa", "2"]),
        &["FC4002", "alhpa", "did you mean `--alpha`"],
    );
    refused(
        &world,
        &world.run(&["--alpha", "1", "--datastore", "s3"]),
        &[
            "FC4002",
            "`--datastore` is an option of Metaflow",
            "`--store",
        ],
    );
    let mut resume = world.flowc("resume");
    resume.args(["flow.py", "--clone-only"]);
    refused(
        &world,
        &super::world::output(&mut resume),
        &["FC4002", "`flowc resume` has no option `--clone-only`"],
    );
    refused(
        &world,
        &world.run(&["--alpha", "high"]),
        &["FC4003", "`high` is not a whole number"],
    );
    refused(
        &world,
        &world.run(&["--alpha"]),
        &["FC4003", "there is no value"],
    );
    refused(
        &world,
        &world.run(&["--beta", "1", "--gamma", "2"]),
        &["`beta`", "`gamma`", "FC4001"],
    );
    refused(
        &world,
        &world.run(&["--alpha", "1", "--max-workers", "none"]),
        &["--max-workers needs a whole number"],
    );
}

#[test]
fn a_missing_python_is_named_with_who_chose_it() {
    let world = World::new(FLOW);
    let arguments = ["--alpha", "1", "--python", "/no/such/python"];
    refused(
        &world,
        &world.run(&arguments),
        &[
            "FC4004",
            "/no/such/python",
            "--python",
            "virtual environment",
        ],
    );
    let mut command = world.command(&["--alpha", "1"]);
    command
        .env_remove("FLOWC_PYTHON")
        .env_remove("VIRTUAL_ENV")
        .env("PATH", "/nowhere");
    refused(
        &world,
        &super::world::output(&mut command),
        &["FC4004", "python3"],
    );
    for arguments in [&["--alpha", "1"][..], &["--alpha", "1", "--no-fork"]] {
        let mut command = world.command(arguments);
        command.env("FLOWC_PYTHON", "/bin/false");
        refused(
            &world,
            &super::world::output(&mut command),
            &["FC4004", "/bin/false", "FLOWC_PYTHON"],
        );
    }
}

#[test]
fn a_store_that_cannot_be_used_is_named_within_seconds() {
    let world = World::new(FLOW);
    let began = Instant::now();
    world.write("file", "");
    refused(
        &world,
        &world.run(&["--alpha", "1", "--store", "file/below"]),
        &["FC4005", "file/below"],
    );
    refused(
        &world,
        &world.run(&["--alpha", "1", "--store", "ftp://host/flows"]),
        &["FC4005", "ftp://host/flows"],
    );
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let world = World::new(FLOW);
    let locked = world.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = world.command(&["--alpha", "1", "--store", "locked"]);
    if fs::write(locked.join("probe"), "").is_ok() {
        fs::remove_file(locked.join("probe")).unwrap();
        // Root may write everywhere; without this right it is asked what it owns, like everybody.
        let Some(bound) = bound_by_modes(&command) else {
            return;
        };
        command = bound;
    }
    let output = super::world::output(&mut command);
    refused(&world, &output, &["FC4005", "locked"]);
}

/// The same command as a root that may not override the modes of files; `None` where that cannot be had.
///
/// # Panics
/// In CI, where nothing is skipped.
fn bound_by_modes(command: &Command) -> Option<Command> {
    const SETPRIV: [&str; 2] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    let tried = Command::new(SETPRIV[0]).args([SETPRIV[1], "true"]).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs `setpriv` from util-linux to test a folder that root cannot write"
        );
        flowc_tests::report("skipped: root can write every folder, and there is no `setpriv`");
        return None;
    }
    let mut bound = Command::new(SETPRIV[0]);
    bound
        .arg(SETPRIV[1])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    bound
        .current_dir(command.get_current_dir()?)
        .stdin(Stdio::null());
    Some(bound)
}

#[test]
fn a_foreach_over_the_limit_ends_the_run_and_names_the_option() {
    let world = World::foreach("", 101, "pass", "pass");
    let output = world.run(&[]);
    assert_eq!(output.code, Some(1));
    for said in ["FC4006", "101 elements", "--max-num-splits 101", "`start`"] {
        assert!(
            output.stderr.contains(said),
            "no `{said}` in\n{}",
            output.stderr
        );
    }
    assert_eq!(world.committed("start"), ["t"]);
    assert!(world.committed("body").is_empty());
}

#[test]
fn what_metaflow_would_do_elsewhere_is_warned_about_once() {
    let flow = "from metaflow import kubernetes
class F(FlowSpec):
    @kubernetes(cpu=8)
    @step
    def start(self):
        self.items = list(range(5))
        self.next(self.body, foreach='items')

    @step
    def body(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        if current.origin_run_id is None:
            raise ValueError('not yet')
        self.next(self.end)

    @step
    def end(self):
        print(sorted(current.tags))";
    let world = World::new(flow);
    let count = |output: &Output, code: &str| output.stderr.matches(code).count();
    let mut command = world.command(&[]);
    command
        .env("METAFLOW_SERVICE_URL", "https://metaflow.example.com")
        .env("METAFLOW_DEFAULT_ENVIRONMENT", "conda");
    let output = super::world::output(&mut command);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    for code in ["FC4007", "FC4008", "FC4010"] {
        assert_eq!(count(&output, code), 1, "{code}\n{}", output.stderr);
    }
    assert!(
        output
            .stderr
            .contains("step `start` asks for another machine"),
        "{}",
        output.stderr
    );

    // What settings and variables put onto steps is told of as what is typed.
    let mut command = world.flowc("resume");
    command
        .arg("flow.py")
        .env("METAFLOW_RESUME_TAGS", "some tags")
        .env("METAFLOW_DEFAULT_DECOSPECS", "kubernetes:cpu=2");
    let output = super::world::output(&mut command);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stdout, "[end/t] ['some', 'tags']\n");
    for (code, times) in [("FC4007", 0), ("FC4008", 1), ("FC4010", 0)] {
        assert_eq!(count(&output, code), times, "{code}\n{}", output.stderr);
    }
    for said in [
        "4 steps that ask for another machine",
        "`body` (`@kubernetes`)",
        "`end` (`@kubernetes`)",
    ] {
        assert!(output.stderr.contains(said), "{said}\n{}", output.stderr);
    }
}

#[test]
fn settings_that_would_send_data_elsewhere_are_refused_by_name() {
    let world = World::new(FLOW);
    for (name, value, said) in [
        (
            "METAFLOW_DEFAULT_DATASTORE",
            "s3",
            "METAFLOW_DATASTORE_SYSROOT_S3",
        ),
        ("METAFLOW_DATASTORE", "gcs", "METAFLOW_DATASTORE=gcs"),
        ("METAFLOW_PROFILE", "none", "config_none.json"),
        (
            "METAFLOW_RUN_MAX_WORKERS",
            "many",
            "METAFLOW_RUN_MAX_WORKERS=many",
        ),
    ] {
        let mut command = world.command(&["--alpha", "1"]);
        let output = super::world::output(command.env(name, value));
        refused(&world, &output, &["FC4009", said]);
    }
    // A folder that holds settings of the project holds its store too.
    fs::create_dir(world.path().join(".metaflow")).unwrap();
    world.write(
        ".metaflow/config.json",
        "{\"METAFLOW_DEFAULT_DATASTORE\": \"azure\"}",
    );
    let output = world.run(&["--alpha", "1"]);
    let said = "METAFLOW_DATASTORE_SYSROOT_AZURE";
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains(said), "{}", output.stderr);
    let logs = super::world::output(world.flowc("logs").arg("1732190000000000"));
    assert_eq!(logs.code, Some(2), "{}", logs.stderr);
    assert!(logs.stderr.contains(said), "{}", logs.stderr);
}

#[test]
fn help_lists_the_flows_parameters() {
    let output = World::new(FLOW).run(&["--help"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stdout.contains("--alpha INT"), "{}", output.stdout);
    assert!(output.stdout.contains("--max-workers"), "{}", output.stdout);
}
