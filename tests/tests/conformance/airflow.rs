//! Real Airflow 3 and 2.11 import the DAG files, and ruff finds them formatted and free of what Airflow 3 removed.

use std::collections::BTreeSet;
use std::process::Command;

use flowc_airflow::Airflow;
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{Plan, PlanStep, StepId, StepKind};
use flowc_tests::{repo_root, temp_dir};
use serde_json::{Value, json};

use super::{Written, bundles, feed, json, tool};

#[test]
fn airflow_3_reads_the_dags() {
    read_by("airflow3", "3.3.2");
}

#[test]
fn airflow_2_reads_the_dags() {
    read_by("airflow2", "2.11.2");
}

/// Airflow, in one process for all files: its import takes seconds.
#[track_caller]
fn read_by(name: &str, version: &str) {
    let folder = temp_dir();
    let files = bundles(&Airflow, folder.path());
    let mut command = Command::new(tool(name));
    command
        .arg(repo_root().join("tests/beds/airflow/read_dags.py"))
        .args(files.iter().map(|file| &file.path));
    let read = json(feed(&mut command, ""));
    assert_eq!(read["airflow"], version);
    for file in &files {
        let path = file.path.display().to_string();
        let read = &read["files"][&path];
        assert_eq!(read["errors"], json!({}), "{path}");
        let [dag] = &read["dags"].as_array().unwrap()[..] else {
            panic!("{path}: not one DAG");
        };
        check_round_trip(&path, dag);
        if let Some(plan) = &file.plan {
            check_graph(&path, dag, plan);
            check_facts(&path, dag, plan);
            check_pods(&path, dag, plan);
        }
    }
}

/// The serialised form, which is all that the scheduler reads, has the same edges.
#[track_caller]
fn check_round_trip(path: &str, dag: &Value) {
    assert_eq!(dag["stable"], true, "{path}");
    let tasks = dag["tasks"].as_object().unwrap();
    for (name, task) in tasks {
        let decoded = &dag["decoded"][name];
        assert_eq!(decoded["downstream"], task["downstream"], "{path}: {name}");
        assert_eq!(decoded["mapped"], task["mapped"], "{path}: {name}");
        let fields = if name == "flowc-ended" {
            json!([])
        } else if name.ends_with("-paths") {
            json!(["outer_paths"])
        } else if has_blocks(path) && tasks.keys().any(|name| name.ends_with("-paths")) {
            json!(["index", "block"])
        } else {
            json!(["index"])
        };
        assert_eq!(task["template_fields"], fields, "{path}: {name}");
    }
}

/// Whether the profile lets a foreach have several blocks of tasks.
fn has_blocks(path: &str) -> bool {
    path.contains("-full/")
}

/// Every edge of the flow is there, and no other but those by which Airflow hands out the indices.
#[track_caller]
fn check_graph(path: &str, dag: &Value, plan: &Plan) {
    let name = |id: &StepId| plan.steps[*id].name.clone();
    let mut tasks = dag["tasks"].as_object().unwrap().clone();
    let hooks = ["flowc-exit-hooks", "flowc-ended"];
    let hooked = hooks.map(|hook| tasks.remove(hook).is_some());
    assert_eq!(hooked, [!plan.exit_hooks.is_empty(); 2], "{path}");
    let downstream = |task: &str| -> BTreeSet<String> {
        let names = tasks[task]["downstream"].as_array().unwrap();
        let mut names: BTreeSet<String> = names
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        // The hooks are behind every task, what tells the run's end behind the last.
        let is_end = task == plan.steps[plan.end].name;
        let found = hooks.map(|hook| names.remove(hook));
        assert_eq!(found, [hooked[0], hooked[1] && is_end], "{path}: {task}");
        names
    };
    // An inner foreach has one more task, which lists the index paths; so may one that a switch passes by.
    let inner = |step: &PlanStep| {
        let list = tasks.contains_key(&format!("{}-paths", step.name));
        let foreach = matches!(step.kind, StepKind::Foreach { .. });
        let shown = &step.name;
        assert!(
            list || !foreach || step.foreach.is_empty(),
            "{path}: {shown}"
        );
        assert!(!list || foreach, "{path}: {shown}");
        let may_list = !step.foreach.is_empty() || step.is_conditional || has_blocks(path);
        assert!(!list || may_list, "{path}: {shown}");
        list
    };
    let lists = plan.steps.iter().filter(|(_, step)| inner(step));
    assert_eq!(tasks.len(), plan.steps.len() + lists.count(), "{path}");
    let indexed_by = |split: StepId| {
        let steps = plan.steps.iter();
        let direct = steps.filter(move |(_, step)| step.foreach.last() == Some(&split));
        direct.flat_map(|(_, step)| {
            let list = inner(step).then(|| format!("{}-paths", step.name));
            [Some(step.name.clone()), list].into_iter().flatten()
        })
    };
    for (id, step) in plan.steps.iter() {
        let task = &tasks[&step.name];
        let mut expect: BTreeSet<String> = BTreeSet::new();
        if inner(step) {
            let list = format!("{}-paths", step.name);
            let below: BTreeSet<String> = indexed_by(id).collect();
            assert_eq!(downstream(&list), below, "{path}: {list}");
            assert_eq!(
                tasks[&list]["trigger_rule"], "none_failed",
                "{path}: {list}"
            );
            expect.insert(list);
        } else {
            expect.extend(step.next.iter().map(name));
            expect.extend(indexed_by(id));
        }
        assert_eq!(downstream(&step.name), expect, "{path}: {}", step.name);

        let in_foreach = !step.foreach.is_empty();
        let mapped = task["mapped"] == true || task["group_mapped"] == true;
        assert_eq!(mapped, in_foreach, "{path}: {}", step.name);
        let closes_foreach = matches!(step.kind, StepKind::Join { split }
            if matches!(plan.steps[split].kind, StepKind::Foreach { .. }));
        // One of several parents may be skipped though the step is not.
        let parents = || step.parents.iter().map(|parent| &plan.steps[*parent]);
        let merges =
            step.parents.len() > 1 && parents().any(|it| it.is_switch() || it.is_conditional);
        // Behind an inner foreach, where the other branch may have a task without an element.
        let waits_for_blocks = has_blocks(path)
            && step.parents.len() > 1
            && !step.foreach.is_empty()
            && task["trigger_rule"] == "none_failed";
        let rule = if closes_foreach || merges || waits_for_blocks {
            "none_failed"
        } else {
            "all_success"
        };
        assert_eq!(task["trigger_rule"], rule, "{path}: {}", step.name);
        let own = step.retry.times + u32::from(step.catch.is_some());
        assert_eq!(task["retries"], own + 3, "{path}: {}", step.name);
        if step.retry.times > 0 {
            assert_eq!(
                task["retry_delay_s"],
                f64::from(step.retry.delay_s),
                "{path}: {}",
                step.name
            );
        }
        let limited = task["execution_timeout_s"].as_f64();
        assert_eq!(
            limited.is_some(),
            step.timeout_s.is_some() && !step.repeats(),
            "{path}: {}",
            step.name
        );
        if let (Some(limit), Some(timeout)) = (limited, step.timeout_s) {
            assert!(limit >= f64::from(timeout + 60), "{path}: {}", step.name);
        }
    }
}

/// Texts and values arrive as they were written.
#[track_caller]
fn check_facts(path: &str, dag: &Value, plan: &Plan) {
    let project = plan.project.as_ref();
    let dag_id = project.map_or(plan.flow.clone(), |project| project.flow_name(&plan.flow));
    assert_eq!(dag["dag_id"], dag_id, "{path}");
    assert_eq!(dag["catchup"], false, "{path}");
    // The author's text, then the file's version.
    let doc = dag["doc_md"].as_str().unwrap_or_default();
    let (written, version) = doc.rsplit_once("flowc version `").unwrap_or_default();
    let doc = plan.doc.as_ref().map(|doc| format!("{doc}\n\n"));
    assert_eq!(written, doc.unwrap_or_default(), "{path}");
    assert_eq!(version.len(), "0123456789ab`\n".len(), "{path}");
    match &plan.schedule {
        Some(schedule) => {
            let timetable = dag["timetable"].to_string();
            assert!(
                timetable.contains("CronTriggerTimetable"),
                "{path}: {timetable}"
            );
            assert!(timetable.contains(&schedule.cron), "{path}: {timetable}");
            let zone = schedule.timezone.as_deref().unwrap_or("UTC");
            assert!(timetable.contains(zone), "{path}: {timetable}");
        }
        None => assert!(!dag["timetable"].to_string().contains("Cron"), "{path}"),
    }
    let params = dag["params"].as_object().unwrap();
    assert_eq!(params.len(), plan.parameters.len() + 1, "{path}");
    assert_eq!(params["flowc_run"]["default"], "", "{path}");
    for parameter in &plan.parameters {
        let param = &params[&parameter.name];
        let shown = format!("{path}: {}", parameter.name);
        match &parameter.default {
            Some(default) => {
                let default = plain(default);
                assert_eq!(param["default"], default, "{shown}");
            }
            None if parameter.required => assert_eq!(param.get("default"), None, "{shown}"),
            None => assert_eq!(param["default"], Value::Null, "{shown}"),
        }
        assert_eq!(param["description"], json!(parameter.help), "{shown}");
    }
}

/// Airflow makes the pods that the steps ask for.
#[track_caller]
fn check_pods(path: &str, dag: &Value, plan: &Plan) {
    for (_, step) in plan.steps.iter() {
        let pod = &dag["tasks"][&step.name]["pod"];
        // Of a step of a mapped task group Airflow knows no index before a run.
        assert!(pod.is_object() || !step.foreach.is_empty(), "{path}");
        if pod.is_object() {
            let requests = &pod["spec"]["containers"][0]["resources"]["requests"];
            let memory = format!("{}Mi", step.resources.memory_mib);
            assert_eq!(requests["memory"], memory, "{path}: {}", step.name);
        }
    }
    if plan.flow == "PodsFlow" {
        check_guaranteed(&dag["tasks"]["start"]["pod"]["spec"]);
    }
    if plan.flow == "PodsInFullFlow" {
        check_full_pods(path, dag);
    }
}

/// Kubernetes guarantees a pod what its containers request if each of them has limits as high, also the one that installs the shim.
#[track_caller]
fn check_guaranteed(spec: &Value) {
    for kind in ["containers", "initContainers"] {
        let resources = &spec[kind][0]["resources"];
        assert_eq!(resources["limits"], resources["requests"], "{kind}");
        assert_eq!(resources["limits"], json!({"cpu": "1", "memory": "4096Mi"}));
    }
}

#[track_caller]
fn check_full_pods(path: &str, dag: &Value) {
    let spec = &dag["tasks"]["start"]["pod"]["spec"];
    let container = &spec["containers"][0];
    let env = container["env"].as_array().unwrap();
    let variable = |name: &str| {
        let found = env.iter().find(|variable| variable["name"] == name);
        found.unwrap()["value"].clone()
    };
    assert_eq!(variable("FLOWC_PYTHON"), "/opt/python/bin/python3");
    assert_eq!(variable("METAFLOW_TEMPDIR"), "/scratch");
    let selected = &spec["nodeSelector"]["outerbounds.co/compute-pool"];
    assert_eq!(*selected, "gpus", "{path}");
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(container["ports"], json!([{"containerPort": 8080}]));
    assert_eq!(
        container["resources"]["limits"],
        json!({"example.com/fpga": "1"})
    );
    assert_eq!(
        spec["tolerations"],
        json!([{"key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}])
    );
    assert_eq!(
        spec["volumes"],
        json!([
            {"name": "flowc", "emptyDir": {}},
            {"name": "tmpfs", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "claim-0", "persistentVolumeClaim": {"claimName": "corpus"}},
            {"name": "claim-1", "persistentVolumeClaim": {"claimName": "models"}},
        ])
    );
    assert_eq!(
        container["volumeMounts"],
        json!([
            {"name": "flowc", "mountPath": "/flowc"},
            {"name": "tmpfs", "mountPath": "/scratch"},
            {"name": "claim-0", "mountPath": "/corpus"},
            {"name": "claim-1", "mountPath": "/var/models"},
        ])
    );
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            "runAsNonRoot": true,
            "runAsUser": 1001,
            "runAsGroup": 1001,
        })
    );
    let end = &dag["tasks"]["end"]["pod"]["spec"]["containers"][0]["securityContext"];
    assert_eq!(end["privileged"], true, "{path}");
}

/// The literal as JSON.
fn plain(literal: &Literal) -> Value {
    match literal {
        Literal::None => Value::Null,
        Literal::Bool(value) => json!(value),
        Literal::Int(value) => json!(value),
        Literal::Float(value) => json!(value),
        Literal::Str(value) => json!(value),
        Literal::List(items) => items.iter().map(plain).collect(),
        Literal::Dict(entries) => entries
            .iter()
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
    }
}

#[test]
fn ruff_finds_nothing() {
    let folder = temp_dir();
    let files = bundles(&Airflow, folder.path());
    let paths = || files.iter().map(|file: &Written| &file.path);
    let python = tool("lint");
    let ruff = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(["-m", "ruff"]).args(arguments).args(paths());
        feed(&mut command, "")
    };
    // AIR: what Airflow 3 removed or moved; F: undefined and unused names; E9: what does not parse.
    let (well, text) = ruff(&[
        "check",
        "--isolated",
        "--preview",
        "--no-cache",
        "--select",
        "AIR,F,E9",
    ]);
    assert!(well, "{text}");
    let (well, text) = ruff(&[
        "format",
        "--isolated",
        "--no-cache",
        "--line-length",
        "100",
        "--diff",
    ]);
    assert!(well, "{text}");
}

/// Python itself compiles the files, also in the way an interpreter without Airflow would.
#[test]
fn python_compiles_the_files() {
    let folder = temp_dir();
    let files = bundles(&Airflow, folder.path());
    let mut command = Command::new(tool("lint"));
    command
        .args(["-W", "error", "-c"])
        .arg("import sys\nfor path in sys.argv[1:]: compile(open(path, encoding='utf-8').read(), path, 'exec')")
        .args(files.iter().map(|file| &file.path));
    let (well, text) = feed(&mut command, "");
    assert!(well, "{text}");
}
