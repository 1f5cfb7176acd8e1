//! `@exit_hook` on an orchestrator: one container that calls the functions.

use flowc_core::ir::plan::{Attributes, Plan, PlanStep, Resources, Retry, StepKind};

/// What the container may use. Functions that tell somebody how a run ended need little; they import the flow's file.
const RESOURCES: Resources = Resources {
    cpu_milli: 500,
    memory_mib: 1024,
    gpu: 0,
    disk_mib: None,
    shared_memory_mib: None,
};

/// Time for all functions together, seconds: a run does not wait for ever for one that hangs.
pub const TIMEOUT_S: u32 = 3600;

/// Of `@kubernetes` and `@batch` what says how a container starts at all, and as whom.
const KEPT: &[&str] = &[
    "image",
    "image_pull_policy",
    "image_pull_secrets",
    "service_account",
    "secrets",
    "namespace",
    "executable",
    "security_context",
    "iam_role",
    "execution_role",
    "log_driver",
    "log_options",
    "aws_batch_tags",
];

/// The container, as a step that is called `name`; `None` for a flow without hooks.
///
/// As in Metaflow it is that of the start step: its image can be pulled and has what the flow's file imports. It asks for
/// little, and for nothing that is dear.
pub fn step(plan: &Plan, name: &str) -> Option<PlanStep> {
    if plan.exit_hooks.is_empty() {
        return None;
    }
    let start = &plan.steps[plan.start];
    let kept = |written: &Option<Attributes>| {
        let values = written.as_ref()?.values.iter();
        let values = values.filter(|(name, _)| KEPT.contains(&name.as_str()));
        Some(Attributes {
            values: values
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        })
    };
    Some(PlanStep {
        name: name.to_owned(),
        kind: StepKind::End,
        parents: Vec::new(),
        next: Vec::new(),
        is_conditional: false,
        foreach: Vec::new(),
        retry: Retry {
            times: 0,
            delay_s: 0,
        },
        timeout_s: Some(TIMEOUT_S),
        catch: None,
        environment: indexmap::IndexMap::new(),
        secrets: None,
        resources: RESOURCES,
        batch: kept(&start.batch),
        kubernetes: kept(&start.kubernetes),
        ..start.clone()
    })
}

/// Whether the flow has functions for a run that ended well, and for one that did not.
pub fn has(plan: &Plan) -> (bool, bool) {
    let hooks = || plan.exit_hooks.iter();
    (
        hooks().any(|hook| !hook.on_success.is_empty()),
        hooks().any(|hook| !hook.on_error.is_empty()),
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::{plan, source};

    use super::step;

    #[test]
    fn the_container_is_the_start_steps_without_what_is_dear() {
        let body = "@exit_hook(on_error=['tell'])
class F(FlowSpec):
    @retry(times=2)
    @timeout(minutes=2)
    @catch
    @kubernetes(image='own:1', gpu=2, memory=64000, service_account='me', tolerations=[{'operator': 'Exists'}])
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
";
        let with = plan(&source(body));
        let hook = step(&with, "flowc-hooks").unwrap();
        assert_eq!((hook.resources.gpu, hook.resources.memory_mib), (0, 1024));
        assert_eq!((hook.restarts(), hook.longest_s()), (0, Some(3600)));
        let kept = hook.kubernetes.unwrap();
        let kept: Vec<_> = kept.values.keys().map(String::as_str).collect();
        assert_eq!(kept, ["image", "service_account"]);
        let without = plan(&source(
            &body.replace("@exit_hook(on_error=['tell'])\n", ""),
        ));
        assert!(step(&without, "flowc-hooks").is_none());
    }
}
