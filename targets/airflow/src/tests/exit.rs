//! The task that calls exit hooks.

use flowc_target::profile::Overlap;
use flowc_target::testing::{linear, options};

use super::emit_with;

fn hooked(decorators: &str) -> String {
    linear(2).replace("class F(", &format!("{decorators}\nclass F("))
}

#[test]
fn a_teardown_behind_all_tasks_calls_the_hooks() {
    let own = "@kubernetes(image='own:1', gpu=1)\n    @step\n    def start";
    let flow = hooked("@exit_hook(on_error=['tell'])").replacen("@step\n    def start", own, 1);
    let text = emit_with(&flow, &options()).0.unwrap();
    let (_, last) = text.split_once("    _exit_hooks = ").unwrap();
    assert_eq!(
        last,
        r#"Step(
        task_id="flowc-exit-hooks",
        cmds=["/flowc/flowc-shim", "hooks"],
        requests={"cpu": "500m", "memory": "1024Mi"},
        image="own:1",
        execution_timeout=timedelta(minutes=70),
    ).as_teardown()
    _exit_hooks.set_upstream([task for task in dag.tasks if task is not _exit_hooks])
    _ended = Ended(task_id="flowc-ended").as_teardown(on_failure_fail_dagrun=True)
    end >> _ended
"#
    );
    assert!(
        text.contains("\"FLOWC_EXECUTION\": f\"{context['run_id']} {context['ti'].max_tries}\",")
    );
}

#[test]
fn a_run_that_gives_way_skips_its_hooks() {
    let mut options = options();
    options.profile.overlap = Overlap::Skip;
    let flow = hooked("@schedule(daily=True)\n@exit_hook(on_error=['tell'])");
    let text = emit_with(&flow, &options).0.unwrap();
    let looks = "looks = self.is_teardown or self.trigger_rule == \"none_failed\"";
    assert!(text.contains(looks), "{text}");
}

#[test]
fn a_flow_without_hooks_has_nothing_of_them() {
    let text = emit_with(&linear(2), &options()).0.unwrap();
    assert!(
        !text.contains("hooks") && !text.contains("teardown"),
        "{text}"
    );
}
