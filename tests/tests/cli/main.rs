//! The command line as its users meet it: help whose examples work, exit codes, findings in three formats.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod bundles;
mod package;
mod placeholders;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use flowc_tests::{flowc, repo_root};

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(flowc())
        .current_dir(folder)
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with the files that the help texts' examples speak of.
pub(crate) fn workshop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let flow = "\
from metaflow import FlowSpec, Parameter, step


class TrainFlow(FlowSpec):
    alpha = Parameter(\"alpha\", default=0.1)
    target = Parameter(\"target\", default=\"\")

    @step
    def start(self):
        self.shards = [1, 2]
        self.next(self.train, foreach=\"shards\")

    @step
    def train(self):
        self.score = self.input * self.alpha
        self.next(self.join)

    @step
    def join(self, inputs):
        self.best = max(task.score for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(\"best\", self.best)


if __name__ == \"__main__\":
    TrainFlow()
";
    fs::write(folder.path().join("flow.py"), flow).unwrap();
    fs::write(
        folder.path().join("flowc.toml"),
        ["default", "production"].map(profile).concat(),
    )
    .unwrap();
    folder
}

/// A profile that says all that a deployment wants to know.
pub(crate) fn profile(name: &str) -> String {
    format!(
        "[profile.{name}]
store = \"s3://acme-flows\"
image = \"registry.acme.example/flows:1\"
shim_image = \"registry.acme.example/flowc-shim:1\"

[profile.{name}.step-functions]
region = \"eu-central-1\"
account = \"210987654321\"
job_queue = \"flows\"

"
    )
}

/// The runs that the examples speak of: one of an orchestrator in a store that both profiles name, one of this machine.
fn leave_runs(folder: &Path) {
    fs::write(
        folder.join("flowc.toml"),
        ["default", "production"]
            .map(|name| profile(name).replace("s3://acme-flows", "runs"))
            .concat(),
    )
    .unwrap();
    for run in [
        "runs/TrainFlow/argo-trainflow-x7k2p",
        ".metaflow/TrainFlow/1732190000000000",
    ] {
        for (file, content) in [
            ("train/t-3/0.attempt.json", "{}"),
            (
                "train/t-3/0.task_stdout.log",
                "[MFLOG|0|2026-11-21T00:28:12.820448Z|task|1]training\n",
            ),
            ("train/t-3/0.task_stderr.log", "warning\n"),
            ("end/t/commit", "{}"),
        ] {
            let path = folder.join(run).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

/// Lines of a help text that show a command, without the remark beside it.
fn examples(help: &str) -> Vec<Vec<String>> {
    let after = help.split("Examples:").nth(1).unwrap_or_default();
    after
        .lines()
        .filter_map(|line| line.trim().strip_prefix("flowc "))
        .map(|line| {
            line.split("   ")
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

/// Commands whose examples need an orchestrator; their tests on one are with its bed.
const OPERATING: &[&str] = &["deploy", "trigger", "status", "stop", "delete"];

#[test]
fn the_examples_in_every_help_text_work() {
    let commands = [
        "", "check", "show", "run", "compile", "package", "explain", "logs", "sync",
    ];
    for command in commands.iter().chain(OPERATING) {
        let arguments: &[&str] = if command.is_empty() {
            &["--help"]
        } else {
            &[*command, "--help"]
        };
        let folder = workshop();
        if matches!(*command, "logs" | "sync" | "stop") {
            leave_runs(folder.path());
        }
        let help = run(folder.path(), arguments);
        assert!(help.status.success(), "{command}: {}", text(&help.stderr));
        let examples = examples(&text(&help.stdout));
        assert!(
            examples.len() >= 2,
            "`flowc {command} --help` has too few examples: {}",
            text(&help.stdout)
        );
        for example in examples {
            let arguments: Vec<&str> = example.iter().map(String::as_str).collect();
            let output = run(folder.path(), &arguments);
            let stderr = text(&output.stderr);
            assert!(
                output.status.success() || asks_an_orchestrator(arguments[0], &output),
                "flowc {}\n{}{stderr}",
                example.join(" "),
                text(&output.stdout),
            );
        }
    }
}

/// Whether the command went as far as it can without an orchestrator: it says by a code of its own that there is none.
fn asks_an_orchestrator(command: &str, output: &std::process::Output) -> bool {
    OPERATING.contains(&command)
        && output.status.code() == Some(2)
        && text(&output.stderr).contains("error[FC500")
}

#[test]
fn a_flow_file_is_read_and_not_executed() {
    let folder = workshop();
    let file = folder.path().join("flow.py");
    let flow = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("open('ran', 'w').close()\n{flow}")).unwrap();
    for arguments in [
        &["check", "flow.py"][..],
        &["show", "flow.py"],
        &["compile", "flow.py", "--target", "all", "-o", "out"],
        &["run", "flow.py", "--help"],
    ] {
        let output = run(folder.path(), arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!folder.path().join("ran").exists(), "{arguments:?}");
    }
}

#[test]
fn exit_codes_tell_who_has_to_act() {
    let folder = workshop();
    assert_eq!(
        run(folder.path(), &["check", "flow.py"]).status.code(),
        Some(0)
    );
    let broken = fs::read_to_string(folder.path().join("flow.py"))
        .unwrap()
        .replace("self.next(self.join)", "self.next(self.jion)");
    fs::write(folder.path().join("broken.py"), broken).unwrap();
    assert_eq!(
        run(folder.path(), &["check", "broken.py"]).status.code(),
        Some(1)
    );
    assert_eq!(
        run(
            folder.path(),
            &["compile", "broken.py", "--target", "argo", "-o", "out"]
        )
        .status
        .code(),
        Some(1)
    );
    assert!(
        !folder.path().join("out").exists(),
        "nothing is written for a flow with errors"
    );
    assert_eq!(
        run(folder.path(), &["check", "missing.py"]).status.code(),
        Some(2)
    );
    assert_eq!(
        run(folder.path(), &["check", "flow.py", "--no-such-option"])
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        run(folder.path(), &["compile", "flow.py", "--target", "nomad"])
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        run(folder.path(), &["explain", "FC9999"]).status.code(),
        Some(2)
    );
    assert_eq!(
        run(
            folder.path(),
            &[
                "compile",
                "flow.py",
                "--target",
                "argo",
                "--profile",
                "nope"
            ]
        )
        .status
        .code(),
        Some(1)
    );
}

#[test]
fn findings_are_shown_as_text_json_and_annotations() {
    let folder = workshop();
    let broken = fs::read_to_string(folder.path().join("flow.py"))
        .unwrap()
        .replace("self.next(self.join)", "self.next(self.jion)");
    fs::create_dir(folder.path().join("flows")).unwrap();
    fs::write(folder.path().join("flows/broken.py"), broken).unwrap();

    let plain = run(folder.path(), &["check", "flows/broken.py"]);
    let shown = text(&plain.stderr);
    assert!(plain.stdout.is_empty());
    assert!(
        shown.contains("error[FC0113]") && shown.contains("flows/broken.py:16:19"),
        "{shown}"
    );
    assert!(shown.contains("join"), "the near name is offered: {shown}");

    let json = run(
        folder.path(),
        &["check", "flows/broken.py", "--message-format", "json"],
    );
    let lines: Vec<serde_json::Value> = text(&json.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let finding = lines.iter().find(|line| line["code"] == "FC0113").unwrap();
    assert_eq!(finding["path"], "flows/broken.py");
    assert_eq!(finding["line"], 16);
    assert_eq!(finding["severity"], "error");

    let github = run(
        folder.path(),
        &["check", "flows/broken.py", "--message-format", "github"],
    );
    let annotation = text(&github.stdout);
    assert!(
        annotation.contains("::error file=flows/broken.py,line=16,"),
        "{annotation}"
    );
}

#[test]
fn a_file_with_five_mistakes_shows_five() {
    let folder = tempfile::tempdir().unwrap();
    let flow = "\
from metaflow import FlowSpec, retry, step


class Broken(FlowSpec):
    @retry(times=9)
    @step
    def start(self):
        self.next(self.midle)

    @step
    def middle(self):
        self.x = 1

    @step
    def Next(self):
        self.next(self.end)

    @retri
    @step
    def end(self):
        pass


if __name__ == \"__main__\":
    Broken()
";
    fs::write(folder.path().join("broken.py"), flow).unwrap();
    let output = run(
        folder.path(),
        &["check", "broken.py", "--message-format", "json"],
    );
    let codes: Vec<String> = text(&output.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["code"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    for code in ["FC0206", "FC0113", "FC0108", "FC0104", "FC0013"] {
        assert!(
            codes.iter().any(|found| found == code),
            "{code} is missing from {codes:?}"
        );
    }
}

#[test]
fn explain_shows_every_page() {
    for code in flowc_core::diag::Code::ALL {
        let output = run(repo_root(), &["explain", code.as_str()]);
        let page = text(&output.stdout);
        assert!(
            output.status.success() && page.contains(code.as_str()),
            "{code}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn show_prints_a_graph_in_four_forms() {
    let folder = workshop();
    for (format, mark) in [
        ("text", "train"),
        ("mermaid", "flowchart"),
        ("dot", "digraph"),
        ("json", "\"steps\""),
    ] {
        let output = run(folder.path(), &["show", "flow.py", "--format", format]);
        let shown = text(&output.stdout);
        assert!(
            output.status.success() && shown.contains(mark),
            "{format}: {shown}"
        );
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let command = format!(
        "{} show {} | true",
        flowc().display(),
        repo_root().join("examples/hello/flow.py").display()
    );
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", &command])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}
