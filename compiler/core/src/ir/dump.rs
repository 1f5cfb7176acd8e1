//! The plan as text: everything in it, one fact per line, for goldens and for people who look for a change.

use std::fmt::Write as _;

use super::flow::Gang;
use super::plan::{
    Attributes, DecoratorInfo, Node, Plan, PlanParameter, PlanStep, Region, Reset, SecretBackend,
    Secrets, StepId, StepKind, Trigger, Triggers,
};
use crate::show::{case_key, python};

/// The whole plan; ends with a line end. What has its default is left out, spans are not shown.
pub fn dump(plan: &Plan) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("flow {} in {:?}", plan.flow, plan.file));
    if let Some(doc) = &plan.doc {
        line(format!("doc {doc:?}"));
    }
    if let Some(project) = &plan.project {
        let branch = project.branch_name();
        let branch = branch.map_or_else(String::new, |branch| format!(" branch {branch}"));
        line(format!("project {}{branch}", project.name));
    }
    if let Some(schedule) = &plan.schedule {
        let zone = schedule.timezone.as_deref().unwrap_or("UTC");
        line(format!("schedule {:?} in {zone}", schedule.cron));
    }
    if let Some(triggers) = &plan.triggers {
        dump_triggers(plan, triggers, &mut line);
    }
    for hook in &plan.exit_hooks {
        let (success, error) = (hook.on_success.join(" "), hook.on_error.join(" "));
        line(format!("exit hook, success [{success}] error [{error}]"));
    }
    for parameter in &plan.parameters {
        line(dump_parameter(parameter));
    }
    for constant in &plan.constants {
        let type_name = constant.type_name.as_deref().unwrap_or("unknown");
        line(format!("constant {}: {type_name}", constant.name));
    }
    line(format!("imports {}", plan.imported_names.join(" ")));
    dump_decorators("", &plan.decorators, &mut line);
    for (_, step) in plan.steps.iter() {
        line(String::new());
        dump_step(plan, step, &mut line);
    }
    line(String::new());
    line("regions".to_owned());
    dump_region(plan, &plan.root, 1, &mut line);
    out
}

fn dump_triggers(plan: &Plan, triggers: &Triggers, line: &mut impl FnMut(String)) {
    for trigger in &triggers.on {
        let mut out = format!("trigger {}", trigger.event_name(plan.project.as_ref()));
        if let Trigger::Event { parameters, .. } = trigger {
            for (parameter, field) in parameters {
                let _ = write!(out, " {parameter}={field}");
            }
        }
        line(out);
    }
    if let Some(Reset { cron, timezone }) = &triggers.reset {
        let zone = timezone.as_deref().unwrap_or("UTC");
        line(format!("triggers reset at {cron:?} in {zone}"));
    }
}

fn dump_parameter(parameter: &PlanParameter) -> String {
    let mut out = format!("parameter {}: {:?}", parameter.name, parameter.ty);
    if parameter.attribute != parameter.name {
        let _ = write!(out, " as {}", parameter.attribute);
    }
    if let Some(default) = &parameter.default {
        let _ = write!(out, " = {}", python(default));
    }
    if let Some(text) = &parameter.native_default {
        let _ = write!(out, " = python {text:?}");
    }
    if let Some(source) = &parameter.computed_default {
        let _ = write!(out, " = computed {source:?}");
    }
    if parameter.required {
        out.push_str(" required");
    }
    if let Some(separator) = &parameter.separator {
        let _ = write!(out, " split at {separator:?}");
    }
    if let Some(help) = &parameter.help {
        let _ = write!(out, " help {help:?}");
    }
    out
}

fn dump_step(plan: &Plan, step: &PlanStep, line: &mut impl FnMut(String)) {
    let name = |id: StepId| plan.steps[id].name.as_str();
    let names = |ids: &[StepId]| {
        let names: Vec<&str> = ids.iter().map(|id| name(*id)).collect();
        names.join(" ")
    };
    let kind = match &step.kind {
        StepKind::Linear => "linear".to_owned(),
        StepKind::Split { join } => format!("split joined by {}", name(*join)),
        StepKind::Foreach {
            variable,
            join,
            gang,
        } => {
            let over = match gang {
                None => format!("foreach {variable:?}"),
                Some(Gang { nodes: None, .. }) => "gang".to_owned(),
                Some(Gang {
                    nodes: Some(nodes), ..
                }) => format!("gang of {nodes}"),
            };
            format!("{over} joined by {}", name(*join))
        }
        StepKind::Join { split } => format!("join of {}", name(*split)),
        StepKind::Switch {
            condition, cases, ..
        } => {
            let cases = cases.iter().map(|case| {
                let key = case_key(&case.key);
                format!(" {key} to {}", name(case.target))
            });
            format!(
                "switch on {condition:?}:{}",
                cases.collect::<Vec<_>>().join(",")
            )
        }
        StepKind::End => "end".to_owned(),
    };
    line(format!("step {} at line {}: {kind}", step.name, step.line));
    for (what, ids) in [
        ("parents", &step.parents),
        ("next", &step.next),
        ("inside foreach", &step.foreach),
    ] {
        if !ids.is_empty() {
            line(format!("  {what} {}", names(ids)));
        }
    }
    if step.is_conditional {
        line("  conditional".to_owned());
    }
    if let Some(doc) = &step.doc {
        line(format!("  doc {doc:?}"));
    }
    if step.retry.times > 0 {
        let retry = step.retry;
        line(format!(
            "  retry {} times after {} s",
            retry.times, retry.delay_s
        ));
    }
    if let Some(timeout) = step.timeout_s {
        line(format!("  timeout {timeout} s"));
    }
    if let Some(catch) = &step.catch {
        let variable = catch.variable.as_deref().unwrap_or("-");
        let print = if catch.print_exception {
            "printed"
        } else {
            "silent"
        };
        line(format!("  catch into {variable}, {print}"));
    }
    for (name, value) in &step.environment {
        line(format!("  environment {name}={value:?}"));
    }
    if let Some(secrets) = &step.secrets {
        dump_secrets(secrets, line);
    }
    line(dump_resources(step));
    for (name, attributes) in [("batch", &step.batch), ("kubernetes", &step.kubernetes)] {
        if let Some(attributes) = attributes {
            line(dump_attributes(name, attributes));
        }
    }
    dump_decorators("  ", &step.decorators, line);
}

fn dump_secrets(secrets: &Secrets, line: &mut impl FnMut(String)) {
    for source in &secrets.sources {
        let backend = source.backend.map_or("-", SecretBackend::name);
        let mut out = format!("  secret {:?} from {backend}", source.id);
        if let Some(role) = source.role.as_ref().or(secrets.role.as_ref()) {
            let _ = write!(out, " as {role:?}");
        }
        // Values of inline secrets stand there.
        for (name, value) in &source.options {
            if name != "env_vars" {
                let _ = write!(out, " {name}={}", python(value));
            }
        }
        if secrets.allow_override {
            out.push_str(" overriding");
        }
        line(out);
    }
}

fn dump_resources(step: &PlanStep) -> String {
    let resources = step.resources;
    let mut out = format!(
        "  resources cpu {}m memory {}Mi",
        resources.cpu_milli, resources.memory_mib
    );
    if resources.gpu > 0 {
        let _ = write!(out, " gpu {}", resources.gpu);
    }
    if let Some(disk) = resources.disk_mib {
        let _ = write!(out, " disk {disk}Mi");
    }
    if let Some(shared) = resources.shared_memory_mib {
        let _ = write!(out, " shared memory {shared}Mi");
    }
    out
}

fn dump_attributes(name: &str, attributes: &Attributes) -> String {
    let mut out = format!("  {name}");
    for (name, (value, _)) in &attributes.values {
        let _ = write!(out, " {name}={}", python(value));
    }
    out
}

fn dump_decorators(indent: &str, decorators: &[DecoratorInfo], line: &mut impl FnMut(String)) {
    for decorator in decorators {
        let arguments = decorator.arguments.iter();
        let arguments: Vec<String> = arguments
            .map(|(name, value)| format!("{name}={}", python(value)))
            .collect();
        line(format!(
            "{indent}decorator {}({})",
            decorator.name,
            arguments.join(", ")
        ));
    }
}

fn dump_region(plan: &Plan, region: &Region, depth: usize, line: &mut impl FnMut(String)) {
    let indent = "  ".repeat(depth);
    for node in &region.nodes {
        match node {
            Node::Step(id) => line(format!("{indent}{}", plan.steps[*id].name)),
            Node::Parallel { branches, .. } => {
                for branch in branches {
                    line(format!("{indent}branch"));
                    dump_region(plan, branch, depth + 1, line);
                }
            }
            Node::Map { body, .. } => {
                line(format!("{indent}map"));
                dump_region(plan, body, depth + 1, line);
            }
        }
    }
}
