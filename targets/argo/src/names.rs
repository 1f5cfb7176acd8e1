//! Names of the objects that belong to a flow, and of templates and tasks.

use flowc_core::ir::plan::Plan;
use flowc_target::{Case, NameRule, sha256_hex};

/// Object names: a DNS subdomain; a `CronWorkflow`'s is at most 52, since Argo adds a time stamp to make the Workflow's,
/// which Kubernetes limits to 63 (workflow/validate, `ValidateCronWorkflow`). Ours leave room for `flowc-` in front.
const OBJECT: NameRule = NameRule {
    what: "workflow template",
    max: 45,
    case: Case::Lower,
    inner: "-.",
    underscore: '-',
    reserved: &[],
    reserved_prefix: "",
};

/// Kubernetes: label values are at most 63 of letters, digits, `-`, `_` and `.`.
const LABEL: NameRule = NameRule {
    what: "label",
    max: 63,
    case: Case::Any,
    inner: "-_.",
    underscore: '_',
    reserved: &[],
    reserved_prefix: "",
};

/// Template and task names: `[a-zA-Z0-9][-a-zA-Z0-9]*`, at most 128 (workflow/validate, `workflowFieldMaxLength`);
/// shorter, since a task's name is part of its nodes' names. Words of Argo's expression language, in which `depends` is
/// evaluated after `-` became `_`, get a prefix.
pub(crate) const TASK: NameRule = NameRule {
    what: "task",
    max: 63,
    case: Case::Lower,
    inner: "-",
    underscore: '-',
    reserved: EXPRESSION_WORDS,
    reserved_prefix: "s-",
};

/// Operators, literals and functions of expr-lang 1.17 (docs/language-definition.md) and what Argo adds to it.
const EXPRESSION_WORDS: &[&str] = &[
    "abs",
    "all",
    "and",
    "any",
    "array",
    "asfloat",
    "asint",
    "bitand",
    "bitnand",
    "bitnot",
    "bitor",
    "bitshl",
    "bitshr",
    "bitushr",
    "bitxor",
    "ceil",
    "concat",
    "contains",
    "count",
    "date",
    "duration",
    "else",
    "endswith",
    "env",
    "false",
    "filter",
    "find",
    "findindex",
    "findlast",
    "findlastindex",
    "first",
    "flatten",
    "float",
    "floor",
    "frombase64",
    "fromjson",
    "frompairs",
    "get",
    "groupby",
    "hasprefix",
    "hassuffix",
    "if",
    "in",
    "indexof",
    "int",
    "item",
    "join",
    "jsonpath",
    "keys",
    "last",
    "lastindexof",
    "len",
    "let",
    "lower",
    "map",
    "matches",
    "max",
    "mean",
    "median",
    "min",
    "nil",
    "none",
    "not",
    "now",
    "one",
    "or",
    "reduce",
    "repeat",
    "replace",
    "reverse",
    "round",
    "sort",
    "sortby",
    "split",
    "splitafter",
    "sprig",
    "startswith",
    "string",
    "sum",
    "take",
    "timezone",
    "tobase64",
    "tojson",
    "topairs",
    "trim",
    "trimprefix",
    "trimsuffix",
    "true",
    "type",
    "uniq",
    "upper",
    "values",
];

/// What a flow's objects are called: the flow's name, with its project's and branch's in front as in Metaflow.
///
/// The names are joined by dots, since a hyphen may stand for an underscore of one of them. Kubernetes wants each part
/// to begin and end with a letter or digit (DNS-1123 subdomain), so underscores there give way to a digest.
fn base(plan: &Plan) -> String {
    let Some(project) = &plan.project else {
        return plan.flow.clone();
    };
    let name = project.flow_name(&plan.flow);
    if !name.contains("_.") && !name.contains("._") {
        return name;
    }
    let parts = name.split('.').map(|part| match part.trim_matches('_') {
        "" => "x",
        trimmed => trimmed,
    });
    let parts: Vec<&str> = parts.collect();
    format!("{}-{}", parts.join("."), &sha256_hex(name.as_bytes())[..8])
}

/// Name of the flow's `WorkflowTemplate` and `CronWorkflow`.
pub fn template_name(plan: &Plan) -> String {
    OBJECT.legal(&base(plan))
}

/// Name of the flow's own service account.
pub(crate) fn service_account(plan: &Plan) -> String {
    format!("flowc-{}", template_name(plan))
}

/// Name of the service account by which Argo Events starts the flow.
pub(crate) fn events_account(plan: &Plan) -> String {
    format!("{}-events", service_account(plan))
}

/// An object's name as a DNS label: hyphens for dots, and a digest so that no two names become one.
pub(crate) fn without_dots(name: &str) -> String {
    if !name.contains('.') {
        return name.to_owned();
    }
    let digest = &sha256_hex(name.as_bytes())[..8];
    format!("{}-{digest}", name.replace('.', "-"))
}

/// A text as a label's value.
pub(crate) fn label(text: &str) -> String {
    LABEL.legal(text)
}

/// Name of the template that runs the whole flow. Step names have no upper case, so none clashes with it.
pub(crate) const ENTRYPOINT: &str = "Flow";

/// Name of the template, and of the task, that runs the body of a foreach of more than one step.
pub(crate) fn body(split: &str) -> String {
    format!("Foreach-{split}")
}

/// Name of the template that runs when the Workflow has ended.
pub(crate) const EXIT: &str = "Exit";

/// Name of the task that calls the exit hooks.
pub(crate) const EXIT_HOOKS: &str = "exit-hooks";

/// Name of its template: it is part of a pod's name, which has no upper case, and no step's name begins with a digit.
pub(crate) const EXIT_CONTAINER: &str = "0-exit-hooks";

/// Name of the template that runs nothing: a task of it says that a switch made a certain choice.
pub(crate) const CHOICE: &str = "Choice";

/// Name of the task that succeeds if the switch chose its successor at `place`, counted from 1.
pub(crate) fn choice(switch: &str, place: usize) -> String {
    format!("{CHOICE}-{place}-{switch}")
}

#[cfg(test)]
mod tests {
    use flowc_target::testing::{linear, plan};

    use super::*;

    fn named(project: &str, branch: &str) -> String {
        let decorator = format!("@project(name='{project}', {branch})\nclass F(");
        template_name(&plan(&linear(2).replace("class F(", &decorator)))
    }

    #[test]
    fn branches_have_names_of_their_own() {
        assert_eq!(named("shop", "production=True"), "shop.prod.f");
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
            assert!(OBJECT.holds(name), "{name}");
            // Each part is a DNS label.
            assert!(!name.contains("-.") && !name.contains(".-"), "{name}");
            assert!(!names[..place].contains(name), "{name}");
        }
        assert_eq!(names[0], "shop.test.next.f");
    }
}
