//! Names in the generated file and in Airflow.

use flowc_core::ir::plan::{Plan, StepId};
use flowc_target::{Case, NameRule};

use crate::groups::Group;

/// A DAG's id.
/// Airflow: letters, digits, `_`, `-` and `.`, at most 250 (`airflow/utils/helpers.py`, `validate_key`, read in 2.11.2).
/// It names the file too, so a name starts and ends with a letter or digit.
const DAG_ID: NameRule = NameRule {
    what: "DAG",
    max: 250,
    case: Case::Any,
    inner: "_-.",
    underscore: '_',
    reserved: &[],
    reserved_prefix: "",
};

/// The DAG's id: the flow's name, with its project's and branch's in front as in Metaflow.
/// It holds a dot exactly if there is a project.
pub(crate) fn dag_id(plan: &Plan) -> String {
    match &plan.project {
        Some(project) => legal_id(&project.flow_name(&plan.flow)),
        None => legal_id(&plan.flow),
    }
}

/// The id of the DAG of a flow of this name, its project's and branch's in front.
pub(crate) fn legal_id(name: &str) -> String {
    DAG_ID.legal(name)
}

/// Longest task id, in bytes. Airflow: 250, as for DAGs.
pub(crate) const TASK_ID_MAX: usize = 250;

/// Longest name of a foreach step, in bytes, since a task group's id has more behind it.
/// Airflow: group ids have at most 200 characters (`airflow/utils/helpers.py`, `validate_group_key`, read in 2.11.2).
pub(crate) const FOREACH_MAX: usize = 200 - "-foreach-999".len();

/// Lower-case names that the fixed part of the file uses and that a step's variable must not hide.
/// A test compares the list with the file.
const TAKEN: &[&str] = &[
    "any",
    "args",
    "asset",
    "assets",
    "b64encode",
    "before",
    "begin",
    "block",
    "cause",
    "chosen",
    "code",
    "conf",
    "context",
    "copy",
    "count",
    "dag",
    "dag_run",
    "datetime",
    "dict",
    "done",
    "ended",
    "enumerate",
    "env",
    "error",
    "event",
    "events",
    "foreach",
    "hasattr",
    "index",
    "index_paths",
    "int",
    "json",
    "k8s",
    "kwargs",
    "len",
    "limit",
    "limited",
    "limits",
    "looks",
    "mappable",
    "max",
    "name",
    "number",
    "outer_paths",
    "params",
    "place",
    "pod",
    "pull",
    "pulled",
    "range",
    "remote_pod",
    "requests",
    "resumed",
    "run",
    "s",
    "same",
    "self",
    "shim",
    "size",
    "skipped",
    "statuses",
    "str",
    "super",
    "switch",
    "task_group",
    "ti",
    "time",
    "timedelta",
    "timetable",
    "timezone",
    "told",
    "triggers",
    "value",
    "when",
];

/// The variable that holds a step's operator: the step's name, with `_` at its end if the file uses that name itself.
pub(crate) fn variable(step: &str) -> String {
    if TAKEN.contains(&step.trim_end_matches('_')) {
        format!("{step}_")
    } else {
        step.to_owned()
    }
}

/// The function that holds several steps of the body of a foreach.
/// No step's name starts with an underscore.
pub(crate) fn body_function(plan: &Plan, group: &Group) -> String {
    let split = &plan.steps[group.split].name;
    match group.number {
        0 => format!("_{split}_foreach"),
        number => format!("_{split}_foreach_{}", number + 1),
    }
}

/// The task group of several steps of the body of a foreach.
/// No step's name holds a hyphen, and groups share their names with tasks.
pub(crate) fn body_group(plan: &Plan, group: &Group) -> String {
    let split = &plan.steps[group.split].name;
    match group.number {
        0 => format!("{split}-foreach"),
        number => format!("{split}-foreach-{}", number + 1),
    }
}

/// The variable of the task that lists the index paths of an inner foreach.
/// The names of functions never end with `_paths`.
pub(crate) fn paths_variable(plan: &Plan, split: StepId) -> String {
    format!("_{}_paths", plan.steps[split].name)
}

/// What follows the split's name in the id of that task.
pub(crate) const PATHS: &str = "-paths";

#[cfg(test)]
pub(crate) fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
}

#[cfg(test)]
mod tests {
    use flowc_target::testing::{linear, plan};

    use super::*;

    fn named(project: &str, branch: &str) -> String {
        let decorator = format!("@project(name='{project}', {branch})\nclass F(");
        dag_id(&plan(&linear(2).replace("class F(", &decorator)))
    }

    #[test]
    fn branches_have_names_of_their_own() {
        assert_eq!(named("shop", "production=True"), "shop.prod.F");
        let long = "x".repeat(128);
        let names = [
            named("shop", "branch='next'"),
            named("shop", "branch='next', production=True"),
            named("shop", "branch='prod'"),
            named("shop_prod", "production=True"),
            named("shop", "branch='prod', production=True"),
            named("shop", "branch='_'"),
            named("shop_", "branch='_x'"),
            named("shop", "branch='x_'"),
            named("shop", "branch='x'"),
            named(&long, &format!("branch='{long}'")),
            named(&long, &format!("branch='{long}', production=True")),
        ];
        for (place, name) in names.iter().enumerate() {
            assert!(DAG_ID.holds(name), "{name}");
            assert!(!names[..place].contains(name), "{name}");
        }
        assert_eq!(names[0], "shop.test.next.F");
    }
}
