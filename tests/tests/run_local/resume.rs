//! `flowc resume`: what is taken over, what runs, and that the outcome is that of a run that nothing disturbed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::world::{Output, World, output, wait_until};

/// Every task notes that it ran; the inner task 1-1 fails until there is a file `mended`.
const NESTED: &str = "
import os

def note(what):
    open('ran', 'a').write(what + '\\n')

class F(FlowSpec):
    width = Parameter('width', default=2)

    @step
    def start(self):
        note('start')
        self.outer = list(range(self.width))
        self.next(self.split, foreach='outer')

    @step
    def split(self):
        note('split-%d' % self.input)
        self.row = self.input
        self.inner = [10 * self.input + n for n in range(3)]
        self.next(self.body, foreach='inner')

    @step
    def body(self):
        note('body-%d-%d' % (self.row, self.input % 10))
        if self.input == 11 and not os.path.exists('mended'):
            raise ValueError('no luck with 11')
        self.square = self.input ** 2
        self.next(self.rows)

    @step
    def rows(self, inputs):
        self.squares = [task.square for task in inputs]
        self.row = inputs[0].row
        note('rows-%d' % self.row)
        self.next(self.all)

    @step
    def all(self, inputs):
        note('all')
        self.total = [task.squares for task in inputs]
        self.next(self.fork)

    @step
    def fork(self):
        note('fork')
        self.next(self.left, self.right)

    @step
    def left(self):
        note('left')
        self.side = 'left'
        self.next(self.both)

    @step
    def right(self):
        note('right')
        self.side = 'right'
        self.next(self.both)

    @step
    def both(self, inputs):
        note('both')
        self.total = inputs.left.total
        self.sides = [task.side for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        note('end %s' % current.origin_run_id)";

/// What has run since it was asked last, sorted.
pub(super) fn ran(world: &World) -> Vec<String> {
    let file = world.path().join("ran");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(file);
    let mut ran: Vec<String> = text.lines().map(str::to_owned).collect();
    ran.sort();
    ran
}

pub(super) fn run_id(run: &Path) -> String {
    run.file_name().unwrap().to_str().unwrap().to_owned()
}

fn resume(world: &World, arguments: &[&str]) -> Output {
    output(world.flowc("resume").arg("flow.py").args(arguments))
}

#[track_caller]
pub(super) fn resumes(world: &World, arguments: &[&str]) -> Output {
    let output = resume(world, arguments);
    assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
    output
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// The artifacts of all tasks of a run, as keys of their content.
pub(super) fn artifacts(run: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for step in fs::read_dir(run).unwrap() {
        let step = step.unwrap().path();
        if step.ends_with("_meta") {
            continue;
        }
        for task in fs::read_dir(&step).unwrap() {
            let task = task.unwrap().path();
            let commit = task.join("commit");
            if commit.exists() {
                let name = task.strip_prefix(run).unwrap().display().to_string();
                found.insert(name, json(&commit)["data"]["objects"].clone());
            }
        }
    }
    found
}

/// A run of [`NESTED`] that failed in the middle, with one task at a time.
fn failed() -> World {
    let world = World::new(NESTED);
    let output = world.run(&["--max-workers", "1"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert_eq!(
        ran(&world),
        [
            "body-0-0", "body-0-1", "body-0-2", "body-1-0", "body-1-1", "split-0", "split-1",
            "start"
        ]
    );
    world
}

#[test]
fn only_what_is_missing_runs_and_the_outcome_is_the_same() {
    let world = failed();
    let origin = world.latest();
    let id = run_id(&origin);
    world.write("mended", "");
    let said = resumes(&world, &[]).stderr;
    let adopted = world.latest();
    assert_ne!(adopted, origin);
    assert_eq!(
        ran(&world),
        [
            "all",
            "body-1-1",
            "body-1-2",
            "both",
            &format!("end {id}"),
            "fork",
            "left",
            "right",
            "rows-0",
            "rows-1"
        ]
    );
    for line in [
        format!("Adopted start/t: done in {id}"),
        format!("Adopted body/t-0-0..t-0-2 t-1-0: done in {id}"),
        format!("Runs body/t-1-1: it failed in {id}: ValueError: no luck with 11"),
        format!("Runs body/t-1-2: it had not begun in {id}"),
        format!("Runs rows/t-0: it had not begun in {id}"),
        "Runs rows/t-1: what it starts from runs".to_owned(),
        "Runs all/t: what it starts from runs".to_owned(),
        "Runs end/t: what it starts from runs".to_owned(),
        "(10 tasks, 7 adopted)".to_owned(),
    ] {
        assert!(said.contains(&line), "no `{line}` in\n{said}");
    }
    world.runs(&[]);
    assert_eq!(artifacts(&adopted), artifacts(&world.latest()));
    // The copy has files of its own, and no logs.
    let task = adopted.join("body/t-0-0");
    for name in ["0.attempt.json", "0.data.json", "0.DONE.lock", "commit"] {
        assert!(task.join(name).exists(), "no {name}");
    }
    assert!(!task.join("0.task_stdout.log").exists());
    assert_eq!(json(&task.join("commit"))["origin"], id);
}

#[test]
fn a_named_step_runs_again_with_all_that_follows() {
    let world = failed();
    let origin = run_id(&world.latest());
    world.write("mended", "");
    resumes(&world, &["--max-workers", "2"]);
    let whole = world.latest();
    ran(&world);
    // A step inside the inner foreach, of the run that was resumed before.
    let said = resumes(&world, &["left"]).stderr;
    let end = format!("end {}", run_id(&whole));
    assert_eq!(ran(&world), ["both", &end, "left"]);
    assert!(
        said.contains("Runs left/t: it is the step that was asked for"),
        "{said}"
    );
    assert!(said.contains("Adopted right/t"), "{said}");
    assert_eq!(artifacts(&world.latest()), artifacts(&whole));
    resumes(&world, &["split", "--origin-run-id", &origin]);
    let again = ran(&world);
    assert_eq!(again.len(), 2 + 6 + 2 + 1 + 1 + 2 + 1 + 1, "{again:?}");
    assert!(!again.contains(&"start".to_owned()));
    // The first step too; its parameters stay those of the origin whatever the environment says.
    let mut command = world.flowc("resume");
    command
        .args(["flow.py", "start", "--origin-run-id"])
        .arg(run_id(&whole));
    let output = output(command.env("METAFLOW_RUN_WIDTH", "7"));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(artifacts(&world.latest()), artifacts(&whole));
    assert_eq!(ran(&world).len(), 1 + 2 + 6 + 2 + 1 + 1 + 2 + 1 + 1);
}

#[test]
fn logs_of_what_was_taken_over_are_found_where_it_ran() {
    let world = World::foreach(
        "",
        2,
        "print('sees', self.input, current.run_id)",
        "print('joins')",
    );
    world.runs(&[]);
    let first = run_id(&world.latest());
    resumes(&world, &["join"]);
    // Twice taken over.
    resumes(&world, &["end"]);
    let last = run_id(&world.latest());
    let logs = super::world::output(world.flowc("logs").arg(&last));
    assert_eq!(
        logs.stdout,
        format!("[body/t-0] sees 0 {first}\n[body/t-1] sees 1 {first}\n[join/t] joins\n"),
        "{}",
        logs.stderr
    );
    let logs = super::world::output(world.flowc("logs").arg(format!("{last}/body/t-1")));
    assert_eq!(logs.stdout, format!("[body/t-1] sees 1 {first}\n"));
}

#[test]
fn a_finished_run_is_taken_over_whole() {
    let world = World::new(NESTED);
    world.write("mended", "");
    world.runs(&[]);
    let whole = world.latest();
    ran(&world);
    let said = resumes(&world, &[]).stderr;
    assert!(ran(&world).is_empty(), "{said}");
    assert!(said.contains("(0 tasks, 17 adopted)"), "{said}");
    assert_eq!(artifacts(&world.latest()), artifacts(&whole));
}

#[test]
fn a_failed_run_says_how_to_resume_it() {
    let world = World::new(NESTED);
    let output = world.run(&["--max-workers", "1", "--store", "kept here", "--width", "3"]);
    let hint = output
        .stderr
        .lines()
        .find_map(|line| line.trim().strip_prefix("Resume "))
        .unwrap();
    world.write("mended", "");
    // The line is one for a shell.
    let mut shell = world.flowc("--version");
    let resumed = super::world::output(
        std::process::Command::new("sh")
            .arg("-c")
            .arg(hint.replace("flowc", &flowc_tests::flowc().display().to_string()))
            .current_dir(world.path())
            .env("FLOWC_PYTHON", flowc_tests::metaflow_python()),
    );
    assert_eq!(super::world::output(&mut shell).code, Some(0));
    assert_eq!(resumed.code, Some(0), "{hint}\n{}", resumed.stderr);
    assert!(
        hint.contains("--store 'kept here'") && !hint.contains("width"),
        "{hint}"
    );
}

/// What a step of another shape leaves to take over.
#[test]
fn the_flow_may_have_changed_since() {
    let world = World::new(
        "
class F(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.old)

    @step
    def old(self):
        self.next(self.body, foreach='items')

    @step
    def body(self):
        self.seen = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        raise ValueError('not yet')
        self.next(self.end)

    @step
    def end(self):
        pass",
    );
    assert_eq!(world.run(&[]).code, Some(1));
    let text = fs::read_to_string(world.path().join("flow.py")).unwrap();
    let cut = text.find("    @step\n    def old").unwrap();
    let rest = text.find("    @step\n    def body").unwrap();
    let text = format!("{}{}", &text[..cut], &text[rest..])
        .replace(
            "self.next(self.old)",
            "self.next(self.body, foreach='items')",
        )
        .replace(
            "raise ValueError('not yet')",
            "self.all = [task.seen for task in inputs]",
        );
    world.write("flow.py", &text);
    let said = resumes(&world, &[]).stderr;
    for line in [
        "Left old: the flow has no such step any more (1 result)",
        // It had no foreach to open then.
        "Runs start/t: it leads elsewhere now",
        "Runs body/t-*: what it starts from runs",
    ] {
        assert!(said.contains(line), "no `{line}` in\n{said}");
    }
    // Now the two are the same, but body comes from inside another foreach.
    let text = text
        .replace("foreach='items'", "foreach='others'")
        .replace("self.items", "self.others");
    world.write("flow.py", &text);
    let said = resumes(&world, &[]).stderr;
    assert!(said.contains("Adopted start/t"), "{said}");
    assert!(said.contains("Runs body/t-0 t-1:"), "{said}");
    assert!(said.contains("inside other foreaches"), "{said}");
}

#[test]
fn a_killed_run_is_resumed_and_a_running_one_is_not() {
    let body = "import os, time\nif self.input and not os.path.exists('mended'):\n    open('up', 'w').close()\n    time.sleep(3600)\nself.x = self.input";
    let world = World::foreach("", 3, body, "self.all = [task.x for task in inputs]");
    let mut child = world.marked(&["--max-workers", "1"]).spawn().unwrap();
    world.wait_for("up");
    let refused = resume(&world, &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("FC4022"), "{}", refused.stderr);
    let kill = std::process::Command::new("kill")
        .args(["-KILL", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    child.wait().unwrap();
    world.expect_no_process_left();
    world.write("mended", "");
    let said = resumes(&world, &[]).stderr;
    assert!(said.contains("Adopted body/t-0:"), "{said}");
    assert!(said.contains("Runs body/t-1: it had not ended"), "{said}");
    assert_eq!(world.committed("end"), ["t"]);
    wait_until("the runs to be kept apart", || {
        world.committed("body").len() == 3
    });
}

#[test]
fn what_cannot_be_resumed_is_refused_by_a_code() {
    let world = World::new(NESTED);
    let refused = |arguments: &[&str], said: &[&str]| {
        let before = fs::read_dir(world.path().join(".metaflow/F")).map_or(0, Iterator::count);
        let output = resume(&world, arguments);
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        for said in said {
            assert!(
                output.stderr.contains(said),
                "no `{said}` in\n{}",
                output.stderr
            );
        }
        let after = fs::read_dir(world.path().join(".metaflow/F")).map_or(0, Iterator::count);
        assert_eq!(before, after, "something was begun");
    };
    refused(&[], &["FC4020", "has no run in"]);
    refused(
        &["--origin-run-id", "17"],
        &["FC4020", "there is no run `17`"],
    );
    refused(&["bdoy"], &["FC4021", "did you mean `body`?"]);
    refused(&["--width", "3"], &["FC4026", "--width"]);
    world.run(&["--max-workers", "1"]);
    let run = world.latest();
    let id = run_id(&run);
    refused(
        &["--origin-run-id", &format!("F/{id}/body")],
        &["FC4020", "a part of a run"],
    );
    // A run of another flow.
    fs::create_dir_all(world.path().join(".metaflow/G/18/start/t")).unwrap();
    refused(&["--origin-run-id", "G/18"], &["FC4023", "`G`, not of `F`"]);
    refused(&["--origin-run-id", "18"], &["FC4023"]);
    // A parameter that the origin does not have.
    let text = fs::read_to_string(world.path().join("flow.py")).unwrap();
    let more =
        "    width = Parameter('width', default=2)\n    depth = Parameter('depth', default=1)\n";
    world.write(
        "flow.py",
        &text.replace("    width = Parameter('width', default=2)\n", more),
    );
    refused(&[], &["FC4026", "`depth` is new since F/"]);
    world.write("flow.py", &text);
    // One that Metaflow made.
    let mut metaflow = std::process::Command::new(flowc_tests::metaflow_python());
    metaflow
        .args(["flow.py", "--no-pylint", "run"])
        .current_dir(world.path())
        .env("METAFLOW_USER", "ann")
        .env("METAFLOW_HOME", world.path().join("no-settings"));
    assert_eq!(output(&mut metaflow).code, Some(1));
    refused(&[], &["FC4025", "made by Metaflow itself"]);
    // A store in trouble proves nothing against the results in it.
    let commit = run.join("_parameters/t/commit");
    let whole = fs::read(&commit).unwrap();
    fs::remove_file(&commit).unwrap();
    fs::create_dir(&commit).unwrap();
    refused(
        &["--origin-run-id", &id],
        &["FC4030", "_parameters/t/commit", "is as it was"],
    );
    fs::remove_dir(&commit).unwrap();
    fs::write(&commit, &whole).unwrap();
    let split = run.join("split/t-1/commit");
    fs::rename(&split, run.join("kept")).unwrap();
    std::os::unix::fs::symlink(&split, &split).unwrap();
    refused(
        &["--origin-run-id", &id],
        &["FC4030", "split/t-1/commit", "is as it was"],
    );
    fs::rename(run.join("kept"), &split).unwrap();
    // Parameters that are not what was written.
    fs::write(&commit, "{").unwrap();
    refused(
        &["--origin-run-id", &id],
        &["FC4024", "_parameters/t/commit is damaged", "set aside as"],
    );
    assert_eq!(set_aside(&run.join("_parameters/t")), ["commit"]);
}

/// What was set aside in a folder, by the names it had.
fn set_aside(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut aside: Vec<String> = names
        .filter_map(|name| Some(name.strip_prefix("damaged-")?[9..].to_owned()))
        .collect();
    aside.sort();
    aside
}

#[test]
fn damaged_and_lost_results_are_made_again() {
    let world = World::new(NESTED);
    world.run(&["--max-workers", "1"]);
    let run = world.latest();
    let id = run_id(&run);
    ran(&world);
    world.write("mended", "");
    let squares = json(&run.join("body/t-0-2/commit"))["data"]["objects"]["square"].clone();
    let squares = squares.as_str().unwrap();
    fs::write(run.join("body/t-0-1/commit"), "{}").unwrap();
    fs::write(run.join("body/t-0-0/0.attempt.json"), "").unwrap();
    fs::remove_file(run.join(format!("../data/{}/{squares}", &squares[..2]))).unwrap();
    let output = resumes(&world, &["--origin-run-id", &id]);
    for said in [
        "body/t-0-1/commit is damaged",
        "set aside as",
        "its artifact `square` is not in the store any more",
        "Adopted body/t-0-0",
    ] {
        assert!(
            output.stderr.contains(said),
            "no `{said}` in\n{}",
            output.stderr
        );
    }
    assert_eq!(set_aside(&run.join("body/t-0-1")), ["commit"]);
    let ran = ran(&world);
    for (task, runs) in [("body-0-0", false), ("body-0-1", true), ("body-0-2", true)] {
        assert_eq!(ran.iter().any(|it| it == task), runs, "{task}: {ran:?}");
    }
}
