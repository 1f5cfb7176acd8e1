//! What nobody has set is deployed to nowhere and read from nowhere.

use std::fs;
use std::path::Path;

use flowc_tests::temp_dir;

use super::{profile, run, text, workshop};

/// The keys that FC5011 names, in its order, and the exit code.
fn open(folder: &Path, arguments: &[&str]) -> (i32, Vec<String>) {
    let output = run(folder, arguments);
    let said = text(&output.stderr);
    let lines = said.lines();
    let keys = lines.filter_map(|line| {
        let rest = line.strip_prefix("error[FC5011]: the profile `default` does not set `")?;
        Some(rest.trim_end_matches('`').to_owned())
    });
    (output.status.code().unwrap(), keys.collect())
}

#[test]
fn a_placeholder_is_refused_by_its_key() {
    let folder = workshop();
    let folder = folder.path();
    let aws = ["store", "region", "account", "job_queue", "image"];
    let kubernetes = ["store", "shim_image"];
    let cases: [(&[&str], &[&str], i32); 12] = [
        (&["deploy", "flow.py", "--target", "argo"], &kubernetes, 1),
        (
            &["deploy", "flow.py", "--target", "airflow"],
            &kubernetes,
            1,
        ),
        (
            &["deploy", "flow.py", "--target", "step-functions"],
            &aws,
            1,
        ),
        (
            &["deploy", "flow.py", "--target", "argo", "--dry-run"],
            &kubernetes,
            1,
        ),
        (&["status", "flow.py", "--target", "argo"], &aws[..1], 1),
        (
            &["trigger", "flow.py", "--target", "argo", "--wait"],
            &aws[..1],
            1,
        ),
        (
            &["trigger", "flow.py", "--target", "step-functions"],
            &aws[1..3],
            1,
        ),
        (
            &["delete", "flow.py", "--target", "step-functions"],
            &aws[1..3],
            1,
        ),
        (&["stop", "argo-x", "--target", "argo"], &aws[..1], 2),
        (&["logs", "TrainFlow/argo-x"], &aws[..1], 2),
        (&["sync", "TrainFlow"], &aws[..1], 2),
        (
            &["dump", "TrainFlow/1", "--profile", "default"],
            &aws[..1],
            2,
        ),
    ];
    fs::write(
        folder.join("flowc.toml"),
        "[profile.default.airflow]\ndags = \"dags\"\n",
    )
    .unwrap();
    for (arguments, keys, code) in cases {
        let mut found = open(folder, arguments);
        found
            .1
            .sort_by_key(|key| keys.iter().position(|known| known == key));
        assert_eq!(
            found,
            (code, keys.iter().map(|key| (*key).to_owned()).collect()),
            "{arguments:?}"
        );
    }
    // Compiling needs none of them, and who has set them is asked no more.
    let compiled = run(
        folder,
        &["compile", "flow.py", "--target", "all", "-o", "out"],
    );
    assert!(compiled.status.success(), "{}", text(&compiled.stderr));
    fs::write(folder.join("flowc.toml"), profile("default")).unwrap();
    for (arguments, ..) in cases.iter().take(3) {
        let (_, keys) = open(folder, arguments);
        assert!(keys.is_empty(), "{arguments:?}: {keys:?}");
    }
}

#[test]
fn what_every_step_says_itself_is_not_asked() {
    let folder = temp_dir();
    let folder = folder.path();
    let flow = "from metaflow import FlowSpec, batch, step


class BatchFlow(FlowSpec):
    @batch(image=\"r/i:1\", queue=\"q\")
    @step
    def start(self):
        self.next(self.end)

    @batch(image=\"r/i:1\")
    @step
    def end(self):
        pass


if __name__ == \"__main__\":
    BatchFlow()
";
    fs::write(folder.join("flow.py"), flow).unwrap();
    let command = ["deploy", "flow.py", "--target", "step-functions"];
    let (_, keys) = open(folder, &command);
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert!(!keys.contains(&"image".to_owned()), "{keys:?}");
    let own = flow.replace("(image=\"r/i:1\")", "(image=\"r/i:1\", queue=\"q\")");
    fs::write(folder.join("flow.py"), own).unwrap();
    let (_, keys) = open(folder, &command);
    assert_eq!(keys.len(), 3, "{keys:?}");
}
