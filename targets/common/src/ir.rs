//! `flow.ir.json`, which stands beside every bundle.

use flowc_core::ir::plan::{Attributes, Plan, PlanParameter, PlanStep, StepId};
use flowc_core::ir::project::Project;
use flowc_protocol::flow_ir::{self, FlowIr};
use indexmap::IndexMap;
use serde_json::Value;

use crate::BundleFile;
use crate::literal::{as_text, to_json};
use crate::manifest::{parameter_type, step_kind, triggers};
use crate::writer;

/// Prints the view of the plan that policy tools read.
pub fn flow_ir(plan: &Plan) -> BundleFile {
    let view = FlowIr {
        version: flow_ir::VERSION,
        flow: plan.flow.clone(),
        file: plan.file.clone(),
        doc: plan.doc.clone(),
        project: plan.project.as_ref().map(|project| project.name.clone()),
        branch: plan.project.as_ref().and_then(Project::branch_name),
        schedule: plan.schedule.as_ref().map(|schedule| flow_ir::Schedule {
            cron: schedule.cron.clone(),
            timezone: schedule.timezone.clone(),
        }),
        triggers: triggers(plan),
        trigger_reset: plan
            .triggers
            .as_ref()
            .and_then(|triggers| triggers.reset.as_ref())
            .map(|reset| flow_ir::Schedule {
                cron: reset.cron.clone(),
                timezone: reset.timezone.clone(),
            }),
        described: plan.described,
        parameters: plan.parameters.iter().map(parameter).collect(),
        steps: plan.steps.iter().map(|(_, one)| step(plan, one)).collect(),
    };
    // The view holds only texts, numbers and lists with text keys, which always become JSON.
    let value = serde_json::to_value(&view).unwrap_or(Value::Null);
    BundleFile {
        path: flow_ir::FILE_NAME.to_owned(),
        text: writer::json(&value),
    }
}

fn parameter(parameter: &PlanParameter) -> flow_ir::Parameter {
    flow_ir::Parameter {
        name: parameter.name.clone(),
        ty: parameter_type(parameter.ty),
        default: parameter.default.as_ref().map(to_json),
        required: parameter.required,
    }
}

fn step(plan: &Plan, step: &PlanStep) -> flow_ir::Step {
    let names = |ids: &[StepId]| ids.iter().map(|id| plan.steps[*id].name.clone()).collect();
    let resources = step.resources;
    flow_ir::Step {
        name: step.name.clone(),
        kind: step_kind(&step.kind),
        line: step.line,
        next: names(&step.next),
        foreach: names(&step.foreach),
        resources: flow_ir::Resources {
            cpu_milli: resources.cpu_milli,
            memory_mib: resources.memory_mib,
            gpu: resources.gpu,
            disk_mib: resources.disk_mib,
            shared_memory_mib: resources.shared_memory_mib,
        },
        image: image(step),
        retries: step.retry.times,
        timeout_s: step.timeout_s,
        catch: step.catch.is_some(),
        environment: step.environment.keys().cloned().collect(),
        secrets: secrets(step),
        attributes: [("batch", &step.batch), ("kubernetes", &step.kubernetes)]
            .into_iter()
            .filter_map(|(name, written)| Some((name.to_owned(), attributes(written.as_ref()?))))
            .collect(),
    }
}

/// What `@secrets` refers to.
fn secrets(step: &PlanStep) -> Vec<String> {
    let sources = step.secrets.iter().flat_map(|secrets| &secrets.sources);
    sources
        .map(|source| match source.backend {
            Some(backend) => format!("{}.{}", backend.name(), source.id),
            None => source.id.clone(),
        })
        .collect()
}

fn attributes(written: &Attributes) -> IndexMap<String, Value> {
    let values = written.values.iter();
    values
        .map(|(name, (value, _))| (name.clone(), to_json(value)))
        .collect()
}

/// The image that a step names itself.
fn image(step: &PlanStep) -> Option<String> {
    let written = [&step.batch, &step.kubernetes].into_iter().flatten();
    written
        .filter_map(|attributes| attributes.values.get("image"))
        .find_map(|(value, _)| as_text(value).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{plan, source};

    #[test]
    fn the_view_has_what_a_policy_asks_for_and_no_secret() {
        let plan = plan(&source(
            "@schedule(daily=True)
@project(name='shop', branch='next')
@trigger(events=[namespaced_event_name('new'), {'name': 'b', 'parameters': {'alpha': 'x'}}], options={'reset_at': {'cron': '0 6 * * *'}})
class F(FlowSpec):
    alpha = Parameter('alpha', default=0.5)
    @environment(vars={'TOKEN': 'hush'})
    @secrets(sources=['db', {'type': 'inline', 'id': 'i', 'options': {'env_vars': {'A': 'hush'}}}])
    @retry(times=2)
    @kubernetes(image='a:1', cpu=2)
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
",
        ));
        let file = flow_ir(&plan);
        assert_eq!(file.path, "flow.ir.json");
        assert!(!file.text.contains("hush"));
        let back: FlowIr = serde_json::from_str(&file.text).unwrap();
        assert_eq!((back.version, back.project.as_deref()), (1, Some("shop")));
        assert_eq!(back.branch.as_deref(), Some("test.next"));
        let view: Value = serde_json::from_str(&file.text).unwrap();
        assert_eq!(
            view["parameters"],
            json!([{"name": "alpha", "type": "float", "default": 0.5, "required": false}])
        );
        assert_eq!(
            view["triggers"],
            json!([
                {"type": "event", "name": "mfns.shop.test.next.new"},
                {"type": "event", "name": "b", "parameters": {"alpha": "x"}},
            ])
        );
        assert_eq!(view["trigger_reset"], json!({"cron": "0 6 * * *"}));
        let start = &view["steps"][0];
        assert_eq!(start["environment"], json!(["TOKEN"]));
        assert_eq!(start["secrets"], json!(["db", "inline.i"]));
        assert_eq!(
            (&start["image"], &start["retries"]),
            (&json!("a:1"), &json!(2))
        );
        assert_eq!(start["resources"]["cpu_milli"], 2000);
        assert_eq!(start["next"], json!(["end"]));
    }
}
