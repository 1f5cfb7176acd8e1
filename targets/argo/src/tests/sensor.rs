//! `sensor.yaml`: what is waited for, and how it becomes a run's parameters.

use flowc_core::diag::Code;
use flowc_target::Options;
use flowc_target::testing::{linear, options, plan, source};
use serde_json::{Value, json};

use super::codes;
use crate::emit::documents;

fn triggered(decorators: &str) -> String {
    linear(2).replace("class F(", &format!("{decorators}\nclass F("))
}

/// The objects of a file of the bundle.
fn objects(decorators: &str, options: &Options, file: &str) -> Vec<Value> {
    let (files, found) = documents(&plan(&triggered(decorators)), options);
    assert!(!found.has_errors(), "{found:?}");
    let file = files.into_iter().find(|(path, _)| *path == file);
    file.map_or_else(Vec::new, |(_, objects)| objects)
}

fn sensor(decorators: &str) -> Value {
    let objects = objects(decorators, &options(), "sensor.yaml");
    objects.into_iter().next_back().unwrap()
}

#[test]
fn an_event_is_told_by_its_name_and_creates_a_run_of_the_template() {
    let sensor = sensor("@trigger(event='data.new')");
    assert_eq!(sensor["kind"], "Sensor");
    assert_eq!(sensor["metadata"]["name"], "f");
    let spec = &sensor["spec"];
    assert_eq!(spec["eventBusName"], "default");
    assert_eq!(spec["template"]["serviceAccountName"], "flowc-f-events");
    assert_eq!(
        spec["dependencies"],
        json!([{
            "name": "t0",
            "eventSourceName": "argo-events-webhook",
            "eventName": "metaflow-event",
            "filters": {"data": [{
                "path": "body.payload.name",
                "type": "string",
                "comparator": "=",
                "value": ["^data\\.new$"],
            }]},
        }])
    );
    let template = &spec["triggers"][0]["template"];
    assert_eq!(template.get("conditions"), None);
    assert_eq!(
        template["k8s"]["source"]["resource"]["spec"],
        json!({
            "arguments": {"parameters": [{"name": "flowc_trigger_0", "value": ""}]},
            "workflowTemplateRef": {"name": "f"},
        })
    );
    let [parameter] = template["k8s"]["parameters"].as_array().unwrap().as_slice() else {
        panic!("{template}");
    };
    assert_eq!(parameter["dest"], "spec.arguments.parameters.0.value");
    assert_eq!(parameter["src"]["dataKey"], "body.payload");
}

#[test]
fn what_started_the_run_reaches_the_start_step_as_base64_and_no_other_step() {
    let templates = objects(
        "@trigger(events=['a', 'b'])",
        &options(),
        "workflow-template.yaml",
    );
    let spec = &templates[0]["spec"];
    assert_eq!(
        spec["arguments"]["parameters"],
        json!([
            {"name": "flowc_run", "value": ""},
            {"name": "flowc_trigger_0", "value": ""},
            {"name": "flowc_trigger_1", "value": ""},
        ])
    );
    let variables = |step: &str| super::template(spec, step)["container"]["env"].clone();
    assert_eq!(
        variables("start"),
        json!([
            {"name": "FLOWC_TRIGGER_0", "value": "{{=toBase64(workflow.parameters['flowc_trigger_0'])}}"},
            {"name": "FLOWC_TRIGGER_1", "value": "{{=toBase64(workflow.parameters['flowc_trigger_1'])}}"},
        ])
    );
    assert_eq!(variables("end"), Value::Null);
}

#[test]
fn all_of_several_must_come_until_they_are_forgotten() {
    let reset = "options={'reset_at': {'cron': '0 6 * * *', 'timezone': 'Europe/Berlin'}}";
    let sensor = sensor(&format!("@trigger(events=['a', 'b'], {reset})"));
    let template = &sensor["spec"]["triggers"][0]["template"];
    assert_eq!(template["conditions"], "t0 && t1");
    assert_eq!(
        template["conditionsReset"],
        json!([{"byTime": {"cron": "0 6 * * *", "timezone": "Europe/Berlin"}}])
    );
    let names: Vec<_> = sensor["spec"]["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dependency| &dependency["filters"]["data"][0]["value"][0])
        .collect();
    assert_eq!(names, ["^a$", "^b$"]);
}

#[test]
fn runs_that_end_are_seen_by_an_event_source_of_our_own() {
    let labels = |decorators: &str| {
        let objects = objects(decorators, &options(), "sensor.yaml");
        let [source, sensor] = objects.as_slice() else {
            panic!("{objects:?}");
        };
        assert_eq!(source["kind"], "EventSource");
        // Names of what argo-events makes of them have no dots.
        let name = source["metadata"]["name"].as_str().unwrap();
        assert!(!name.contains('.'), "{name}");
        assert_eq!(sensor["metadata"]["name"], name);
        let dependency = &sensor["spec"]["dependencies"][0];
        assert_eq!(dependency["eventSourceName"], name);
        assert_eq!(dependency["eventName"], "t0");
        let filter = &dependency["filters"]["data"][0];
        assert_eq!(filter["path"], "oldBody.status.phase");
        assert_eq!(filter["comparator"], "!=");
        let watched = &source["spec"]["resource"]["t0"];
        assert_eq!(watched["resource"], "workflows");
        assert_eq!(watched["eventTypes"], json!(["UPDATE"]));
        assert_eq!(
            watched["filter"]["fields"],
            json!([{"key": "status.phase", "operation": "==", "value": "^Succeeded$"}])
        );
        let labels = watched["filter"]["labels"].as_array().unwrap().iter();
        let text = |label: &Value, key: &str| label[key].as_str().unwrap().to_owned();
        let told = |label: &Value| {
            format!(
                "{} {} {}",
                text(label, "key"),
                text(label, "operation"),
                text(label, "value")
            )
        };
        labels.map(told).collect::<Vec<_>>()
    };
    assert_eq!(
        labels("@trigger_on_finish(flow='Other')"),
        [
            "flowc.dev/flow == Other",
            "flowc.dev/project ! ",
            "flowc.dev/branch ! "
        ]
    );
    let project = "@project(name='shop', branch='next')\n";
    assert_eq!(
        labels(&format!("{project}@trigger_on_finish(flow='Other')")),
        [
            "flowc.dev/flow == Other",
            "flowc.dev/project == shop",
            "flowc.dev/branch == test.next"
        ]
    );
    assert_eq!(
        labels("@trigger_on_finish(flow='shop.prod.Other')"),
        [
            "flowc.dev/flow == Other",
            "flowc.dev/project == shop",
            "flowc.dev/branch == prod"
        ]
    );
}

#[test]
fn who_starts_runs_may_do_that_and_look_where_runs_are_waited_for() {
    for (decorator, verbs) in [
        ("@trigger(event='e')", json!(["create"])),
        (
            "@trigger_on_finish(flow='Other')",
            json!(["create", "list", "watch"]),
        ),
    ] {
        let mut options = options();
        let accounts = objects(decorator, &options, "rbac.yaml");
        assert_eq!(accounts.len(), 6);
        assert_eq!(accounts[3]["metadata"]["name"], "flowc-f-events");
        assert_eq!(
            accounts[4]["rules"],
            json!([{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": verbs}])
        );
        // What the profile names is not described.
        options.profile.argo.event_service_account = Some("starter".into());
        assert_eq!(objects(decorator, &options, "rbac.yaml").len(), 3);
        let files = objects(decorator, &options, "sensor.yaml");
        for object in &files {
            let account = &object["spec"]["template"]["serviceAccountName"];
            assert_eq!(account, "starter");
        }
    }
}

#[test]
fn the_profile_names_bus_source_and_event() {
    let mut options = options();
    options.profile.argo.event_bus = "team".into();
    options.profile.argo.event_source = "hooks".into();
    options.profile.argo.event_name = "all".into();
    let sensor = &objects("@trigger(event='e')", &options, "sensor.yaml")[0]["spec"];
    assert_eq!(sensor["eventBusName"], "team");
    assert_eq!(sensor["dependencies"][0]["eventSourceName"], "hooks");
    assert_eq!(sensor["dependencies"][0]["eventName"], "all");
}

#[test]
fn parameters_that_are_ours_are_refused() {
    let text = source(
        "class F(FlowSpec):\n    flowc_trigger_0 = Parameter('flowc_trigger_0', default=1)\n    @step\n    def start(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n",
    );
    assert_eq!(codes(&plan(&text), &options()), [Code::FC0308]);
}

#[test]
fn flows_without_triggers_have_no_sensor() {
    assert!(objects("", &options(), "sensor.yaml").is_empty());
    assert_eq!(objects("", &options(), "rbac.yaml").len(), 3);
}
