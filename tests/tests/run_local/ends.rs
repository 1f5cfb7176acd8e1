//! Runs that do not reach their end: failures, signals, kills. No process is left behind by any of them.

use std::process::{Child, Command};

use super::world::{World, ended, wait_until};

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// A foreach of 4 whose tasks say that they run and then sleep for ever.
fn sleepers(body: &str) -> World {
    let body =
        format!("open(f'up-{{self.input}}', 'w').close()\n{body}\nimport time\ntime.sleep(3600)");
    World::foreach("", 4, &body, "pass")
}

#[test]
fn a_failing_step_shows_the_users_traceback_and_one_line() {
    let world = World::new(
        "
class F(FlowSpec):
    @step
    def start(self):
        self.shards = {}
        self.next(self.train)

    @step
    def train(self):
        self.shards['north']
        self.next(self.end)

    @step
    def end(self):
        pass",
    );
    let output = world.run(&[]);
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.contains("self.shards['north']"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("KeyError: 'north'"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("train/t"), "{}", output.stderr);
    for ours in ["flowc/run_step.py", "harness", "importlib"] {
        assert!(
            !output.stderr.contains(ours),
            "{ours} in\n{}",
            output.stderr
        );
    }
    assert_eq!(world.committed("start"), ["t"]);
    assert!(world.committed("end").is_empty());
    assert!(world.latest().join("train/t/0.data.json").exists());
}

#[test]
fn what_runs_beside_a_failure_may_finish() {
    let body = "import os, time\nif self.input == 0:\n    while not os.path.exists('up'): time.sleep(0.01)\n    raise ValueError('first')\nopen('up', 'w').close()\ntime.sleep(0.3)";
    let world = World::foreach("", 50, body, "pass");
    let output = world.run(&["--max-workers", "2"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert_eq!(world.committed("body"), ["t-1"]);
}

#[test]
fn an_empty_foreach_fails_and_is_retried_as_any_failure() {
    let world = World::foreach("", 0, "pass", "pass");
    let output = world.run(&["--with", "retry:times=1"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(
        output.stderr.contains("(attempt 0); trying again\n"),
        "{}",
        output.stderr
    );
    assert!(world.latest().join("start/t/1.attempt.json").exists());
    assert!(world.committed("start").is_empty());
}

/// `start` fails once and waits for nothing, though `@retry` says two minutes; `right` forbids another attempt, and its
/// `@catch` takes nothing.
#[test]
fn retries_start_at_once_and_not_after_exit_code_202() {
    let world = World::new(
        "import sys
class F(FlowSpec):
    @retry
    @step
    def start(self):
        if current.retry_count == 0:
            raise ValueError('once')
        self.next(self.left, self.right)

    @step
    def left(self):
        self.next(self.join)

    @catch(var='failure')
    @retry(times=2)
    @step
    def right(self):
        sys.exit(202)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass",
    );
    let output = world.run(&[]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let again: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.contains("trying again"))
        .collect();
    assert_eq!(again.len(), 1, "{}", output.stderr);
    assert!(again[0].contains("(attempt 0); trying again"), "{again:?}");
    assert!(again[0].contains("start/t"), "{again:?}");
    assert!(!world.latest().join("right/t/1.attempt.json").exists());
    assert!(world.committed("right").is_empty());
}

#[test]
fn an_artifact_that_does_not_pickle_is_named() {
    let world = World::foreach(
        "",
        1,
        "self.lock_of_mine = __import__('threading').Lock()",
        "pass",
    );
    let output = world.run(&[]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("lock_of_mine"), "{}", output.stderr);
}

#[test]
fn an_artifact_whose_name_cannot_be_kept_is_named_and_hides_no_other() {
    let body = "self.aa = 1\nsetattr(self, 'a/b', 7)\nsetattr(self, 'line\\nfeed', 8)\nself.zz = 2";
    let world = World::foreach("", 1, body, "pass");
    let output = world.run(&[]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(
        output
            .stderr
            .contains("artifact 'a/b' cannot be kept under its name: it holds a slash"),
        "{}",
        output.stderr
    );
    let meta = world.latest().join("body/t-0/_meta");
    for name in ["aa", "line\nfeed", "zz"] {
        assert!(
            meta.join(format!("0_artifact_{name}.json")).exists(),
            "{name}"
        );
    }
}

#[test]
fn a_task_killed_by_a_signal_says_which() {
    let world = World::foreach("", 1, "import os\nos.kill(os.getpid(), 9)", "pass");
    let output = world.run(&[]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(
        output.stderr.contains("SIGKILL") || output.stderr.contains("signal 9"),
        "{}",
        output.stderr
    );
}

#[test]
fn the_first_interrupt_ends_tasks_in_order() {
    let body = "import signal, sys\ndef bye(*_):\n    open(f'bye-{self.input}', 'w').close()\n    sys.exit(0)\nsignal.signal(signal.SIGTERM, bye)\nopen(f'armed-{self.input}', 'w').close()";
    let world = sleepers(body);
    let child = world.marked(&["--max-workers", "3"]).spawn().unwrap();
    for task in ["armed-0", "armed-1", "armed-2"] {
        world.wait_for(task);
    }
    send("INT", &child);
    let output = ended(&child.wait_with_output().unwrap());
    assert_eq!(output.code, Some(130), "{}", output.stderr);
    assert!(
        output.stderr.contains("body/t-0, body/t-1, body/t-2"),
        "{}",
        output.stderr
    );
    let run = world.latest();
    let id = run.file_name().unwrap().to_str().unwrap();
    let hint = format!("flowc resume flow.py --origin-run-id {id} --max-workers 3\n");
    assert!(output.stderr.contains(&hint), "{}", output.stderr);
    assert!(world.path().join("bye-2").exists());
    assert!(!world.path().join("up-3").exists());
    assert!(world.committed("body").is_empty());
    world.expect_no_process_left();
}

#[test]
fn the_second_interrupt_ends_tasks_at_once() {
    let world = sleepers(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('armed', 'w').close()",
    );
    let child = world.marked(&[]).spawn().unwrap();
    world.wait_for("armed");
    let began = std::time::Instant::now();
    send("INT", &child);
    std::thread::sleep(std::time::Duration::from_millis(200));
    send("INT", &child);
    let output = ended(&child.wait_with_output().unwrap());
    assert_eq!(output.code, Some(130), "{}", output.stderr);
    assert!(began.elapsed().as_secs() < 9, "{:?}", began.elapsed());
    world.expect_no_process_left();
}

#[test]
fn nothing_outlives_a_killed_flowc() {
    for arguments in [&[][..], &["--no-fork"]] {
        let world = sleepers("import subprocess\nsubprocess.Popen(['sleep', '3600'])");
        let mut child = world.marked(arguments).spawn().unwrap();
        for task in ["up-0", "up-3"] {
            world.wait_for(task);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        world.expect_no_process_left();
    }
}

#[test]
fn what_a_task_leaves_in_the_background_ends_with_it() {
    let world = World::foreach(
        "",
        2,
        "import subprocess\nsubprocess.Popen(['sleep', '3600'])",
        "pass",
    );
    let child = world.marked(&[]).spawn().unwrap();
    let output = ended(&child.wait_with_output().unwrap());
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    world.expect_no_process_left();
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_run() {
    let world = World::foreach("", 20, "print('x' * 10000)", "pass");
    let mut child = world.marked(&[]).spawn().unwrap();
    drop(child.stdout.take());
    let output = ended(&child.wait_with_output().unwrap());
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(world.committed("body").len(), 20);
    wait_until("the end", || world.committed("end").len() == 1);
}
