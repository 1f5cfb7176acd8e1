//! The states that call exit hooks.

use flowc_target::testing::{emit, linear, options, plan};
use serde_json::{Value, json};

use super::{json_of, machine};
use crate::StepFunctions;

fn hooked(decorator: &str) -> (Value, Value) {
    let own = "@batch(image='own:1', gpu=1)\n    @step\n    def start";
    let flow = linear(2)
        .replace("class F(", &format!("{decorator}\nclass F("))
        .replacen("@step\n    def start", own, 1);
    let files = emit(&StepFunctions, &plan(&flow), &options());
    (machine(&files), json_of(&files, "job-definitions.json"))
}

#[test]
fn a_failed_run_calls_its_hooks_and_fails() {
    let (machine, definitions) = hooked("@exit_hook(on_error=['tell'])");
    let states = &machine["States"];
    let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "flowc-on-error"}]);
    for name in ["flowc-input", "start", "end"] {
        assert_eq!(states[name]["Catch"], catch, "{name}");
    }
    assert_eq!(states["end"]["End"], true);
    let job = &states["flowc-on-error"];
    assert_eq!(job["Next"], "flowc-failed");
    assert_eq!(job["Catch"][0]["Next"], "flowc-failed");
    assert_eq!(job["Output"], "{% $states.input %}");
    assert_eq!(job["Catch"][0]["Output"], "{% $states.input %}");
    assert_eq!(states["flowc-failed"]["Type"], "Fail");
    assert!(states.get("flowc-on-success").is_none());

    let definition = definitions.as_array().unwrap().last().unwrap();
    let container = &definition["containerProperties"];
    assert_eq!(container["command"], json!(["/flowc-shim", "hooks"]));
    assert_eq!(container["image"], "own:1");
    assert_eq!(
        container["resourceRequirements"],
        json!([{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1024"}])
    );
    assert_eq!(definition["timeout"]["attemptDurationSeconds"], 3660);
    let name = &definition["jobDefinitionName"];
    assert_eq!(&job["Arguments"]["JobDefinition"], name);
}

#[test]
fn a_run_that_ended_well_calls_its_hooks_and_succeeds() {
    let (machine, _) = hooked("@exit_hook(on_success=['tell'])");
    let states = &machine["States"];
    assert_eq!(states["end"]["Next"], "flowc-on-success");
    assert!(states["end"].get("Catch").is_none());
    let job = &states["flowc-on-success"];
    assert_eq!((&job["End"], &job["Output"]), (&json!(true), &json!({})));
    assert_eq!(job["Catch"][0]["Next"], "flowc-done");
    assert_eq!(job["Catch"][0]["Output"], json!({}));
    assert_eq!(states["flowc-done"]["Type"], "Succeed");
    let variables = &job["Arguments"]["ContainerOverrides"]["Environment"];
    let run = variables[0]["Value"].as_str().unwrap();
    assert!(run.starts_with("{% 'id:' & ($n := "), "{run}");
    assert!(states.get("flowc-on-error").is_none());
}

#[test]
fn a_flow_without_hooks_has_nothing_of_them() {
    let (machine, _) = hooked("");
    let text = machine.to_string();
    assert!(!text.contains("Catch") && !text.contains("hooks"), "{text}");
}
