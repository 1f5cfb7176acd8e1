//! What is live becomes what the bundle says, and nothing else moves.

use std::path::Path;

use flowc_tests::trials;
use flowc_tests::trials::Test;
use flowc_tests::{Output, output};

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    a_second_deployment_moves_no_resource_version,
    a_change_is_named_and_only_it_is_sent,
    what_the_bundle_no_longer_has_is_deleted,
    what_somebody_else_deployed_is_left_alone,
    an_interrupted_deployment_leaves_the_old_version_and_is_completed_by_the_next,
    what_is_missing_in_the_world_is_named,
    a_missing_permission_is_named,
];

const FLOW: &str = "@schedule(daily=True)
class NAME(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        print('version 1')";

fn flow(name: &str) -> String {
    FLOW.replace("NAME", name)
}

const OBJECTS: [&str; 5] = [
    "serviceaccount/flowc-",
    "role/flowc-",
    "rolebinding/flowc-",
    "workflowtemplate/",
    "cronworkflow/",
];

impl World {
    /// The resourceVersion of each object of a flow, or an empty text.
    fn versions(&self, name: &str) -> Vec<String> {
        let version = |object: &&str| {
            let object = format!("{object}{name}");
            let path = "-ojsonpath={.metadata.resourceVersion}";
            self.kubectl(&["get", "--ignore-not-found", &object, path])
        };
        OBJECTS.iter().map(version).collect()
    }
}

fn a_second_deployment_moves_no_resource_version() {
    let Some(world) = World::new(&flow("TwiceFlow")) else {
        return;
    };
    let dry = world.flowc("deploy", &["--dry-run"]);
    assert_eq!(dry.stdout.matches("create").count(), 5, "{dry:#?}");
    assert_eq!(world.versions("twiceflow"), [""; 5]);
    world.deploy();
    let versions = world.versions("twiceflow");
    assert!(!versions.contains(&String::new()), "{versions:?}");
    let second = world.deploy();
    assert!(second.stderr.contains("is deployed"), "{second:#?}");
    assert_eq!(world.versions("twiceflow"), versions);
}

fn a_change_is_named_and_only_it_is_sent() {
    let Some(world) = World::new(&flow("ChangedFlow")) else {
        return;
    };
    world.deploy();
    let before = world.versions("changedflow");
    world.flow(&flow("ChangedFlow").replace(
        "    @step\n    def end",
        "    @timeout(seconds=7)\n    @step\n    def end",
    ));
    let dry = world.flowc("deploy", &["--dry-run"]);
    assert!(
        dry.stdout
            .contains("update  WorkflowTemplate argo/changedflow"),
        "{dry:#?}"
    );
    assert!(dry.stdout.contains("spec.templates"), "{dry:#?}");
    assert_eq!(
        world.versions("changedflow"),
        before,
        "a dry run changed something"
    );
    world.deploy();
    let after = world.versions("changedflow");
    let moved: Vec<bool> = before
        .iter()
        .zip(&after)
        .map(|(one, two)| one != two)
        .collect();
    assert_eq!(moved, [false, false, false, true, false]);
}

fn what_the_bundle_no_longer_has_is_deleted() {
    let Some(world) = World::new(&flow("PrunedFlow")) else {
        return;
    };
    world.deploy();
    // A project's flow of the same name has the same label, on each of its branches.
    let other =
        World::new(&flow("PrunedFlow").replace("@schedule", "@project(name='other')\n@schedule"))
            .unwrap();
    let undecided = other.flowc("deploy", &[]);
    assert_eq!(undecided.code, Some(1), "{undecided:#?}");
    assert!(undecided.stderr.contains("FC0309"), "{undecided:#?}");
    for branch in BRANCHES {
        let deployed = other.flowc("deploy", branch);
        assert_eq!(deployed.code, Some(0), "{deployed:#?}");
        assert!(!deployed.stderr.contains("Deleted"), "{deployed:#?}");
    }
    world.flow(&flow("PrunedFlow").replace("@schedule(daily=True)\n", ""));
    let dry = world.flowc("deploy", &["--dry-run"]);
    assert!(
        dry.stdout.contains("delete  CronWorkflow argo/prunedflow"),
        "{dry:#?}"
    );
    world.deploy();
    assert_eq!(world.versions("prunedflow")[4], "");
    let [prod, next] = ["other.prod.prunedflow", "other.test.next.prunedflow"];
    let before = other.versions(prod);
    assert!(!before.contains(&String::new()), "{before:?}");
    assert!(!other.versions(next).contains(&String::new()));
    // A schedule that goes on one branch stays on the other.
    let unscheduled = flow("PrunedFlow").replace("@schedule(daily=True)", "@project(name='other')");
    other.flow(&unscheduled.replace("'version 1'", "current.project_flow_name"));
    let pruned = other.flowc("deploy", BRANCHES[1]);
    assert_eq!(pruned.code, Some(0), "{pruned:#?}");
    assert_eq!(other.versions(next)[4], "");
    assert_eq!(other.versions(prod), before);
    let run = other.trigger(BRANCHES[1]);
    assert!(run.contains("/argo-other.test.next.prunedflow-"), "{run}");
    other.wait(&run).succeeded();
    let printed = output(world.argo.flowc(&["logs", &run]).current_dir(other.path()));
    let name = "other.test.next.PrunedFlow";
    assert!(printed.stdout.contains(name), "{printed:#?}");
    let newest = |branch: &[&str]| other.flowc("status", branch);
    assert!(newest(BRANCHES[1]).stdout.contains("argo-other.test.next"));
    let none = newest(BRANCHES[0]);
    assert!(none.stderr.contains("has not run there yet"), "{none:#?}");
    let delete = other.flowc("delete", BRANCHES[1]);
    assert_eq!(delete.code, Some(0), "{delete:#?}");
    assert_eq!(other.versions(next), [""; 5]);
    assert_eq!(other.versions(prod), before);
    assert!(!world.versions("prunedflow")[3].is_empty());
}

/// Options for two branches of a project.
const BRANCHES: [&[&str]; 2] = [&["--production"], &["--branch", "next"]];

fn what_somebody_else_deployed_is_left_alone() {
    let Some(world) = World::new(&flow("ForeignFlow")) else {
        return;
    };
    world.deploy();
    for (owner, said) in [
        ("flowc.dev/deployed-by=ann", "by ann"),
        ("flowc.dev/deployed-by-", "other than flowc"),
    ] {
        world.kubectl(&[
            "annotate",
            "--overwrite",
            "workflowtemplate",
            "foreignflow",
            owner,
        ]);
        let before = world.versions("foreignflow");
        for (verb, more) in [("deploy", &[][..]), ("delete", &[][..])] {
            let refused = world.flowc(verb, more);
            assert_eq!(refused.code, Some(2), "{verb}: {refused:#?}");
            assert!(
                refused.stderr.contains("FC5005") && refused.stderr.contains(said),
                "{refused:#?}"
            );
        }
        assert_eq!(world.versions("foreignflow"), before);
        let taken = world.flowc("deploy", &["--take-over"]);
        assert_eq!(taken.code, Some(0), "{taken:#?}");
        assert!(world.deploy().stderr.contains("is deployed"));
    }
}

/// Lets dry runs pass and refuses the template itself, as a crash between the objects would.
const LOCK: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-templates}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [argoproj.io], apiVersions: [v1alpha1], operations: [CREATE, UPDATE], resources: [workflowtemplates]}
  matchConditions:
  - {name: one, expression: "request.name == 'brokenflow' && request.?dryRun.orValue(false) != true"}
  validations: [{expression: "false", message: "not now"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-templates}
spec: {policyName: no-templates, validationActions: [Deny]}
"#;

fn an_interrupted_deployment_leaves_the_old_version_and_is_completed_by_the_next() {
    let Some(world) = World::new(&flow("BrokenFlow")) else {
        return;
    };
    world.deploy();
    world.write("lock.yaml", LOCK);
    let lock = world.path().join("lock.yaml");
    world.kubectl(&["apply", "-f", lock.to_str().unwrap()]);
    // The API server takes a moment to know the policy; until then a deployment goes through.
    let refused = (0..100).find_map(|time| {
        // Labels change every object, so that those before the template are changed and those after it are not.
        world.profile(&format!("labels = {{ team = 'ml-{time}' }}"));
        let before = world.versions("brokenflow");
        let output = world.flowc("deploy", &[]);
        (output.code != Some(0)).then_some((before, output))
    });
    let unlock = || world.kubectl(&["delete", "-f", lock.to_str().unwrap()]);
    let Some((before, refused)) = refused else {
        unlock();
        panic!("the policy was never enforced");
    };
    let after = world.versions("brokenflow");
    unlock();
    assert!(refused.stderr.contains("not now"), "{refused:#?}");
    assert_eq!(
        after[3..],
        before[3..],
        "template and schedule are the old ones"
    );
    assert_ne!(
        after[..3],
        before[..3],
        "it was not interrupted in the middle"
    );
    // Nor does it forget the policy at once.
    assert!(
        (0..100).any(|_| world.flowc("deploy", &[]).code == Some(0)),
        "the next deployment was never let through"
    );
    let complete = world.versions("brokenflow");
    assert_eq!(complete[..3], after[..3]);
    assert_ne!(complete[3], after[3]);
}

fn what_is_missing_in_the_world_is_named() {
    let Some(world) = World::new(&flow("MissingFlow")) else {
        return;
    };
    let refused = |output: Output, code: &str, words: &[&str]| {
        assert_eq!(output.code, Some(2), "{output:#?}");
        for word in [&[code], words].concat() {
            assert!(output.stderr.contains(word), "{word}: {output:#?}");
        }
    };
    refused(
        world.flowc("trigger", &[]),
        "FC5006",
        &["deploy the flow first"],
    );
    let profile = std::fs::read_to_string(world.path().join("flowc.toml")).unwrap();
    let namespace = format!("namespace = \"{}\"", world.argo.namespace);
    world.write(
        "flowc.toml",
        &profile.replace(&namespace, "namespace = \"nowhere\""),
    );
    refused(
        world.flowc("deploy", &[]),
        "FC5006",
        &["the namespace nowhere", "kubectl create namespace"],
    );
    world.write(
        "flowc.toml",
        &profile.replacen(&namespace, &format!("{namespace}\ncontext = \"other\""), 1),
    );
    refused(
        world.flowc("deploy", &[]),
        "FC5004",
        &["the profile says context other"],
    );
}

fn a_missing_permission_is_named() {
    let Some(world) = World::new(&flow("DeniedFlow")) else {
        return;
    };
    world.kubectl(&["create", "serviceaccount", "nobody"]);
    let token = world.kubectl(&["create", "token", "nobody"]);
    let kubeconfig = world.path().join("kubeconfig");
    std::fs::copy(world.argo.bed.kubeconfig(), &kubeconfig).unwrap();
    let kubeconfig = kubeconfig.to_str().unwrap().to_owned();
    let set = |arguments: &[&str]| {
        let mut kubectl = vec!["--kubeconfig", &kubeconfig, "config"];
        kubectl.extend(arguments);
        world.argo.bed.kubectl(&kubectl);
    };
    set(&[
        "set-credentials",
        "nobody",
        &format!("--token={}", token.trim()),
    ]);
    set(&["set-context", "--current", "--user=nobody"]);
    let mut command = world.argo.bed.command(Path::new("env"));
    command
        .arg(format!("KUBECONFIG={kubeconfig}"))
        .arg(flowc_tests::flowc())
        .args(["deploy", "flow.py", "--target", "argo"])
        .current_dir(world.path());
    let denied = output(&mut command);
    assert_eq!(denied.code, Some(2), "{denied:#?}");
    for word in ["FC5003", "get serviceaccounts", "argo/flowc-deniedflow"] {
        assert!(denied.stderr.contains(word), "{word}: {denied:#?}");
    }
    assert_eq!(world.versions("deniedflow"), [""; 5]);
}
