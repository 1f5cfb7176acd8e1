//! The target `step-functions`: AWS Step Functions decides when, AWS Batch runs.
//!
//! | construct | becomes |
//! |---|---|
//! | flow | a state machine in `JSONPath` mode; its first state puts the input into the store |
//! | step | one `batch:submitJob.sync` state whose result is dropped |
//! | split, join | a `Parallel` state, then the join's own state |
//! | foreach | outermost: a distributed `Map` over the `split.json` that the splitting task left in the store; inside another foreach: `getObject`, then an inline `Map` |
//! | retry | the state's `Retry` for user code, the job definition's `evaluateOnExit` for lost containers |
//! | `@trigger`, `@trigger_on_finish` | a rule of EventBridge, which hands its event to an execution as input |
//! | exit hook | one job after the last step, or after a state that failed, by its `Catch`; then the run fails as it would have |
//! | artifact | nothing: artifacts are in the store, and every task computes where its parents' are |
//!
//! What flows through the machine is `{"run": …}`, inside a foreach also `"index"`; it never grows with the width of a fan-out.
//! Steps of the same shape share a job definition, which is named by the digest of its content.
//!
//! Not mapped: `@kubernetes`, scratch disk, and of `@batch` the storage that only Fargate gives; each is refused by FC0302.
//! A run that starts once several triggers have come has no AWS form either and is refused by FC0301.
//! A schedule that fires on either of two kinds of days has no AWS form and is refused by FC0308.

mod asl;
mod batch;
mod definition;
#[cfg(feature = "deploy")]
pub mod deploy;
mod emit;
mod events;
mod exit;
mod iam;
mod jobs;
mod names;
mod overlap;
mod schedule;
mod secrets;
mod states;
mod triggers;
mod trust;
mod ways;

#[cfg(test)]
mod tests;

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;
use flowc_target::{BundleFile, Capabilities, Decorator, Options, Placeholder, Target};

pub use names::{schedule_name, state_machine_name};

/// The target `step-functions`.
#[derive(Clone, Copy, Debug)]
pub struct StepFunctions;

/// What it can do.
pub const CAPABILITIES: Capabilities = Capabilities {
    nested_foreach: true,
    switch: true,
    loops: true,
    gang: false,
    schedule: true,
    exit_hooks: true,
    trigger: true,
    trigger_on_finish: true,
    gpu: true,
    shared_memory: true,
    batch: Decorator::Mapped(batch::ATTRIBUTES),
    kubernetes: Decorator::Refused {
        instead: "use `@batch`, or `@resources`, which every target understands",
    },
    ..Capabilities::NONE
};

impl Target for StepFunctions {
    fn name(&self) -> &'static str {
        "step-functions"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn placeholders(&self, plan: Option<&Plan>) -> Vec<Placeholder> {
        let mut needed = vec![Placeholder::Region, Placeholder::Account];
        let Some(plan) = plan else {
            return needed;
        };
        needed.insert(0, Placeholder::Store);
        let all_name = |attribute: &str| {
            let mut steps = plan.steps.iter();
            steps.all(|(_, step)| batch::names(step, attribute))
        };
        if !all_name("queue") || !plan.exit_hooks.is_empty() {
            needed.push(Placeholder::JobQueue);
        }
        if !all_name("image") {
            needed.push(Placeholder::BatchImage);
        }
        needed
    }

    fn emit(&self, plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
        emit::emit(plan, options)
    }
}
