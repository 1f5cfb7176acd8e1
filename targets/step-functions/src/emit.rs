//! From a plan to the bundle's files.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::plan::Plan;
use flowc_target::{BundleFile, Namer, Options, capabilities, writer};
use serde::Serialize;
use serde_json::Value;

use crate::StepFunctions;
use crate::jobs::JobDefinitions;
use crate::names::Place;
use crate::states::States;
use crate::{events, iam, names, overlap, schedule, triggers};

/// Largest definition, bytes (Step Functions, `CreateStateMachine`, `definition`).
const DEFINITION_MAX: usize = 1_048_576;

pub(crate) fn emit(plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
    let mut found = capabilities::check(plan, &StepFunctions);
    let store = match options.profile.remote_store("step-functions", &["s3"]) {
        Ok(store) => store,
        Err(error) => {
            found.push(*error);
            return (None, found);
        }
    };
    let profile = &options.profile.step_functions;
    let place = Place::new(profile);
    let mut namer = Namer::new(names::STATE);
    let state_names = plan
        .steps
        .iter()
        .map(|(_, step)| namer.name(&step.name, step.span))
        .collect();
    found.extend(namer.finish());
    let mut states = States {
        plan,
        options,
        place: &place,
        store,
        jobs: JobDefinitions::new(plan, options, &place),
        names: state_names,
        queues: Vec::new(),
    };
    let machine = states.machine();
    found.extend(std::mem::take(&mut states.jobs.found));

    let mut files = vec![file("state-machine.asl.json", &machine)];
    if files[0].text.len() > DEFINITION_MAX {
        found.push(too_large(plan, files[0].text.len()));
    }
    if let Some(error) = events::check(plan, &options.profile) {
        found.push(error);
    }
    let definitions: Vec<_> = states.jobs.defined.values().collect();
    files.push(file("job-definitions.json", &definitions));
    if let Some(written) = &plan.schedule {
        let role = profile.scheduler_role.as_ref();
        let role = role.map_or_else(|| place.role(plan, "schedule"), |role| role.value.clone());
        let input = if overlap::is_skipped(plan, &options.profile) {
            overlap::MARK
        } else {
            "{}"
        };
        match schedule::request(plan, written, &place, role, input) {
            Ok(request) => files.push(file("schedule.json", &request)),
            Err(error) => found.push(*error),
        }
    }
    if let Some(written) = &plan.triggers {
        let role = profile.events_role.as_ref();
        let role = role.map_or_else(|| place.role(plan, "events"), |role| role.value.clone());
        let bus = profile.event_bus.value.as_str();
        match triggers::requests(plan, written, &place, bus, role) {
            Ok(requests) => files.extend(requests.map(|requests| file("events.json", &requests))),
            Err(error) => found.push(*error),
        }
    }
    let roles = iam::roles(&iam::Facts {
        plan,
        options,
        place: &place,
        store,
        queues: &states.queues,
    });
    files.extend(roles.map(|roles| file("iam.json", &roles)));
    let files = (!found.has_errors()).then_some(files);
    (files, found)
}

fn file(path: &str, content: &impl Serialize) -> BundleFile {
    // Texts, numbers and lists with text keys always become JSON.
    let value = serde_json::to_value(content).unwrap_or(Value::Null);
    BundleFile {
        path: path.to_owned(),
        text: writer::json(&value),
    }
}

fn too_large(plan: &Plan, size: usize) -> Diagnostic {
    let message = format!(
        "the state machine of `{}` is {size} bytes long, more than the {DEFINITION_MAX} that Step Functions takes",
        plan.flow
    );
    let label = format!("{} steps", plan.steps.len());
    Diagnostic::error(Code::FC1001, message, plan.span, label)
        .help("use a foreach where steps do the same, or divide the flow")
}
