//! The states that call the exit hooks: one job after the last step, or after the first state that failed for good.
//!
//! A run that failed still fails, with the error and cause that it had; a job of hooks that fails changes nothing.

use flowc_core::ir::plan::PlanStep;
use flowc_protocol::environment;
use flowc_target::hooks;
use serde_json::{Value, json};

use crate::asl::{Catcher, Fail, ResultRule, Scope, State, Task, Then, patience};
use crate::names;
use crate::states::{RUN_ID, States};

/// Name of the job, and of what is called so in messages; no step can be.
const NAME: &str = "flowc-exit-hooks";

const ON_SUCCESS: &str = "flowc-on-success";
const DONE: &str = "flowc-done";
const ON_ERROR: &str = "flowc-on-error";
const FAILED: &str = "flowc-failed";

/// The error that led here.
const INPUT: &str = "{% $states.input %}";

impl States<'_> {
    /// Adds the states to the whole machine, if the flow has hooks.
    pub(crate) fn add_exit_hooks(&mut self, scope: &mut Scope) {
        let Some(step) = hooks::step(self.plan, NAME) else {
            return;
        };
        let (on_success, on_error) = hooks::has(self.plan);
        for state in scope.states.values_mut() {
            if on_success {
                state.go_on(ON_SUCCESS);
            }
            if on_error {
                state.catch(ON_ERROR);
            }
        }
        if on_success {
            let job = self.exit_job(&step, json!({}), DONE, Then::End(true));
            scope.states.insert(ON_SUCCESS.to_owned(), job);
            scope.states.insert(DONE.to_owned(), State::Succeed {});
        }
        if on_error {
            let then = Then::Next(FAILED.to_owned());
            let job = self.exit_job(&step, json!(INPUT), FAILED, then);
            scope.states.insert(ON_ERROR.to_owned(), job);
            let failed = State::Fail(Fail {
                query_language: "JSONata",
                error: "{% $states.input.Error %}",
                cause: "{% $exists($states.input.Cause) ? $states.input.Cause : '' %}",
            });
            scope.states.insert(FAILED.to_owned(), failed);
        }
    }

    /// The job needs nothing of the data, which after a failure is the error: it makes the run's id from the execution. The
    /// data that goes on is `output`, to `next` if the job fails.
    fn exit_job(&mut self, step: &PlanStep, output: Value, next: &str, then: Then) -> State {
        let queue = &self.options.profile.step_functions.job_queue;
        let variables = [
            (environment::RUN, RUN_ID.replacen("{% ", "{% 'id:' & ", 1)),
            (
                environment::EXECUTION,
                "{% $states.context.Execution.Name %}".to_owned(),
            ),
        ];
        let variables = variables.map(|(name, value)| json!({"Name": name, "Value": value}));
        let request = json!({
            "JobName": names::job_name(self.plan, NAME),
            "JobQueue": queue.value,
            "JobDefinition": self.jobs.hooks_name(step),
            "ContainerOverrides": {"Environment": variables},
        });
        State::Task(Box::new(Task {
            query_language: Some("JSONata"),
            resource: self.place.integration("batch:submitJob.sync"),
            parameters: None,
            arguments: Some(request),
            retry: vec![patience(&["Batch.AWSBatchException"])],
            catch: vec![Catcher {
                output: Some(output.clone()),
                ..Catcher::new(next)
            }],
            result: ResultRule {
                output: Some(output),
                ..ResultRule::default()
            },
            then,
        }))
    }
}
