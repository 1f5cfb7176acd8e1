//! What runs when the Workflow has ended: one container that calls the exit hooks.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;
use flowc_protocol::environment;
use flowc_target::{Options, hooks};

use crate::manifest::{ContinueOn, Dag, Task, Template, Variable};
use crate::{names, step};

/// The template that `onExit` names, and the container's; nothing for a flow without hooks.
///
/// Argo lets a Workflow fail whose exit handler fails, so a graph stands between, which ends well whatever becomes of the container.
pub(crate) fn templates(plan: &Plan, options: &Options) -> Vec<Template> {
    let Some(hooks) = hooks::step(plan, names::EXIT_HOOKS) else {
        return Vec::new();
    };
    // What is wrong with its attributes is reported with the start step, whose they are.
    let mut found = Diagnostics::default();
    let mut called = step::template(&hooks, names::EXIT_CONTAINER, options, &mut found);
    if let Some(container) = &mut called.container {
        container.command = vec!["/flowc/flowc-shim", "hooks"];
        container.args = Vec::new();
        container.env.push(Variable {
            name: environment::EXECUTION.to_owned(),
            value: "{{workflow.uid}}".to_owned(),
        });
    }
    let task = Task {
        name: names::EXIT_HOOKS.to_owned(),
        depends: None,
        when: None,
        template: names::EXIT_CONTAINER.to_owned(),
        with_sequence: None,
        arguments: None,
        continue_on: Some(ContinueOn {
            error: true,
            failed: true,
        }),
    };
    let graph = Template {
        name: Some(names::EXIT.to_owned()),
        dag: Some(Dag { tasks: vec![task] }),
        ..Template::default()
    };
    vec![graph, called]
}
