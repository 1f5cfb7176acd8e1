//! Every golden, run as it is: the tree of nodes that a controller makes of it, compared with what Argo's own controllers made.
//!
//! `tests/recordings/argo` holds their trees, by the manifest's sha256 and the controller's version. Without `FLOWC_ARGO_BIN` the
//! stand-in's tree is compared with them. A golden that has changed since is *unproven*, and a failure, until somebody who has
//! Argo's programs records it anew: `UPDATE_RECORDINGS=1 FLOWC_ARGO_BIN=…/4.1.2 cargo test -p flowc-tests --test argo_goldens`.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use flowc_target::sha256_hex;
use flowc_tests::beds::argo::{Argo, Node, tree};
use flowc_tests::{repo_root, report, run, temp_dir};
use serde_json::{Value, json};

/// The namespace of the default profile.
const NAMESPACE: &str = "default";

/// Controllers whose trees are kept.
const VERSIONS: [&str; 2] = ["3.7.18", "4.1.2"];

/// The trees of one golden, by the controller's version.
type Trees = BTreeMap<String, Vec<Node>>;

#[test]
fn goldens_make_the_trees_that_argo_made_of_them() {
    let Some(argo) = Argo::up(NAMESPACE).filter(|argo| argo.bed.may_be_harmed()) else {
        return;
    };
    let updating = std::env::var_os("UPDATE_RECORDINGS").is_some_and(|value| value == "1");
    prepare(&argo);
    let mut table = format!(
        "{:<20} {:<14} {:<14} nodes\n",
        "golden", VERSIONS[0], VERSIONS[1]
    );
    let mut wrong = Vec::new();
    for (example, found) in all_made(&argo) {
        let mut recorded = recorded(&example);
        if let (true, Some(version)) = (updating, argo.version()) {
            recorded.insert(version.to_owned(), found.clone());
            record(&example, &recorded);
        }
        let mut cells = Vec::new();
        for version in VERSIONS {
            cells.push(match recorded.get(version) {
                None => "unproven",
                Some(tree) if *tree == found => "same",
                Some(tree) => {
                    wrong.push(format!(
                        "{example}: {version} made\n{tree:#?}\nand now it is\n{found:#?}"
                    ));
                    "differs"
                }
            });
        }
        if cells.contains(&"unproven") {
            wrong.push(format!("{example} is unproven, see the table"));
        }
        writeln!(
            table,
            "{example:<20} {:<14} {:<14} {}",
            cells[0],
            cells[1],
            found.len()
        )
        .unwrap();
    }
    report(&format!(
        "made by {}\n{table}",
        argo.version().unwrap_or("the stand-in")
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Examples with a golden for Argo.
fn examples() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(repo_root().join("golden"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| manifest(name).is_file())
        .collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    names
}

fn manifest(example: &str) -> PathBuf {
    repo_root().join(format!(
        "golden/{example}/default/argo/workflow-template.yaml"
    ))
}

/// A pod that is never made: it shows whether the policy is applied.
const PROBE: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: probe}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: main
    image: none
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

/// What the default profile leaves to the platform: the store's bucket and the way to it, the user of containers.
fn prepare(argo: &Argo) {
    let variables: BTreeMap<_, _> = argo.bed.s3_variables().into_iter().collect();
    let endpoint = &variables["AWS_ENDPOINT_URL"];
    let policy = fs::read_to_string(repo_root().join("tests/beds/argo/golden.yaml")).unwrap();
    let folder = flowc_tests::temp_dir();
    let file = folder.path().join("golden.yaml");
    fs::write(
        &file,
        policy.replace("\"ENDPOINT\"", &format!("\"{endpoint}\"")),
    )
    .unwrap();
    argo.bed.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    // The API server takes a moment to know a policy; a task that starts meanwhile does without it, and is tried twice.
    let probe = folder.path().join("probe.yaml");
    fs::write(&probe, PROBE).unwrap();
    let mut create = vec!["--namespace", NAMESPACE, "create", "-f"];
    create.extend([probe.to_str().unwrap(), "--dry-run=server", "-o", "json"]);
    let applied = (0..100).any(|_| {
        let pod: Value = serde_json::from_str(&argo.bed.kubectl(&create)).unwrap();
        let set = pod["spec"]["containers"][0]["env"][0]["value"] == endpoint.as_str();
        if !set {
            thread::sleep(Duration::from_millis(300));
        }
        set
    });
    assert!(applied, "the API server never applied the policy");
    let put = format!(
        "import urllib.request as r; r.urlopen(r.Request('{endpoint}/flowc-store', method='PUT'))"
    );
    run(argo.bed.command(Path::new("python3")).args(["-c", &put]));
}

/// The tree of every example, all run side by side.
fn all_made(argo: &Argo) -> Vec<(String, Vec<Node>)> {
    thread::scope(|scope| {
        let start = |example: String| {
            let tree = scope.spawn({
                let example = example.clone();
                move || made(argo, &example)
            });
            (example, tree)
        };
        let started: Vec<_> = examples().into_iter().map(start).collect();
        let end = |(example, tree): (String, ScopedJoinHandle<'_, Vec<Node>>)| {
            (example, tree.join().unwrap())
        };
        started.into_iter().map(end).collect()
    })
}

/// What a deployment wants to be told, as compiling takes it by default.
const PROFILE: &str =
    "\n[profile.default]\nstore = \"s3://flowc-store\"\nshim_image = \"flowc-shim:0.1.0\"\n";

/// Deploys an example with a profile that says what the defaults are, which sends the golden's bytes, and runs it.
fn made(argo: &Argo, example: &str) -> Vec<Node> {
    let folder = temp_dir();
    let mut settings = String::new();
    for entry in fs::read_dir(repo_root().join("examples").join(example)).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("flowc.toml") {
            settings = fs::read_to_string(&path).unwrap();
        } else if path.is_file() {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(folder.path().join("flowc.toml"), settings + PROFILE).unwrap();
    let flow = folder.path().join("flow.py");
    let flow = flow.to_str().unwrap();
    run(&mut argo.flowc(&["deploy", flow, "--target", "argo"]));
    let started = run(&mut argo.flowc(&["trigger", flow, "--target", "argo", "--wait"]));
    tree(&argo.workflow(started.trim()))
}

fn file(example: &str) -> PathBuf {
    repo_root().join(format!("tests/recordings/argo/{example}.json"))
}

/// What was recorded of the golden as it is now.
fn recorded(example: &str) -> Trees {
    let Ok(text) = fs::read_to_string(file(example)) else {
        return Trees::new();
    };
    let all: Value = serde_json::from_str(&text).unwrap();
    if all["manifest"] != digest(example).as_str() {
        return Trees::new();
    }
    let node = |node: &Value| {
        let text = |place: usize| node[place].as_str().unwrap().to_owned();
        let children = node[3].as_array().unwrap();
        Node {
            name: text(0),
            kind: text(1),
            phase: text(2),
            children: children
                .iter()
                .map(|child| child.as_str().unwrap().to_owned())
                .collect(),
        }
    };
    let trees = all["trees"].as_object().unwrap();
    trees
        .iter()
        .map(|(version, tree)| {
            (
                version.clone(),
                tree.as_array().unwrap().iter().map(node).collect(),
            )
        })
        .collect()
}

/// A line for each node: name, type, phase, nodes below.
fn record(example: &str, trees: &Trees) {
    let mut text = format!("{{\"manifest\": \"{}\", \"trees\": {{", digest(example));
    for (place, (version, tree)) in trees.iter().enumerate() {
        let lines: Vec<String> = tree
            .iter()
            .map(|node| json!([node.name, node.kind, node.phase, node.children]).to_string())
            .collect();
        let comma = if place == 0 { "" } else { "," };
        write!(
            text,
            "{comma}\n\"{version}\": [\n  {}\n]",
            lines.join(",\n  ")
        )
        .unwrap();
    }
    let file = file(example);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text + "\n}}\n").unwrap();
}

fn digest(example: &str) -> String {
    sha256_hex(&fs::read(manifest(example)).unwrap())
}
