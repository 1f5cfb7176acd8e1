//! What a bundle looks like, for small flows and for all.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use flowc_core::diag::{Code, Severity};
use flowc_core::ir::plan::Plan;
use flowc_target::profile::{Overlap, Setting};
use flowc_target::testing::{
    self, HOSTILE, NESTED, emit, linear, nested, options, plan, refusal, source,
};
use flowc_target::{Options, Target};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Argo;
use crate::emit::documents;

mod exit;
mod play;
mod pods;
mod sensor;
mod switches;

fn one_step(decorator: &str) -> Plan {
    plan(&source(&format!(
        "class F(FlowSpec):\n    {decorator}\n    @step\n    def start(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n"
    )))
}

/// The spec of the workflow template; panics if the target refuses.
fn spec(plan: &Plan, options: &Options) -> Value {
    let (files, found) = documents(plan, options);
    assert!(!found.has_errors(), "{found:?}");
    files[0].1[0]["spec"].clone()
}

fn template<'a>(spec: &'a Value, name: &str) -> &'a Value {
    let templates = spec["templates"].as_array().unwrap();
    templates
        .iter()
        .find(|template| template["name"] == name)
        .unwrap()
}

fn task<'a>(spec: &'a Value, graph: &str, name: &str) -> &'a Value {
    let tasks = template(spec, graph)["dag"]["tasks"].as_array().unwrap();
    tasks.iter().find(|task| task["name"] == name).unwrap()
}

fn codes(plan: &Plan, options: &Options) -> Vec<Code> {
    refusal(&Argo, plan, options)
        .iter()
        .map(|item| item.code)
        .collect()
}

#[test]
fn a_nested_foreach_is_a_loop_over_a_graph_with_a_loop() {
    let spec = spec(&plan(&source(NESTED)), &options());
    let outer = task(&spec, "Flow", "Foreach-start");
    assert_eq!(
        outer["withSequence"],
        json!({"count": "{{tasks.start.outputs.parameters.count}}"})
    );
    assert_eq!(
        outer["arguments"],
        json!({"parameters": [{"name": "p", "value": "{{item}}"}]})
    );
    let join = task(&spec, "Flow", "s-join");
    assert_eq!(
        join["depends"],
        "Foreach-start.Succeeded || Foreach-start.Skipped"
    );

    let inner = task(&spec, "Foreach-start", "inner");
    assert_eq!(
        inner["withSequence"]["count"],
        "{{tasks.outer.outputs.parameters.count}}"
    );
    assert_eq!(
        inner["arguments"]["parameters"][0]["value"],
        "{{inputs.parameters.p}}-{{item}}"
    );
    assert_eq!(
        task(&spec, "Foreach-start", "inner-join")["depends"],
        "inner.Succeeded || inner.Skipped"
    );

    let leaf = template(&spec, "inner");
    assert_eq!(leaf["inputs"], json!({"parameters": [{"name": "p"}]}));
    assert_eq!(leaf["activeDeadlineSeconds"], 65);
    assert_eq!(
        leaf["container"]["resources"]["requests"],
        json!({"cpu": "1500m", "memory": "100Mi"})
    );
    assert_eq!(
        leaf["container"]["env"][0]["value"],
        "{{inputs.parameters.p}}"
    );
    assert_eq!(
        template(&spec, "s-join")["container"]["args"],
        json!(["join"]),
        "the shim gets the step's own name"
    );

    let split = template(&spec, "outer");
    assert_eq!(
        split["outputs"]["parameters"][0]["valueFrom"],
        json!({"path": "/flowc/count", "default": "0"})
    );
    let retry = &split["retryStrategy"];
    assert_eq!(
        (&retry["limit"], &retry["backoff"]),
        (&json!("5"), &json!({"duration": "60"}))
    );
    assert!(retry["expression"].as_str().unwrap().contains("in [1,70,"));
    let other = &leaf["retryStrategy"];
    assert_eq!(other["limit"], "3");
    assert!(other["expression"].as_str().unwrap().contains("in [70,"));
}

#[test]
fn a_catch_has_a_start_that_takes_the_last_loss() {
    let body = NESTED.replace(
        "    @step\n    def inner_join",
        "    @catch(var='lost')\n    @step\n    def inner_join",
    );
    let spec = spec(&plan(&source(&body)), &options());
    let retry = &template(&spec, "inner-join")["retryStrategy"];
    assert_eq!(retry["limit"], "4");
    assert!(retry["expression"].as_str().unwrap().contains("in [1,70,"));
}

#[test]
fn only_the_start_step_sees_parameters() {
    let spec = spec(&plan(&source(NESTED)), &options());
    assert_eq!(
        spec["arguments"]["parameters"],
        json!([{"name": "flowc_run", "value": ""}, {"name": "alpha", "value": "0.5"}, {"name": "name"}])
    );
    let env = &template(&spec, "start")["container"]["env"];
    assert_eq!(
        env[0],
        json!({"name": "FLOWC_PARAMETER_alpha", "value": "{{=toBase64(workflow.parameters['alpha'])}}"})
    );
    for template in spec["templates"].as_array().unwrap() {
        if template["name"] != "start" {
            assert!(
                !template.to_string().contains("FLOWC_PARAMETER"),
                "{template}"
            );
        }
    }
}

#[test]
fn what_argo_cannot_do_is_refused() {
    assert_eq!(
        codes(&one_step("@batch(queue='q')"), &options()),
        [Code::FC0302]
    );
    // The longest, of which two bytes are quotes, and one that is longer.
    let with_default = |length: usize| {
        one_step(&format!(
            "p = Parameter('p', default='{}')",
            "x".repeat(length)
        ))
    };
    assert!(!documents(&with_default(95_998), &options()).1.has_errors());
    assert_eq!(codes(&with_default(95_999), &options()), [Code::FC0308]);
    let mut elsewhere = options();
    elsewhere.profile.store = "/folder".into();
    assert_eq!(codes(&one_step(""), &elsewhere), [Code::FC0304]);
}

#[test]
fn two_steps_never_share_a_name() {
    let body = "class F(FlowSpec):\n    @step\n    def start(self):\n        self.next(self.join)\n    @step\n    def join(self):\n        self.next(self.s_join)\n    @step\n    def s_join(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n";
    assert_eq!(codes(&plan(&source(body)), &options()), [Code::FC0306]);
}

#[test]
fn runs_of_a_schedule_overlap_unless_the_profile_says_not_to() {
    let body =
        format!("@schedule(daily=True)\n{NESTED}").replace("required=True, ", "default='x', ");
    let plan = plan(&source(&body));
    let mut options = options();
    let policy = |options: &Options| {
        let (files, found) = documents(&plan, options);
        assert!(!found.has_errors(), "{found:?}");
        files[1].1[0]["spec"]["concurrencyPolicy"].clone()
    };
    // Argo lets them overlap by default.
    assert_eq!(policy(&options), Value::Null);
    options.profile.overlap = Overlap::Skip;
    assert_eq!(policy(&options), "Forbid");
}

#[test]
fn a_schedule_is_a_cron_workflow() {
    let body = "@schedule(cron='0 6 * * MON-FRI', timezone='Europe/Berlin')\n@project(name='shop', production=True)\nclass F(FlowSpec):\n    @step\n    def start(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n";
    let (files, _) = documents(&plan(&source(body)), &options());
    let paths: Vec<_> = files.iter().map(|(path, _)| *path).collect();
    assert_eq!(
        paths,
        ["workflow-template.yaml", "cron-workflow.yaml", "rbac.yaml"]
    );
    let cron = &files[1].1[0];
    assert_eq!(cron["metadata"]["name"], "shop.prod.f");
    assert_eq!(cron["spec"]["schedules"], json!(["0 6 * * 1-5"]));
    assert_eq!(cron["spec"]["timezone"], "Europe/Berlin");
    assert_eq!(
        cron["spec"]["workflowSpec"]["workflowTemplateRef"]["name"],
        files[0].1[0]["metadata"]["name"]
    );
}

#[test]
fn the_profile_reaches_the_manifest() {
    let mut options = options();
    let profile = &mut options.profile;
    profile.labels.insert("team".to_owned(), "ml".into());
    profile.env.insert("A".to_owned(), "$(B) $$".into());
    profile.argo.namespace = "ml".into();
    profile.argo.service_account = Some("runner".into());
    profile.argo.image = Some("img:2".into());
    profile.argo.image_pull_secrets = vec!["pull".into()];
    profile.argo.secrets = vec!["keys".into()];
    profile
        .argo
        .node_selector
        .insert("pool".to_owned(), "big".into());
    profile.argo.parallelism = Some(7);
    let (files, _) = documents(&one_step(""), &options);
    assert_eq!(files.len(), 1, "no account of its own");
    let object = &files[0].1[0];
    assert_eq!(
        (
            &object["metadata"]["namespace"],
            &object["metadata"]["labels"]["team"]
        ),
        (&json!("ml"), &json!("ml"))
    );
    let spec = &object["spec"];
    assert_eq!(spec["serviceAccountName"], "runner");
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(spec["nodeSelector"], json!({"pool": "big"}));
    assert_eq!(spec["parallelism"], 7);
    assert_eq!(spec["podMetadata"]["labels"]["team"], "ml");
    let container = &spec["templateDefaults"]["container"];
    assert_eq!(container["image"], "img:2");
    assert_eq!(
        container["envFrom"],
        json!([{"secretRef": {"name": "keys"}}])
    );
    let env = container["env"].as_array().unwrap();
    assert_eq!(
        env.last().unwrap(),
        &json!({"name": "A", "value": "$$(B) $$$$"})
    );
}

#[test]
fn containers_of_restricted_namespaces_run_as_a_user() {
    let mut options = options();
    options.profile.run_as_user = Some(1000);
    let (files, _) = documents(&one_step(""), &options);
    let defaults = &files[0].1[0]["spec"]["templateDefaults"];
    for container in [&defaults["container"], &defaults["initContainers"][0]] {
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            "runAsNonRoot": true,
            "runAsUser": 1000,
        });
        assert_eq!(container["securityContext"], expected);
    }
}

#[test]
fn a_step_costs_at_most_600_bytes() {
    let size = |count| -> usize {
        let files = emit(&Argo, &plan(&linear(count)), &options());
        files.iter().map(|file| file.text.len()).sum()
    };
    let per_step = (size(150) - size(50)) / 100;
    assert!(per_step <= 600, "{per_step} bytes");
}

#[test]
fn a_template_over_the_limit_is_refused() {
    assert_eq!(codes(&plan(&linear(4000)), &options()), [Code::FC2001]);
    let (files, found) = Argo.emit(&plan(&linear(1500)), &options());
    assert!(files.is_some());
    let severities: Vec<_> = found
        .iter()
        .map(|item| (item.code, item.severity))
        .collect();
    assert_eq!(severities, [(Code::FC2001, Severity::Warning)]);
}

/// The keys and lengths of a value, without its texts.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), shape(member)))
            .collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Null,
    }
}

/// Every text of a value.
fn texts<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => members.values().for_each(|member| texts(member, into)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::String(text) => into.push(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The templates in a text: what Argo would replace.
fn tags(value: &Value) -> BTreeSet<String> {
    let mut all = Vec::new();
    texts(value, &mut all);
    let tag = |text: &str| text.contains("{{").then(|| text.to_owned());
    all.into_iter().filter_map(tag).collect()
}

#[test]
fn values_never_change_the_shape() {
    let compiled = |text: &str| {
        let literal = serde_json::to_string(text)
            .unwrap()
            .replace("\\u0000", "\\x00");
        let env = if text.contains('\0') { "'x'" } else { &literal };
        let body = format!(
            "class F(FlowSpec):\n    {literal}\n    p = Parameter('p', default={literal}, help={literal})\n    q = Parameter('q', type=JSONType, default={})\n    c = {literal}\n    @environment(vars={{'A': {env}}})\n    @step\n    def start(self):\n        {literal}\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n",
            serde_json::to_string(&json!({"k": [text]}).to_string()).unwrap(),
        );
        let mut options = options();
        options
            .profile
            .env
            .insert("A".to_owned(), Setting::given(text.to_owned()));
        let plan = plan(&source(&body));
        let (files, found) = documents(&plan, &options);
        if found.has_errors() {
            // Only the profile's variable is in the way, and it says so.
            let codes: Vec<_> = found.iter().map(|item| item.code).collect();
            assert_eq!(codes, [Code::FC0308], "{text:?}");
            assert!(text.contains("{{") || text.contains('\0'), "{text:?}");
            options.profile.env.insert("A".to_owned(), "x".into());
            return documents(&plan, &options).0;
        }
        files
    };
    let plain = compiled("x");
    for text in HOSTILE {
        let files = compiled(text);
        for ((_, documents), (_, others)) in files.iter().zip(&plain) {
            for (document, other) in documents.iter().zip(others) {
                assert_eq!(shape(document), shape(other), "{text:?}");
                assert_eq!(tags(document), tags(other), "{text:?}");
            }
        }
        let parameters = &files[0].1[0]["spec"]["arguments"]["parameters"];
        let value = |place: usize| {
            serde_json::from_str::<Value>(parameters[place]["value"].as_str().unwrap()).unwrap()
        };
        assert_eq!(value(1), **text);
        let inner: Value = serde_json::from_str(value(2).as_str().unwrap()).unwrap();
        assert_eq!(inner, json!({"k": [text]}));
    }
}

/// The tasks of a graph by name.
fn tasks(template: &Value) -> BTreeMap<String, &Value> {
    let tasks = template["dag"]["tasks"].as_array().unwrap();
    tasks
        .iter()
        .map(|task| (task["name"].as_str().unwrap().to_owned(), task))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_edge_of_every_flow_is_there(chain in testing::chain()) {
        let plan = plan(&nested(&chain));
        prop_assert_eq!(emit(&Argo, &plan, &options()), emit(&Argo, &plan, &options()));
        let spec = spec(&plan, &options());
        let mut names = BTreeSet::new();
        let mut graph_of = BTreeMap::new();
        for template in spec["templates"].as_array().unwrap() {
            prop_assert!(names.insert(template["name"].as_str().unwrap()), "{} twice", template["name"]);
            if template.get("dag").is_some() {
                for (name, task) in tasks(template) {
                    graph_of.insert(task["template"].as_str().unwrap().to_owned(), (template["name"].as_str().unwrap().to_owned(), name));
                }
            }
        }
        prop_assert_eq!(graph_of.len() + 1, names.len(), "every template but the first is used once");
        for (_, step) in plan.steps.iter() {
            let name = step.name.replace('_', "-");
            let (graph, task) = &graph_of[&name];
            let depends = tasks(template(&spec, graph))[task]["depends"].as_str().unwrap_or_default().to_owned();
            // What a step waits for is its parents, or the loop that holds them, or nothing where it begins a loop's body.
            for parent in &step.parents {
                let parent = &plan.steps[*parent];
                let parent_name = parent.name.replace('_', "-");
                let waits_for = |name: &str| depends.split(' ').any(|word| word == format!("{name}.Succeeded"));
                match parent.foreach.len().cmp(&step.foreach.len()) {
                    Ordering::Greater => {
                        let split = parent.foreach.last().unwrap();
                        let split = plan.steps[*split].name.replace('_', "-");
                        let looped = waits_for(&format!("Foreach-{split}")) || waits_for(&parent_name);
                        prop_assert!(looped && depends.contains(".Skipped"), "{} {}", name, depends);
                    }
                    Ordering::Less => prop_assert!(depends.is_empty() || waits_for(&parent_name), "{} {}", name, depends),
                    Ordering::Equal => prop_assert!(waits_for(&parent_name), "{} {}", name, depends),
                }
            }
        }
    }
}
