//! The target `argo`: Argo Workflows decides when, pods run.
//!
//! | construct | becomes |
//! |---|---|
//! | flow | a `WorkflowTemplate`; its templates' defaults hold all that steps share |
//! | step | a container template of a few lines and a task of the same name |
//! | split, join | tasks; the join `depends: a.Succeeded && b.Succeeded` |
//! | switch | a task for each step that it may choose, with a `when`; where ways meet again, `depends: a.Succeeded \|\| b.Succeeded` |
//! | loop | nothing: one container runs all iterations |
//! | foreach | a task `withSequence` over the count that the splitting task reports; a body of more than one step is a graph of its own |
//! | retry | `retryStrategy`, by status and exit code |
//! | artifact | nothing: artifacts are in the store, and every task computes where its parents' are |
//! | parameter | a workflow argument that holds JSON; only the start step sees it, as base64 |
//! | schedule | a `CronWorkflow` |
//! | exit hook | `onExit`: one container that calls all functions |
//! | `@trigger`, `@trigger_on_finish` | a `Sensor` of Argo Events; for runs an `EventSource` that watches Workflows too |
//!
//! The only values that pass from task to task are the index path `p`, the `count` of a foreach and the name of the `next` step
//! behind a switch.
//! Outputs of tasks that may be skipped are never read: their meaning changed twice within minor releases.
//! The same bytes serve Argo 3.6 to 4.x.
//!
//! Not mapped: `@batch`, and of `@kubernetes` another namespace than the profile's and what concerns gangs; each is refused by FC0302.

#[cfg(feature = "deploy")]
pub mod deploy;
mod emit;
mod exit;
mod graph;
mod manifest;
mod names;
mod pod;
mod rbac;
mod sensor;
mod step;
#[cfg(test)]
mod tests;
mod text;

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;
use flowc_target::{BundleFile, Capabilities, Decorator, Options, Placeholder, Target};

pub use names::template_name;

/// The target `argo`.
#[derive(Clone, Copy, Debug)]
pub struct Argo;

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
    several_triggers: true,
    gpu: true,
    disk: true,
    shared_memory: true,
    batch: Decorator::Refused {
        instead: "use `@kubernetes`, or `@resources`, which every target understands",
    },
    kubernetes: Decorator::Mapped(flowc_target::kubernetes::ATTRIBUTES),
    ..Capabilities::NONE
};

impl Target for Argo {
    fn name(&self) -> &'static str {
        "argo"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn placeholders(&self, plan: Option<&Plan>) -> Vec<Placeholder> {
        // The image of steps that name none is a public one, and without a shim in it.
        plan.map_or_else(Vec::new, |_| {
            vec![Placeholder::Store, Placeholder::ShimImage]
        })
    }

    fn emit(&self, plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
        emit::emit(plan, options)
    }
}
