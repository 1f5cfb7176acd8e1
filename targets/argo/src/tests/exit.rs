//! What runs when a Workflow has ended.

use flowc_target::testing::{linear, options, plan};
use serde_json::json;

use super::{spec, task, template};

#[test]
fn hooks_are_called_by_one_container_that_cannot_fail_the_run() {
    let own = "@kubernetes(image='own:1', gpu=1)\n    @step\n    def start";
    let flow = linear(2)
        .replace("class F(", "@exit_hook(on_error=['tell'])\nclass F(")
        .replacen("@step\n    def start", own, 1);
    let spec = spec(&plan(&flow), &options());
    assert_eq!(spec["onExit"], "Exit");
    let task = task(&spec, "Exit", "exit-hooks");
    assert_eq!(task["continueOn"], json!({"error": true, "failed": true}));
    let template = template(&spec, "0-exit-hooks");
    assert_eq!(template["activeDeadlineSeconds"], 3660);
    assert_eq!(template["retryStrategy"]["limit"], "3");
    let container = &template["container"];
    assert_eq!(container["command"], json!(["/flowc/flowc-shim", "hooks"]));
    assert!(container.get("args").is_none());
    assert_eq!(container["image"], "own:1");
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "500m", "memory": "1024Mi"}})
    );
    assert_eq!(
        container["env"],
        json!([{"name": "FLOWC_EXECUTION", "value": "{{workflow.uid}}"}])
    );
}

#[test]
fn a_flow_without_hooks_has_nothing_of_them() {
    let spec = spec(&plan(&linear(2)), &options());
    assert!(
        !spec.to_string().contains("onExit") && !spec.to_string().contains("hooks"),
        "{spec:#}"
    );
}
