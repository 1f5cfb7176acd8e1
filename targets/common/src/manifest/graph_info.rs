//! Metaflow's `_graph_info`: the flow's shape as its client and its cards read it.
//!
//! Built as `FlowGraph.output_steps` and `FlowSpec._set_constants` build it (`metaflow/graph.py`, `metaflow/flowspec.py`, compared with a run of 2.19.39), down to the order of keys.
//! One member differs: `source_file` is the path below the root of the source tree, since an absolute one would tie the package to a machine.

use flowc_core::ir::flow::{CaseKey, Literal, NAMESPACED};
use flowc_core::ir::plan::{DecoratorInfo, Plan, PlanStep, StepId, StepKind};
use serde_json::{Map, Value, json};

use crate::literal::to_json;

/// The whole dictionary. The harness replaces `parameters` and `constants` by what it finds in the class.
pub(super) fn graph_info(plan: &Plan) -> Value {
    let mut parameters: Vec<&str> = plan
        .parameters
        .iter()
        .map(|parameter| parameter.attribute.as_str())
        .collect();
    parameters.sort_unstable();
    let mut constants: Vec<_> = plan.constants.iter().collect();
    constants.sort_by_key(|constant| &constant.name);
    let mut described = Describe {
        plan,
        steps: Map::new(),
        names: 0,
    };
    let mut structure = described.block(plan.start, plan.end);
    let end = &plan.steps[plan.end];
    structure.push(Value::from(end.name.as_str()));
    let mut steps = described.steps;
    steps.insert(end.name.clone(), describe_step(plan, plan.end, end));
    let file = plan.file.rsplit('/').next().unwrap_or(&plan.file);
    json!({
        "file": file,
        "start_step": plan.steps[plan.start].name,
        "end_step": plan.steps[plan.end].name,
        "parameters": parameters
            .iter()
            .map(|name| json!({"name": name, "type": "Parameter"}))
            .collect::<Value>(),
        "constants": constants
            .iter()
            .map(|constant| json!({
                "name": constant.name,
                "type": class_name(constant.type_name.as_deref()),
            }))
            .collect::<Value>(),
        "steps": steps,
        "graph_structure": structure,
        "doc": plan.doc.as_deref().unwrap_or_default(),
        "decorators": decorators(&plan.decorators),
        "extensions": {"installed": {}},
    })
}

/// `int` of `<class 'int'>`; what is not known statically is at least an object.
fn class_name(type_name: Option<&str>) -> &str {
    type_name
        .and_then(|name| name.strip_prefix("<class '")?.strip_suffix("'>"))
        .unwrap_or("object")
}

/// Adds the steps from `from` up to `until` depth first, and their names nested by splits.
///
/// As in Metaflow, each way behind a switch is followed to the end of the block, so that steps where ways meet again
/// are named once for each. A graph of many switches in a row would be followed for ever: from
/// [`NAMES_MAX`] names on, what was described before is not followed again.
struct Describe<'a> {
    plan: &'a Plan,
    steps: Map<String, Value>,
    names: usize,
}

/// Names in `graph_structure` up to which every way is followed.
const NAMES_MAX: usize = 10_000;

impl Describe<'_> {
    fn block(&mut self, from: StepId, until: StepId) -> Vec<Value> {
        let plan = self.plan;
        let mut structure = Vec::new();
        let mut at = from;
        while at != until {
            let step = &plan.steps[at];
            let is_new = !self.steps.contains_key(&step.name);
            if is_new {
                self.steps
                    .insert(step.name.clone(), describe_step(plan, at, step));
            }
            structure.push(Value::from(step.name.as_str()));
            self.names += 1;
            if !is_new && self.names > NAMES_MAX {
                break;
            }
            let (ways, inner, next) = match &step.kind {
                StepKind::Split { join }
                | StepKind::Foreach {
                    join, gang: None, ..
                } => (step.next.clone(), *join, *join),
                // One for each case.
                StepKind::Switch { cases, .. } => {
                    let ways = cases.iter().map(|case| case.target);
                    (ways.filter(|way| *way != at).collect(), until, until)
                }
                // Metaflow does not nest the step of a gang.
                StepKind::Foreach { gang: Some(_), .. }
                | StepKind::Linear
                | StepKind::Join { .. }
                | StepKind::End => {
                    let next = step.next.first().copied().unwrap_or(until);
                    (Vec::new(), until, next)
                }
            };
            if !ways.is_empty() {
                let ways = ways.into_iter().map(|way| self.block(way, inner));
                let ways: Vec<Value> = ways.map(Value::Array).collect();
                structure.push(Value::Array(ways));
            }
            at = next;
        }
        structure
    }
}

fn describe_step(plan: &Plan, id: StepId, step: &PlanStep) -> Value {
    let name = |id: StepId| plan.steps[id].name.as_str();
    let (kind, closed_by) = match &step.kind {
        StepKind::End => ("end", None),
        StepKind::Linear if id == plan.start => ("start", None),
        StepKind::Linear => ("linear", None),
        StepKind::Join { .. } => ("join", None),
        StepKind::Split { join } => ("split-static", Some(*join)),
        StepKind::Foreach {
            join,
            gang: Some(_),
            ..
        } => ("split-parallel", Some(*join)),
        StepKind::Foreach { join, .. } => ("split-foreach", Some(*join)),
        StepKind::Switch { .. } => ("split-switch", None),
    };
    let mut entry = json!({
        "name": step.name,
        "type": kind,
        "line": step.line,
        "source_file": step.file,
        "doc": step.doc.as_deref().unwrap_or_default(),
        "decorators": decorators(&step.decorators),
        "next": step.next.iter().map(|id| name(*id)).collect::<Value>(),
        "node_info": {},
    });
    if let Some(gang) = step.gang() {
        entry["num_parallel"] = Value::from(gang.nodes);
    } else if let StepKind::Foreach { variable, .. } = &step.kind {
        entry["foreach_artifact"] = Value::from(variable.as_str());
    }
    if let StepKind::Switch {
        condition, cases, ..
    } = &step.kind
    {
        // Once for each case, as Metaflow lists them.
        entry["next"] = cases.iter().map(|case| name(case.target)).collect();
        entry["condition"] = Value::from(condition.as_str());
        // A dictionary once the harness has it: keys of JSON could be no numbers.
        entry["switch_cases"] = cases
            .iter()
            .map(|case| json!([case_key(&case.key), name(case.target)]))
            .collect();
    }
    if let Some(join) = closed_by {
        entry["matching_join"] = Value::from(name(join));
    }
    entry
}

/// A key of a switch as Metaflow describes it.
fn case_key(key: &CaseKey) -> Value {
    match key {
        CaseKey::Literal(literal) => to_json(literal),
        CaseKey::Config { config, key } => Value::from(format!("config:{config}.{key}")),
    }
}

/// Innermost first, as Python applies them, with Metaflow's defaults filled in.
fn decorators(written: &[DecoratorInfo]) -> Value {
    let described = written.iter().rev().map(|decorator| {
        let mut attributes = Map::new();
        for (name, default) in defaults(&decorator.name) {
            attributes.insert((*name).to_owned(), default.to_value());
        }
        for (name, value) in &decorator.arguments {
            let value = match &*decorator.name {
                "trigger" if name != "options" => event(value),
                _ => plain(value),
            };
            attributes.insert(name.clone(), value);
        }
        json!({
            "name": decorator.name,
            "attributes": attributes,
            "statically_defined": decorator.is_written,
            "inserted_by": null,
        })
    });
    described.collect()
}

/// Metaflow's `to_pod`: what is neither text nor number becomes its `str()`, so that `None` is a string.
fn plain(value: &Literal) -> Value {
    match value {
        Literal::None => Value::from("None"),
        Literal::List(items) => items.iter().map(plain).collect(),
        Literal::Dict(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), plain(member)))
            .collect(),
        Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) | Literal::Str(_) => to_json(value),
    }
}

/// An event of `@trigger`, or several: Metaflow replaces its mappings by a dictionary, and shows a function by its text.
fn event(value: &Literal) -> Value {
    match value {
        Literal::List(items) => items.iter().map(event).collect(),
        Literal::Dict(members) => {
            if let Some(Literal::Str(name)) = members.get(NAMESPACED) {
                return Value::from(format!("{NAMESPACED}({})", json!(name)));
            }
            let mut shown = Map::new();
            for (name, member) in members {
                shown.insert(name.clone(), event(member));
            }
            let mappings = members
                .get("parameters")
                .map_or_else(|| json!({}), mappings);
            shown.insert("parameters".to_owned(), mappings);
            Value::Object(shown)
        }
        Literal::None
        | Literal::Bool(_)
        | Literal::Int(_)
        | Literal::Float(_)
        | Literal::Str(_) => plain(value),
    }
}

/// Fields by parameter, from any of the forms in which they are written.
fn mappings(value: &Literal) -> Value {
    let Literal::List(items) = value else {
        return plain(value);
    };
    let pairs = items.iter().filter_map(|item| match item {
        Literal::Str(both) => Some((both.clone(), Value::from(&**both))),
        Literal::List(pair) => match &pair[..] {
            [Literal::Str(parameter), field] => Some((parameter.clone(), plain(field))),
            _ => None,
        },
        Literal::None
        | Literal::Bool(_)
        | Literal::Int(_)
        | Literal::Float(_)
        | Literal::Dict(_) => None,
    });
    Value::Object(pairs.collect())
}

/// A default of Metaflow's.
#[derive(Clone, Copy)]
enum Preset {
    Text(&'static str),
    Number(i64),
    Switch(bool),
    Dictionary,
    List,
}

impl Preset {
    fn to_value(self) -> Value {
        match self {
            Self::Text(text) => Value::from(text),
            Self::Number(number) => Value::from(number),
            Self::Switch(on) => Value::from(on),
            Self::Dictionary => json!({}),
            Self::List => json!([]),
        }
    }
}

/// `str(None)`
const NONE: Preset = Preset::Text("None");

/// `defaults` of each decorator class, in their order (`metaflow/plugins`, read at 2.19.38); what a configuration may set is `None` here.
fn defaults(decorator: &str) -> &'static [(&'static str, Preset)] {
    use Preset::{Dictionary, List, Number, Switch, Text};
    match decorator {
        "retry" => &[("times", Text("3")), ("minutes_between_retries", Text("2"))],
        "timeout" => &[
            ("seconds", Number(0)),
            ("minutes", Number(0)),
            ("hours", Number(0)),
        ],
        "catch" => &[("var", NONE), ("print_exception", Switch(true))],
        "environment" => &[("vars", Dictionary)],
        "secrets" => &[
            ("sources", List),
            ("role", NONE),
            ("allow_override", Switch(false)),
        ],
        "resources" => &[
            ("cpu", Text("1")),
            ("gpu", NONE),
            ("disk", NONE),
            ("memory", Text("4096")),
            ("shared_memory", NONE),
        ],
        "batch" => &[
            ("cpu", NONE),
            ("gpu", NONE),
            ("memory", NONE),
            ("image", NONE),
            ("queue", NONE),
            ("iam_role", NONE),
            ("execution_role", NONE),
            ("shared_memory", NONE),
            ("max_swap", NONE),
            ("swappiness", NONE),
            ("inferentia", NONE),
            ("efa", NONE),
            ("host_volumes", NONE),
            ("efs_volumes", NONE),
            ("use_tmpfs", Switch(false)),
            ("aws_batch_tags", Dictionary),
            ("tmpfs_tempdir", Switch(true)),
            ("tmpfs_size", NONE),
            ("tmpfs_path", Text("/metaflow_temp")),
            ("ephemeral_storage", NONE),
            ("log_driver", NONE),
            ("log_options", NONE),
            ("executable", NONE),
            ("privileged", Switch(false)),
        ],
        "kubernetes" => &[
            ("cpu", Text("1")),
            ("memory", Text("4096")),
            ("disk", Text("10240")),
            ("image", NONE),
            ("image_pull_policy", NONE),
            ("image_pull_secrets", NONE),
            ("service_account", NONE),
            ("secrets", NONE),
            ("node_selector", NONE),
            ("namespace", NONE),
            ("gpu", NONE),
            ("gpu_vendor", NONE),
            ("tolerations", NONE),
            ("labels", NONE),
            ("annotations", NONE),
            ("use_tmpfs", NONE),
            ("tmpfs_tempdir", Switch(true)),
            ("tmpfs_size", NONE),
            ("tmpfs_path", Text("/metaflow_temp")),
            ("persistent_volume_claims", NONE),
            ("shared_memory", NONE),
            ("port", NONE),
            ("compute_pool", NONE),
            ("executable", NONE),
            ("hostname_resolution_timeout", Number(600)),
            ("qos", NONE),
            ("extended_resources", Dictionary),
            ("security_context", NONE),
        ],
        "schedule" => &[
            ("cron", NONE),
            ("weekly", Switch(false)),
            ("daily", Switch(true)),
            ("hourly", Switch(false)),
            ("timezone", NONE),
        ],
        "project" => &[
            ("name", NONE),
            ("production", Switch(false)),
            ("branch", NONE),
        ],
        "exit_hook" => &[
            ("on_success", List),
            ("on_error", List),
            ("options", Dictionary),
        ],
        "trigger" => &[("event", NONE), ("events", List), ("options", Dictionary)],
        "trigger_on_finish" => &[("flow", NONE), ("flows", List), ("options", Dictionary)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{plan, source};

    #[test]
    fn events_are_shown_as_metaflow_makes_them() {
        let plan = plan(&source(
            "@trigger(events=['a', {'name': namespaced_event_name('b'), 'parameters': [('x', 'f'), 'y']}, {'name': 'c'}])
class F(FlowSpec):
    x = Parameter('x', default=1)
    y = Parameter('y', default=1)
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
",
        ));
        let shown = &graph_info(&plan)["decorators"][0]["attributes"];
        assert_eq!(
            *shown,
            json!({
                "event": "None",
                "events": [
                    "a",
                    {"name": "namespaced_event_name(\"b\")", "parameters": {"x": "f", "y": "y"}},
                    {"name": "c", "parameters": {}},
                ],
                "options": {},
            })
        );
    }
}
