//! The plan as an outline: steps in order, branches indented, each with the first line of its docstring.

use std::fmt::Write as _;

use super::{decorator, first_line, printable, python};
use crate::ir::plan::{Node, Plan, PlanParameter, PlanStep, Region, StepId, StepKind};

/// Columns after which the remarks are not aligned any further.
const COLUMN_MAX: usize = 40;

/// A line of the outline: what stands left, and the remark beside it.
struct Line {
    left: String,
    remark: String,
}

/// The outline; ends with a line end.
pub fn text(plan: &Plan) -> String {
    let mut out = format!("{} ({})\n", plan.flow, printable(&plan.file));
    for line in plan.doc.as_deref().unwrap_or_default().lines() {
        let _ = writeln!(out, "{}", format!("  {}", printable(line)).trim_end());
    }
    let starts = plan.schedule.is_some() || plan.triggers.is_some();
    if plan.doc.is_some() && (plan.project.is_some() || starts) {
        out.push('\n');
    }
    if let Some(project) = &plan.project {
        let branch = project.branch_name();
        let branch = branch.map_or_else(String::new, |branch| format!(", branch {branch}"));
        let _ = writeln!(out, "  project {}{branch}", project.name);
    }
    if let Some(schedule) = &plan.schedule {
        let zone = schedule.timezone.as_deref().unwrap_or("UTC");
        let _ = writeln!(out, "  schedule {} ({zone})", schedule.cron);
    }
    for trigger in plan.triggers.iter().flat_map(|triggers| &triggers.on) {
        let own = plan.project.as_ref();
        let what = match trigger.flow_name(own) {
            Some(flow) => format!("end of {flow}"),
            None => format!("event {}", trigger.event_name(own)),
        };
        let _ = writeln!(out, "  trigger {what}");
    }
    if !plan.parameters.is_empty() {
        out.push_str("\nParameters\n");
        let lines = plan.parameters.iter().map(parameter).collect();
        print(&mut out, lines);
    }
    out.push_str("\nSteps\n");
    let mut lines = Vec::new();
    region(plan, &plan.root, "", &mut lines);
    print(&mut out, lines);
    out
}

/// Remarks aligned, as far as that leaves room for them.
fn print(out: &mut String, lines: Vec<Line>) {
    let widths = lines.iter().map(|line| line.left.chars().count());
    let column = widths.max().unwrap_or(0).min(COLUMN_MAX);
    for Line { left, remark } in lines {
        let line = format!("  {left:column$}  {remark}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn parameter(parameter: &PlanParameter) -> Line {
    let default = parameter.default.as_ref().map(python);
    let value = match default.or_else(|| parameter.native_default.clone()) {
        Some(default) => format!(" = {default}"),
        None if parameter.computed_default.is_some() => {
            " = computed when the run starts".to_owned()
        }
        None if parameter.required => " (required)".to_owned(),
        None => String::new(),
    };
    let list = match &parameter.separator {
        Some(separator) => format!(", a list separated by {separator:?}"),
        None => String::new(),
    };
    let ty = format!("{:?}", parameter.ty).to_lowercase();
    Line {
        left: format!("--{} {ty}{value}{list}", parameter.name),
        remark: first_line(parameter.help.as_deref()),
    }
}

fn region(plan: &Plan, region: &Region, indent: &str, lines: &mut Vec<Line>) {
    let mut closes = false;
    for node in &region.nodes {
        match node {
            Node::Step(id) => {
                let arrow = if closes { "└─▶ " } else { "" };
                let shown = &plan.steps[*id];
                lines.push(step(shown, &format!("{indent}{arrow}")));
                if shown.is_switch() {
                    lines.extend(super::targets(shown, *id).map(|next| {
                        let label = super::edge_label(shown, next);
                        plain(format!("{indent}   if {label}: {}", plan.steps[next].name))
                    }));
                }
                closes = false;
            }
            Node::Parallel { branches, .. } => {
                for branch in branches {
                    lines.push(plain(format!("{indent}├─ branch")));
                    self::region(plan, branch, &format!("{indent}│  "), lines);
                }
                closes = true;
            }
            Node::Map { split, body, .. } => {
                let what = match plan.steps[*split].gang() {
                    Some(gang) => super::nodes(gang),
                    None => format!("for each of `{}`", variable(plan, *split)),
                };
                lines.push(plain(format!("{indent}├─ {what}")));
                self::region(plan, body, &format!("{indent}│  "), lines);
                closes = true;
            }
        }
    }
}

fn variable(plan: &Plan, split: StepId) -> String {
    match &plan.steps[split].kind {
        StepKind::Foreach { variable, .. } => printable(variable),
        StepKind::Linear
        | StepKind::Split { .. }
        | StepKind::Join { .. }
        | StepKind::Switch { .. }
        | StepKind::End => String::new(),
    }
}

fn plain(left: String) -> Line {
    Line {
        left,
        remark: String::new(),
    }
}

fn step(step: &PlanStep, indent: &str) -> Line {
    let mut remark = vec![first_line(step.doc.as_deref())];
    remark.extend(step.decorators.iter().map(decorator));
    remark.retain(|part| !part.is_empty());
    Line {
        left: format!("{indent}{}", step.name),
        remark: remark.join("  "),
    }
}
