//! The target `airflow`: one Python file with one DAG, the same for Airflow 2.10, 2.11 and 3.
//!
//! The file has three parts.
//! Constants hold what depends on the profile.
//! A class runs a step in a pod (`KubernetesPodOperator`) and reads its report from the termination message.
//! The DAG has one call of that class for each step, then the dependencies in flow order.
//!
//! | flow | DAG | example |
//! | --- | --- | --- |
//! | step | operator, task id = step name | `train = Step(task_id="train")` |
//! | transition | dependency | `start >> train` |
//! | split and join | dependencies | `start >> [a, b] >> merge` |
//! | foreach over one step | mapped operator | `train = Step.partial(task_id="train").expand(index=start.output)` |
//! | foreach over several steps | mapped task group | `last = _start_foreach.expand(index=start.output)` |
//! | foreach inside a foreach | mapped over all index paths | `day = Step.partial(task_id="day").expand(index=_shop_paths.output)` |
//! | switch | steps skip themselves unless it chose them | `large = Step(task_id="large", when={"start": ["large"]})` |
//! | loop | its step's operator: all iterations in one pod | `more = Step(task_id="more", switch=True)` |
//! | join of a foreach | `none_failed`: it also runs when the list was empty | `pick = Step(task_id="pick", trigger_rule="none_failed")` |
//! | artifact | nothing: tasks find their inputs in the store | |
//! | retry | `retries`, three more than the step's own | `retries=5, retry_delay=timedelta(minutes=2)` |
//! | timeout | `execution_timeout`, the last of three nets | `execution_timeout=timedelta(minutes=13)` |
//! | parameter | `Param`, handed to the start step only | `"alpha": Param(0.5, type="number")` |
//! | exit hook | a teardown behind all tasks | `_exit_hooks = Step(...).as_teardown()` |
//! | schedule | `CronTriggerTimetable`, no catch-up | `schedule=CronTriggerTimetable("0 0 * * *", timezone="UTC")` |
//! | trigger | an asset for each event and each flow whose runs start this one's | `schedule=TRIGGERS` |
//!
//! What passes through Airflow is a split's list of index paths, `["0", "1", …]`:
//! the operator makes it in the worker from the count in the termination message, since `expand` needs a list.
//! Splits inside a foreach make a list each, `["1-0", "1-1", …]`, and an operator without a pod, `Paths`, one list of these.
//! Its length is bounded by Airflow's own `max_map_length`; the operator says so before Airflow does.
//! With `foreach_blocks` in the profile, steps are expanded over two lists, of which Airflow bounds each.
//! A switch returns the name of the step that it chose.
//!
//! The shim counts the starts of user code, in the store, and Airflow the starts of pods: `retries` is three larger than
//! what the author wrote, for pods that are lost.
//! The operator turns exit codes that mean "not again" (10, 20, 21, 22) into `AirflowFailException`.
//! Everything else, a lost pod or a full disk, is tried again.
//!
//! No text of a user meets Jinja: of all fields only `index` is a template field, and its values are digits.
//!
//! `@kubernetes` becomes the operator's own arguments, which name objects of Kubernetes' client.
//! What does not map: `@batch`, and of `@kubernetes` what concerns gangs; each is refused by FC0302.

mod choices;
mod defaults;
mod edges;
mod emit;
mod exit;
mod groups;
mod layout;
mod names;
mod params;
mod pod;
mod pyrepr;
mod size;
mod statements;
#[cfg(test)]
mod tests;
mod triggers;
mod version;

#[cfg(feature = "deploy")]
pub mod deploy;

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;
use flowc_target::{
    BundleFile, Capabilities, Decorator, Options, Placeholder, Target, capabilities,
};

/// The target `airflow`.
#[derive(Clone, Copy, Debug)]
pub struct Airflow;

impl Target for Airflow {
    fn name(&self) -> &'static str {
        "airflow"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &Capabilities {
            nested_foreach: true,
            switch: true,
            loops: true,
            gang: false,
            schedule: true,
            trigger: true,
            trigger_on_finish: true,
            several_triggers: true,
            exit_hooks: true,
            computed_defaults: false,
            gpu: true,
            disk: true,
            shared_memory: true,
            batch: Decorator::Refused {
                instead: "use `@kubernetes` or `@resources`: the steps run in pods",
            },
            kubernetes: Decorator::Mapped(flowc_target::kubernetes::ATTRIBUTES),
        }
    }

    fn placeholders(&self, plan: Option<&Plan>) -> Vec<Placeholder> {
        // The image of steps that name none is a public one, and without a shim in it.
        plan.map_or_else(Vec::new, |_| {
            vec![Placeholder::Store, Placeholder::ShimImage]
        })
    }

    fn emit(&self, plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
        let mut found = capabilities::check(plan, self);
        if found.has_errors() {
            return (None, found);
        }
        let (files, more) = emit::emit(plan, options);
        found.extend(more);
        (files, found)
    }
}
