//! One step: a container template of a few lines; what all steps share is in the template's defaults.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::{PlanStep, StepKind};
use flowc_protocol::environment;
use flowc_protocol::exit::Exit;
use flowc_target::{Options, kubernetes};
use serde_json::json;

use crate::manifest::{
    Arguments, Backoff, Container, Parameter, RetryStrategy, Template, ValueFrom, Variable,
};
use crate::pod;

/// Name of the parameter that holds the index path.
pub(crate) const INDEX: &str = "p";

/// Name of the output parameter that holds a foreach's count.
pub(crate) const COUNT: &str = "count";

/// File that takes the count; in the volume that all our containers share.
pub(crate) const COUNT_FILE: &str = "/flowc/count";

/// Name of the output parameter that holds a switch's choice.
pub(crate) const NEXT: &str = "next";

/// File that takes the choice.
pub(crate) const NEXT_FILE: &str = "/flowc/next";

/// The orchestrator's limit lies this far behind the author's: the harness interrupts at T, the shim kills at T + 30.
const TIMEOUT_MARGIN_S: u32 = 60;

/// Losses of a container before user code starts are retried this often on top (DESIGN §4).
const LOSSES: u32 = 3;

/// The container template of a step; what cannot be represented is reported and left out.
pub(crate) fn template(
    step: &PlanStep,
    name: &str,
    options: &Options,
    found: &mut Diagnostics,
) -> Template {
    let pod = kubernetes::read(step, "argo", found);
    let looped = !step.foreach.is_empty();
    let (volumes, mounts) = pod::volumes(step, &pod);
    let mut env = Vec::new();
    if looped {
        env.push(Variable {
            name: environment::INDEX.to_owned(),
            value: format!("{{{{inputs.parameters.{INDEX}}}}}"),
        });
    }
    env.extend(pod::variables(step, &pod, found));
    pod::check_namespace(&pod, options, found);
    Template {
        name: Some(name.to_owned()),
        metadata: pod::metadata(step, &pod, found),
        inputs: looped.then(|| {
            parameters([Parameter {
                name: INDEX.to_owned(),
                ..Parameter::default()
            }])
        }),
        outputs: output(step),
        retry_strategy: Some(retry_strategy(step)),
        active_deadline_seconds: deadline(step),
        service_account_name: pod.service_account.clone(),
        node_selector: pod.node_selector.clone(),
        tolerations: pod.tolerations.iter().map(pod::toleration).collect(),
        volumes,
        container: Some(Container {
            image: pod.image.clone(),
            image_pull_policy: pod
                .image_pull_policy
                .map(|policy| policy.as_str().to_owned()),
            args: vec![step.name.clone()],
            env,
            env_from: pod::secrets(&pod, options),
            ports: pod
                .port
                .map(|port| json!({"containerPort": port}))
                .into_iter()
                .collect(),
            resources: pod::own_resources(step, &pod),
            volume_mounts: mounts,
            security_context: pod::security(&pod, options),
            ..Container::default()
        }),
        ..Template::default()
    }
}

pub(crate) fn parameters(list: impl IntoIterator<Item = Parameter>) -> Arguments {
    Arguments {
        parameters: list.into_iter().collect(),
    }
}

/// What a task tells Argo: how many tasks follow, or which one.
fn output(step: &PlanStep) -> Option<Arguments> {
    let (name, path, default) = match step.kind {
        StepKind::Foreach { .. } => (COUNT, COUNT_FILE, "0"),
        StepKind::Switch { .. } if chooses(step) => (NEXT, NEXT_FILE, ""),
        StepKind::Linear
        | StepKind::Split { .. }
        | StepKind::Switch { .. }
        | StepKind::Join { .. }
        | StepKind::End => return None,
    };
    Some(parameters([Parameter {
        name: name.to_owned(),
        value_from: Some(ValueFrom { path, default }),
        ..Parameter::default()
    }]))
}

/// Whether more than one step may follow. All cases of a switch may name the same one, or the step itself.
pub(crate) fn chooses(step: &PlanStep) -> bool {
    step.is_switch() && step.next.len() > 1
}

/// A limit for the container, where one task is all that runs in it: each iteration of a loop has the author's limit for
/// itself, and there is none for all of them.
fn deadline(step: &PlanStep) -> Option<u32> {
    Some(step.longest_s()?.saturating_add(TIMEOUT_MARGIN_S))
}

/// What Argo itself does again: losses of a container always, failures of user code as often as the author allows.
///
/// The shim counts the starts of user code and ends the last one that may fail with a code that is not retried,
/// so the limit may count both kinds together. An error of Argo's own has no exit code and is looked at first.
fn retry_strategy(step: &PlanStep) -> RetryStrategy {
    let restarts = step.restarts();
    let user = (restarts > 0).then_some(Exit::UserFailure.code());
    // 70 to 79 are the shim's, whatever build of it runs; 137 is SIGKILL, as for memory, 143 is SIGTERM.
    let codes = user.into_iter().chain(70..=79).chain([137, 143]);
    let codes: Vec<_> = codes.map(|code| code.to_string()).collect();
    let backoff = if step.retry.times > 0 {
        Backoff {
            duration: step.retry.delay_s.max(1).to_string(),
            factor: None,
        }
    } else {
        Backoff {
            duration: "5".to_owned(),
            factor: Some("2"),
        }
    };
    RetryStrategy {
        limit: (restarts + LOSSES).to_string(),
        retry_policy: "Always",
        backoff,
        expression: format!(
            "lastRetry.status == 'Error' || asInt(lastRetry.exitCode) in [{}]",
            codes.join(",")
        ),
    }
}
