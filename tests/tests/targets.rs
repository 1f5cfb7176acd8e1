//! What a target refuses, each code with a fixture: the flow or the `flowc.toml` that provokes it, and where it points.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use flowc_tests::{flowc, temp_dir};

const HEAD: &str = "from metaflow import FlowSpec, Parameter, batch, kubernetes, step\n\n\n";

/// A flow of two steps with a decorator on the first.
fn decorated(decorator: &str) -> String {
    format!(
        "{HEAD}class F(FlowSpec):\n    {decorator}\n    @step\n    def start(self):\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass\n"
    )
}

/// A chain of steps from `start` to `end`.
fn chain(steps: usize) -> String {
    let mut text = format!("{HEAD}class Long(FlowSpec):\n");
    let name = |at: usize| match at {
        0 => "start".to_owned(),
        at if at + 1 == steps => "end".to_owned(),
        at => format!("step_{at}"),
    };
    for at in 0..steps {
        let next = if at + 1 == steps {
            "pass".to_owned()
        } else {
            format!("self.next(self.{})", name(at + 1))
        };
        let _ = write!(
            text,
            "    @step\n    def {}(self):\n        {next}\n\n",
            name(at)
        );
    }
    text
}

const GANG: &str = "from metaflow import parallel

class F(FlowSpec):
    @step
    def start(self):
        self.next(self.work, num_parallel=4)

    @parallel
    @step
    def work(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
";

const NESTED: &str = "class F(FlowSpec):
    @step
    def start(self):
        self.a = [1, 2]
        self.next(self.outer, foreach=\"a\")

    @step
    def outer(self):
        self.b = [3, 4]
        self.next(self.inner, foreach=\"b\")

    @step
    def inner(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
";

const TWO_OF_A_NAME: &str = "class F(FlowSpec):
    @step
    def start(self):
        self.next(self.join)

    @step
    def join(self):
        self.next(self.s_join)

    @step
    def s_join(self):
        self.next(self.end)

    @step
    def end(self):
        pass
";

struct Found {
    /// `CODE path:line`, sorted.
    findings: Vec<String>,
    code: Option<i32>,
}

fn check(flow: &str, settings: &str, arguments: &[&str]) -> Found {
    let folder = temp_dir();
    fs::write(folder.path().join("flow.py"), flow).unwrap();
    fs::write(folder.path().join("flowc.toml"), settings).unwrap();
    let output = Command::new(flowc())
        .current_dir(folder.path())
        .args(["check", "flow.py", "--message-format", "json"])
        .args(arguments)
        .output()
        .unwrap();
    let mut findings: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|found| {
            format!(
                "{} {}:{}",
                found["code"].as_str().unwrap(),
                found["path"].as_str().unwrap_or("-"),
                found["line"]
            )
        })
        .collect();
    findings.sort();
    Found {
        findings,
        code: output.status.code(),
    }
}

#[track_caller]
fn refused(flow: &str, settings: &str, arguments: &[&str], expected: &[&str]) {
    let found = check(flow, settings, arguments);
    assert_eq!(found.findings, expected, "{flow}{settings}{arguments:?}");
    assert_eq!(found.code, Some(1));
}

#[test]
fn constructs_that_a_target_cannot_do() {
    let computed = decorated("since = Parameter(\"since\", default=lambda context: \"x\")\n");
    let nested = format!("{HEAD}{NESTED}");
    let gang = format!("{HEAD}{GANG}");
    for target in ["airflow", "argo", "step-functions"] {
        let arguments = &["--target", target];
        refused(&computed, "", arguments, &["FC0301 flow.py:5"]);
        refused(&gang, "", arguments, &["FC0301 flow.py:9"]);
        let found = check(&nested, "", arguments);
        assert_eq!(
            (found.findings.len(), found.code),
            (0, Some(0)),
            "{target} nests"
        );
    }
}

/// Rules of EventBridge cannot wait; nor has their `detail-type` room for any name.
#[test]
fn triggers_that_a_target_cannot_do() {
    let several = "from metaflow import FlowSpec, step, trigger\n\n\n@trigger(events=[\"one\",\n    \"two\"])\n";
    let long = several
        .replace("\"two\"", "")
        .replace("one", &"x".repeat(129));
    let body = "class F(FlowSpec):\n    @step\n    def start(self):\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass\n";
    let flows = [(several, "FC0301 flow.py:5"), (&long, "FC0308 flow.py:4")];
    for (head, expected) in flows {
        let flow = format!("{head}{body}");
        refused(&flow, "", &["--target", "step-functions"], &[expected]);
        for target in ["airflow", "argo"] {
            let found = check(&flow, "", &["--target", target]);
            assert_eq!((found.findings.len(), found.code), (0, Some(0)), "{target}");
        }
    }
}

#[test]
fn attributes_that_a_target_cannot_do() {
    refused(
        &decorated("@batch(queue=\"gpu\")"),
        "",
        &["--target", "argo"],
        &["FC0302 flow.py:5"],
    );
    refused(
        &decorated("@batch(queue=\"gpu\")"),
        "",
        &["--target", "airflow"],
        &["FC0302 flow.py:5"],
    );
    refused(
        &decorated("@kubernetes(namespace=\"ml\")"),
        "",
        &["--target", "step-functions"],
        &["FC0302 flow.py:5"],
    );
    // Each target speaks for itself.
    refused(
        &decorated("@batch(queue=\"gpu\")"),
        "",
        &["--target", "all"],
        &["FC0302 flow.py:5", "FC0302 flow.py:5"],
    );
}

#[test]
fn a_project_s_flow_needs_a_branch() {
    let flow = decorated("").replace(
        "class F",
        "from metaflow import project\n\n\n@project(name='shop')\nclass F",
    );
    let alone = decorated("");
    let fixed = flow.replace("'shop'", "'shop', branch='next', production=False");
    for target in ["step-functions", "argo", "airflow"] {
        let target = ["--target", target];
        let with = |more: &[&'static str]| [&target, more].concat();
        refused(&flow, "", &target, &["FC0309 flow.py:7"]);
        let unsaid = "[profile.default]\nproduction = false\n";
        refused(&flow, unsaid, &target, &["FC0309 flow.py:7"]);
        for (flow, settings, options) in [
            (&flow, "", &["--production"][..]),
            (&flow, "", &["--branch", "b", "--production"]),
            (&flow, "[profile.default]\nbranch = \"b\"\n", &[]),
            (&fixed, "", &["--branch", "next"]),
            (&alone, "[profile.default]\nproduction = true\n", &[]),
        ] {
            let found = check(flow, settings, &with(options));
            assert_eq!(found.code, Some(0), "{options:?}: {:?}", found.findings);
        }
        refused(&flow, "", &with(&["--branch", "v1.2"]), &["FC0215 -:null"]);
        refused(&fixed, "", &with(&["--production"]), &["FC0225 flow.py:7"]);
        let other = "[profile.default]\nbranch = \"b\"\n";
        refused(&fixed, other, &target, &["FC0225 flow.py:7"]);
        refused(&alone, "", &with(&["--branch", "b"]), &["FC0226 flow.py:4"]);
    }
    refused(&alone, "", &["--production"], &["FC0226 flow.py:4"]);
    refused(&fixed, "", &["--branch", "b"], &["FC0225 flow.py:7"]);
    refused(
        &flow,
        "[profile.default]\nbranch = \"B\"\nproduction = 1\n",
        &["--target", "argo"],
        &["FC0304 flowc.toml:2", "FC0304 flowc.toml:3"],
    );
}

#[test]
fn settings_that_are_wrong() {
    let flow = decorated("");
    let target = &["--target", "argo"];
    refused(
        &flow,
        "[profile.default]\nimaeg = \"x\"\n",
        target,
        &["FC0303 flowc.toml:2"],
    );
    refused(
        &flow,
        "[package]\nincludes = []\n",
        target,
        &["FC0303 flowc.toml:2"],
    );
    refused(
        &flow,
        "[profile.default]\nimage = 3\n",
        target,
        &["FC0304 flowc.toml:2"],
    );
    refused(
        &flow,
        "[profile.default]\nstore = \"ftp://x\"\n",
        target,
        &["FC0304 flowc.toml:2"],
    );
    refused(
        &flow,
        "[profile.default]\nstore = \"gs://bucket\"\n",
        &["--target", "step-functions"],
        &["FC0304 flowc.toml:2"],
    );
    refused(
        &flow,
        "",
        &["--target", "argo", "--profile", "production"],
        &["FC0305 -:null"],
    );
    refused(
        &flow,
        "[profile.prod]\n",
        &["--target", "argo", "--profile", "prd"],
        &["FC0305 -:null"],
    );
    let broken = check(&flow, "[profile.default\n", target);
    assert_eq!(broken.code, Some(1));
    assert!(
        broken.findings[0].contains("flowc.toml:1"),
        "{:?}",
        broken.findings
    );
}

#[test]
fn names_and_texts_that_a_target_cannot_hold() {
    refused(
        &format!("{HEAD}{TWO_OF_A_NAME}"),
        "",
        &["--target", "argo"],
        &["FC0306 flow.py:14"],
    );
    refused(
        &decorated("@kubernetes(image=\"a b\")"),
        "",
        &["--target", "argo"],
        &["FC0308 flow.py:5"],
    );
}

/// 10 000 steps: Airflow takes them, the other two refuse them by the code of their limit.
#[test]
fn flows_beyond_a_limit() {
    let long = chain(10_000);
    refused(
        &long,
        "",
        &["--target", "step-functions"],
        &["FC1001 flow.py:4", "FC1002 flow.py:4"],
    );
    refused(&long, "", &["--target", "argo"], &["FC2001 flow.py:4"]);
    let retried = chain(1_200).replace("    @step", "    @retry(times=4)\n    @step");
    let retried = retried.replace("import ", "import retry, ");
    refused(
        &retried,
        "",
        &["--target", "step-functions"],
        &["FC1002 flow.py:4"],
    );
    let found = check(&long, "", &["--target", "airflow"]);
    assert_eq!((found.findings.len(), found.code), (0, Some(0)));
}

/// What a step adds to a bundle, without `flow.ir.json`: what reviewers read and orchestrators store.
#[test]
fn a_step_costs_few_bytes() {
    let size = |steps: usize, target: &str| -> u64 {
        let folder = temp_dir();
        fs::write(folder.path().join("flow.py"), chain(steps)).unwrap();
        let output = Command::new(flowc())
            .current_dir(folder.path())
            .args(["compile", "flow.py", "--target", target, "-o", "out"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let files = fs::read_dir(folder.path().join("out"))
            .unwrap()
            .map(|entry| entry.unwrap());
        let counted = files.filter(|file| {
            !["flow.ir.json", ".flowc-bundle"].contains(&file.file_name().to_str().unwrap())
        });
        counted.map(|file| file.metadata().unwrap().len()).sum()
    };
    let mut table = String::from("bytes per step\n");
    for (target, limit) in [("step-functions", 1000), ("argo", 600), ("airflow", 600)] {
        let each = (size(150, target) - size(50, target)) / 100;
        let _ = writeln!(table, "{target:<16} {each:>5}");
        assert!(each <= limit, "a step costs {each} bytes on {target}");
    }
    flowc_tests::report(&table);
}
