//! Runs that succeed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::world::World;

const HELLO: &str = "
class F(FlowSpec):
    alpha = Parameter('alpha', type=float, default=0.1)
    config = Parameter('config', type=JSONType, default='{}')
    names = Parameter('names', separator=',', default='a,b')
    flag = Parameter('flag', type=bool, default=False)
    store = Parameter('store', default='none')

    @step
    def start(self):
        print('start', self.alpha, self.config, list(self.names), self.flag, self.store)
        self.next(self.end)

    @step
    def end(self):
        print(sorted(current.tags))";

#[test]
fn prints_appear_with_the_tasks_name_and_nothing_else_on_stdout() {
    let world = World::new(HELLO);
    let output = world.runs(&[]);
    assert_eq!(
        output.stdout,
        "[start/t] start 0.1 {} ['a', 'b'] False none\n[end/t] []\n"
    );
    let run = world.latest();
    let run = run.file_name().unwrap().to_str().unwrap();
    assert!(
        output.stderr.contains(&format!("F/{run}")),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("(2 tasks)"), "{}", output.stderr);

    // The store keeps it, and tells it again in the same words.
    for name in [run.to_owned(), format!("F/{run}")] {
        let mut command = Command::new(flowc_tests::flowc());
        command
            .args(["logs", &name, "--follow"])
            .current_dir(world.path())
            .env("METAFLOW_HOME", world.path().join("no-settings"));
        assert_eq!(super::world::output(&mut command).stdout, output.stdout);
    }
}

#[test]
fn files_of_a_local_store_are_for_their_owner_alone() {
    let world = World::foreach(
        "",
        2,
        "self.large = b'x' * 3_000_000\nself.noise = __import__('os').urandom(200_000)\nprint('said')",
        "pass",
    );
    let mut command = Command::new("sh");
    let run = world.command(&["--tag", "nightly"]);
    command
        .args(["-c", "umask 022 && exec \"$0\" \"$@\""])
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(world.path());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = super::world::output(&mut command);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let mut folders = vec![world.path().join(".metaflow")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::metadata(&path).unwrap();
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let mode = metadata.permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
            files += 1;
        }
    }
    assert!(files > 50, "{files}");
}

#[test]
fn parameters_come_from_options_and_variables() {
    let world = World::new(HELLO);
    let mut command = world.command(&[
        "--param",
        "config={\"x\": [1, null]}",
        "--flag",
        "true",
        "--names",
        "x,y,z",
        "--param",
        "store=of the parameter",
        "--tag",
        "of-the-run",
    ]);
    command
        .env("METAFLOW_RUN_ALPHA", "-2.5")
        .env("METAFLOW_RUN_FLAG", "no");
    let output = super::world::output(&mut command);
    assert_eq!(
        output.stdout,
        "[start/t] start -2.5 {'x': [1, None]} ['x', 'y', 'z'] True of the parameter\n[end/t] ['of-the-run']\n",
        "{}",
        output.stderr
    );
}

#[test]
fn a_wide_foreach_commits_every_task_once() {
    let body = "self.square = self.input ** 2";
    let join = "print(sum(task.square for task in inputs), [task.index for task in inputs][:3])";
    let world = World::foreach("", 300, body, join);
    let output = world.runs(&["--max-num-splits", "300", "--max-workers", "8"]);
    let sum: u32 = (0..300).map(|n| n * n).sum();
    assert_eq!(output.stdout, format!("[join/t] {sum} [0, 1, 2]\n"));
    assert_eq!(world.committed("body").len(), 300);
}

#[test]
fn foreaches_nest_and_split_statically_inside() {
    let world = World::new(
        "
class F(FlowSpec):
    @step
    def start(self):
        self.rows = [1, 2, 3]
        self.next(self.row, foreach='rows')

    @step
    def row(self):
        self.cells = list(range(self.input))
        self.next(self.cell, foreach='cells')

    @step
    def cell(self):
        self.at = (self.index, self.input)
        self.next(self.left, self.right)

    @step
    def left(self):
        self.next(self.both)

    @step
    def right(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        self.at = inputs.left.at
        self.next(self.cells_joined)

    @step
    def cells_joined(self, inputs):
        self.all = [one.at for one in inputs]
        self.next(self.rows_joined)

    @step
    def rows_joined(self, inputs):
        print([one.all for one in inputs])
        self.next(self.end)

    @step
    def end(self):
        pass",
    );
    let output = world.runs(&[]);
    assert_eq!(
        output.stdout,
        "[rows_joined/t] [[(0, 0)], [(0, 0), (1, 1)], [(0, 0), (1, 1), (2, 2)]]\n"
    );
    assert_eq!(
        world.committed("both"),
        ["t-0-0", "t-1-0", "t-1-1", "t-2-0", "t-2-1", "t-2-2"]
    );
}

#[test]
fn failures_are_retried_and_then_caught() {
    let world = World::new(
        "
class F(FlowSpec):
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        print('attempt', current.retry_count)
        if current.retry_count < 2:
            raise ValueError('not yet')
        self.next(self.middle)

    @catch(var='why', print_exception=False)
    @timeout(seconds=1)
    @step
    def middle(self):
        import time
        time.sleep(60)
        self.next(self.end)

    @step
    def end(self):
        print(type(self.why).__name__, 'timed out' in str(self.why).lower())",
    );
    let output = world.runs(&[]);
    let attempts: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| line.contains("attempt"))
        .collect();
    assert_eq!(
        attempts,
        [
            "[start/t] attempt 0",
            "[start/t] attempt 1",
            "[start/t] attempt 2"
        ]
    );
    assert!(output.stdout.contains("[end/t] "), "{}", output.stdout);
    assert!(output.stderr.contains("trying again"), "{}", output.stderr);
    assert!(world.latest().join("start/t/2.data.json").exists());
}

#[test]
fn the_store_is_the_folder_that_was_named() {
    let world = World::new(HELLO);
    world.runs(&["--store", "elsewhere", "--run-id-file", "id"]);
    let id = fs::read_to_string(world.path().join("id")).unwrap();
    assert!(
        world
            .path()
            .join("elsewhere/F")
            .join(id)
            .join("end/t/commit")
            .exists()
    );
    assert!(!world.path().join(".metaflow").exists());
}

#[test]
fn a_fresh_interpreter_for_each_task_gives_the_same() {
    let world = World::foreach(
        "",
        3,
        "import os; self.pid = os.getppid()",
        "print(len({task.pid for task in inputs}))",
    );
    let forked = world.runs(&[]).stdout;
    let fresh = world.runs(&["--no-fork"]).stdout;
    assert_eq!(
        (forked.as_str(), fresh.as_str()),
        ("[join/t] 1\n", "[join/t] 1\n")
    );
}

#[test]
fn a_step_gets_its_environment_before_its_imports() {
    let world = World::new(
        "
import seen

class F(FlowSpec):
    @environment(vars={'GREETING': 'hello'})
    @step
    def start(self):
        print(seen.greeting)
        self.next(self.end)

    @step
    def end(self):
        print(seen.greeting)",
    );
    world.write(
        "seen.py",
        "import os\ngreeting = os.environ.get('GREETING')\n",
    );
    assert_eq!(world.runs(&[]).stdout, "[start/t] hello\n[end/t] None\n");
}
