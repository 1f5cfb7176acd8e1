//! `plan.json`, which the code package carries to the shim.

mod graph_info;

use flowc_core::ir::flow::{ConfigForm, ParameterType};
use flowc_core::ir::plan::{Plan, PlanParameter, PlanStep, Secrets, StepId, StepKind, Trigger};
use flowc_core::ir::project::Project;
use flowc_protocol::PROTOCOL;
use flowc_protocol::json_text::{JsonText, Members};
use flowc_protocol::manifest::{self, ConfigTexts, EmptyForeach, Manifest};

use crate::literal::to_json;

/// What the shim has to know of a flow; the same plan gives the same manifest.
pub fn manifest(plan: &Plan, empty_foreach: EmptyForeach) -> Manifest {
    let (configs, config_texts) = configs(plan);
    Manifest {
        protocol: PROTOCOL,
        flow: plan.flow.clone(),
        file: plan.file.clone(),
        start: plan.steps[plan.start].name.clone(),
        end: plan.steps[plan.end].name.clone(),
        empty_foreach,
        parameters: plan.parameters.iter().map(parameter).collect(),
        steps: plan
            .steps
            .iter()
            .map(|(_, one)| (one.name.clone(), step(plan, one)))
            .collect(),
        triggers: triggers(plan),
        project: plan.project.as_ref().map(|project| project.name.clone()),
        branch: plan.project.as_ref().and_then(Project::branch_name),
        configs,
        config_texts,
        attached: plan.attached.clone(),
        exit_hooks: exit_hooks(plan),
        graph_info: graph_info::graph_info(plan),
    }
}

fn configs(plan: &Plan) -> (Members, ConfigTexts) {
    let (mut json, mut texts) = (Members::new(), ConfigTexts::default());
    for (name, config) in &plan.configs {
        let (name, text) = (name.clone(), config.text.clone());
        match &config.form {
            // That it is JSON was seen when Python said it.
            ConfigForm::Json => {
                let value = JsonText::new(&text).unwrap_or_else(|_| text.as_str().into());
                json.insert(name, value);
            }
            ConfigForm::Literal => {
                texts.literal.insert(name, text);
            }
            ConfigForm::Pickle { .. } => {
                texts.pickle.insert(name, text);
            }
        }
    }
    (json, texts)
}

/// What starts the flow's runs, as files name it.
pub(crate) fn triggers(plan: &Plan) -> Vec<manifest::Trigger> {
    let own = plan.project.as_ref();
    let all = plan.triggers.iter().flat_map(|triggers| &triggers.on);
    all.map(|trigger| match trigger {
        Trigger::Event { parameters, .. } => manifest::Trigger::Event {
            name: trigger.event_name(own),
            parameters: parameters.clone(),
        },
        Trigger::Run { flow, .. } => manifest::Trigger::Run {
            name: trigger.event_name(own),
            flow: flow.clone(),
        },
    })
    .collect()
}

/// Metaflow calls them from the class upwards.
fn exit_hooks(plan: &Plan) -> Option<manifest::ExitHooks> {
    let hooks = || plan.exit_hooks.iter().rev();
    (!plan.exit_hooks.is_empty()).then(|| manifest::ExitHooks {
        on_success: hooks().flat_map(|hook| hook.on_success.clone()).collect(),
        on_error: hooks().flat_map(|hook| hook.on_error.clone()).collect(),
    })
}

fn parameter(parameter: &PlanParameter) -> manifest::Parameter {
    manifest::Parameter {
        name: parameter.name.clone(),
        attribute: parameter.attribute.clone(),
        ty: parameter_type(parameter.ty),
        default: parameter.default.as_ref().map(to_json),
        computed_default: parameter.computed_default.is_some()
            || parameter.native_default.is_some(),
        required: parameter.required,
        separator: parameter.separator.clone(),
    }
}

/// A parameter's type, as files name it.
pub(crate) fn parameter_type(ty: ParameterType) -> manifest::ParameterType {
    match ty {
        ParameterType::Str => manifest::ParameterType::Str,
        ParameterType::Int => manifest::ParameterType::Int,
        ParameterType::Float => manifest::ParameterType::Float,
        ParameterType::Bool => manifest::ParameterType::Bool,
        ParameterType::Json => manifest::ParameterType::Json,
    }
}

/// A step's kind, as files name it.
pub(crate) fn step_kind(kind: &StepKind) -> manifest::StepKind {
    match kind {
        StepKind::Linear => manifest::StepKind::Linear,
        StepKind::Split { .. } => manifest::StepKind::Split,
        StepKind::Foreach { .. } => manifest::StepKind::Foreach,
        StepKind::Join { .. } => manifest::StepKind::Join,
        StepKind::Switch { .. } => manifest::StepKind::Switch,
        StepKind::End => manifest::StepKind::End,
    }
}

fn step(plan: &Plan, step: &PlanStep) -> manifest::Step {
    let name = |id: StepId| plan.steps[id].name.clone();
    let names = |ids: &[StepId]| ids.iter().copied().map(name).collect();
    let (variable, split) = match &step.kind {
        StepKind::Foreach { variable, .. } => (Some(variable.clone()), None),
        StepKind::Join { split } => (None, Some(name(*split))),
        StepKind::Linear | StepKind::Split { .. } | StepKind::Switch { .. } | StepKind::End => {
            (None, None)
        }
    };
    let condition = match &step.kind {
        StepKind::Switch { condition, .. } => Some(condition.clone()),
        StepKind::Linear
        | StepKind::Split { .. }
        | StepKind::Foreach { .. }
        | StepKind::Join { .. }
        | StepKind::End => None,
    };
    manifest::Step {
        kind: step_kind(&step.kind),
        next: names(&step.next),
        parents: names(&step.parents),
        foreach: names(&step.foreach),
        variable,
        condition,
        gang: step.gang().is_some(),
        repeats: step.repeats(),
        conditional: step.is_conditional,
        split,
        retries: step.retry.times,
        retry_delay_s: if step.retry.times == 0 {
            0
        } else {
            step.retry.delay_s
        },
        timeout_s: step.timeout_s,
        catch: step.catch.as_ref().map(|catch| manifest::Catch {
            variable: catch.variable.clone(),
            print_exception: catch.print_exception,
        }),
        environment: step.environment.clone(),
        secrets: step.secrets.as_ref().map(secrets),
    }
}

fn secrets(secrets: &Secrets) -> manifest::Secrets {
    let sources = secrets.sources.iter();
    manifest::Secrets {
        sources: sources
            .map(|source| manifest::SecretSource {
                backend: source.backend.map(|backend| backend.name().to_owned()),
                id: source.id.clone(),
                options: source
                    .options
                    .iter()
                    .map(|(name, value)| (name.clone(), to_json(value)))
                    .collect(),
                role: source.role.clone(),
            })
            .collect(),
        role: secrets.role.clone(),
        allow_override: secrets.allow_override,
    }
}
