//! The task that calls the exit hooks: a teardown behind all others.
//!
//! Airflow runs a teardown whatever became of the tasks before it, and leaves it out when it decides how the run ended.
//! That it decides by the last step, which is skipped if somebody stops the run; with a teardown to come, Airflow takes this
//! for a success. So a second one, which counts, says how the last step ended.

use flowc_core::diag::Diagnostics;
use flowc_target::{hooks, kubernetes};

use crate::emit::{Emitter, seconds};
use crate::layout::Expr;
use crate::names::variable;
use crate::pod;

/// Id of the task; no step's name holds a hyphen.
const TASK: &str = "flowc-exit-hooks";

/// Id of the task that says how the run ended.
pub(crate) const ENDED: &str = "flowc-ended";

impl Emitter<'_> {
    /// Whether the flow has hooks.
    pub(crate) fn has_hooks(&self) -> bool {
        !self.plan.exit_hooks.is_empty()
    }

    /// The last statements, if the flow has hooks.
    ///
    /// Behind the end step alone it could run while another branch still does: Airflow lets a step fail at once whose one
    /// parent did.
    pub(crate) fn exit_hooks(&mut self) -> Vec<String> {
        let Some(step) = hooks::step(self.plan, TASK) else {
            return Vec::new();
        };
        // What is wrong with its attributes is reported with the start step, whose they are.
        let mut found = Diagnostics::default();
        let asked = kubernetes::read(&step, "airflow", &mut found);
        let command = ["/flowc/flowc-shim", "hooks"].map(Expr::text);
        let mut arguments = vec![
            ("task_id", Expr::text(TASK)),
            ("cmds", Expr::List(command.into())),
        ];
        arguments.extend(pod::arguments(&step, &asked, self.options, &mut found));
        let limit = hooks::TIMEOUT_S + self.options.profile.airflow.startup_timeout_s;
        arguments.push(("execution_timeout", seconds(limit)));
        let task = Expr::call("Step", arguments);
        let ended = Expr::call("Ended", vec![("task_id", Expr::text(ENDED))]);
        let end = variable(&self.plan.steps[self.plan.end].name);
        vec![
            String::new(),
            task.layout(4, "    _exit_hooks = ", ".as_teardown()"),
            "    _exit_hooks.set_upstream([task for task in dag.tasks if task is not _exit_hooks])"
                .to_owned(),
            ended.layout(
                4,
                "    _ended = ",
                ".as_teardown(on_failure_fail_dagrun=True)",
            ),
            format!("    {end} >> _ended"),
        ]
    }
}
