//! A folder with a flow in it, and what `flowc run` did there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder with `flow.py`, which is where the run's data goes too.
pub(crate) struct World {
    folder: TempDir,
}

/// How a command ended and what it said.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// The flow's text without imports and call: `class F(FlowSpec)` and what goes before it.
    pub(crate) fn new(flow: &str) -> Self {
        let folder = flowc_tests::temp_dir();
        let text = format!(
            "from metaflow import FlowSpec, Parameter, JSONType, step, retry, timeout, catch, environment, current\n\n{flow}\n\nif __name__ == '__main__':\n    F()\n"
        );
        fs::write(folder.path().join("flow.py"), text).unwrap();
        Self { folder }
    }

    /// A flow whose `start` fans out over `range(width)` into `body`, the text of the step's body.
    pub(crate) fn foreach(head: &str, width: u32, body: &str, join: &str) -> Self {
        let indented = |text: &str| text.replace('\n', "\n        ");
        Self::new(&format!(
            "{head}\nclass F(FlowSpec):\n    @step\n    def start(self):\n        self.items = list(range({width}))\n        self.next(self.body, foreach='items')\n\n    @step\n    def body(self):\n        {}\n        self.next(self.join)\n\n    @step\n    def join(self, inputs):\n        {}\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass",
            indented(body),
            indented(join)
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// `flowc run flow.py` with these arguments, in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.flowc("run");
        command.arg("flow.py").args(arguments);
        command
    }

    /// A command of flowc, in the folder.
    pub(crate) fn flowc(&self, name: &str) -> Command {
        let mut command = Command::new(flowc_tests::flowc());
        command
            .arg(name)
            .current_dir(self.path())
            .env("FLOWC_PYTHON", flowc_tests::metaflow_python())
            .env("USER", "ann")
            .env("METAFLOW_HOME", self.path().join("no-settings"))
            .env_remove("METAFLOW_USER")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        output(&mut self.command(arguments))
    }

    /// Runs and expects the run to succeed.
    #[track_caller]
    pub(crate) fn runs(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
        output
    }

    /// The folder of the newest run.
    pub(crate) fn latest(&self) -> PathBuf {
        let flow = self.path().join(".metaflow/F");
        let run = fs::read_to_string(flow.join("latest_run")).unwrap();
        flow.join(run)
    }

    /// Names of the tasks of a step that committed, sorted.
    pub(crate) fn committed(&self, step: &str) -> Vec<String> {
        let Ok(tasks) = fs::read_dir(self.latest().join(step)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = tasks
            .map(|task| task.unwrap())
            .filter(|task| task.path().join("commit").exists())
            .map(|task| task.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Waits until a file appears; user code makes it to say that it has come so far.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str) {
        let file = self.path().join(name);
        wait_until(name, || file.exists());
    }

    /// No process has the mark in its environment: all were given it.
    #[track_caller]
    pub(crate) fn expect_no_process_left(&self) {
        let mark = format!("FLOWC_TEST_MARK={}", self.path().display());
        wait_until("the end of all processes", || {
            let processes = fs::read_dir("/proc").unwrap();
            !processes.flatten().any(|process| {
                let environment = fs::read(process.path().join("environ")).unwrap_or_default();
                environment
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == mark.as_bytes())
            })
        });
    }

    /// As [`World::command`], with the mark that [`World::expect_no_process_left`] looks for.
    pub(crate) fn marked(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command
            .env("FLOWC_TEST_MARK", self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

#[track_caller]
pub(crate) fn output(command: &mut Command) -> Output {
    ended(&command.output().unwrap())
}

pub(crate) fn ended(output: &std::process::Output) -> Output {
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
