//! Parameters of the flow as Airflow's params: checked when a run is made, shown in its form.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::{Literal, ParameterType};
use flowc_core::ir::plan::{Plan, PlanParameter};
use flowc_target::literal::to_json;
use serde_json::Value;

use crate::layout::Expr;
use crate::size::{LIMIT, encoded};
use crate::triggers;

/// The input that makes a run continue an earlier one, empty by default.
pub(crate) const RESUME: &str = "flowc_run";

/// The dictionary for `params=`, parameters in source order.
pub(crate) fn params(plan: &Plan) -> Expr {
    let needed: Vec<&str> = triggers::needed(plan).collect();
    let param = |parameter: &PlanParameter| {
        let may_lack = !parameter.required || needed.contains(&parameter.name.as_str());
        (parameter.name.clone(), param(parameter, may_lack))
    };
    let mut params: Vec<_> = plan.parameters.iter().map(param).collect();
    let resume = vec![
        ("type", Expr::text("string")),
        ("pattern", Expr::text("^[A-Za-z0-9._-]*$")),
        ("description", Expr::text("Run to continue")),
    ];
    params.push((
        RESUME.to_owned(),
        Expr::Call("Param".to_owned(), vec![Expr::text("")], resume),
    ));
    Expr::Dict(params)
}

/// Refuses texts that Airflow cannot keep: the JSON of its database, Postgres, has no NUL, and a DAG that holds one ends the DAG
/// processor of Airflow 3.3 for all others, too.
pub(crate) fn check_texts(plan: &Plan, found: &mut Diagnostics) {
    let mut refuse = |what: String, span| {
        let message = format!("airflow cannot keep {what}: it holds NUL");
        found.push(Diagnostic::error(Code::FC0308, message, span, "here"));
    };
    if plan.doc.as_ref().is_some_and(|doc| doc.contains('\0')) {
        refuse("the flow's docstring".to_owned(), plan.span);
    }
    for parameter in &plan.parameters {
        let help = parameter.help.as_ref();
        if parameter.default.as_ref().is_some_and(holds_nul) {
            refuse(
                format!("the default of the parameter `{}`", parameter.name),
                parameter.span,
            );
        } else if help.is_some_and(|help| help.contains('\0')) {
            refuse(
                format!("the help of the parameter `{}`", parameter.name),
                parameter.span,
            );
        }
    }
}

/// Refuses defaults with which no pod of a scheduled run would start.
pub(crate) fn check_size(plan: &Plan, found: &mut Diagnostics) {
    let default =
        |parameter: &PlanParameter| parameter.default.as_ref().map_or(Value::Null, to_json);
    let given: Vec<_> = plan
        .parameters
        .iter()
        .filter(|parameter| !parameter.required)
        .collect();
    let all = given
        .iter()
        .map(|parameter| (parameter.name.clone(), default(parameter)));
    let size = encoded(&all.collect());
    if size <= LIMIT {
        return;
    }
    let largest = given
        .iter()
        .max_by_key(|parameter| default(parameter).to_string().len());
    let Some(largest) = largest else { return };
    let message = format!(
        "the defaults of the parameters are {size} bytes long as a pod gets them, and it can be given {LIMIT}"
    );
    let label = format!("`{}` is the longest", largest.name);
    found.push(
        Diagnostic::error(Code::FC0308, message, largest.span, label)
            .help("put large values into a file or the store, and give its address"),
    );
}

fn holds_nul(literal: &Literal) -> bool {
    match literal {
        Literal::None | Literal::Bool(_) | Literal::Int(_) | Literal::Float(_) => false,
        Literal::Str(text) => text.contains('\0'),
        Literal::List(items) => items.iter().any(holds_nul),
        Literal::Dict(entries) => entries
            .iter()
            .any(|(key, value)| key.contains('\0') || holds_nul(value)),
    }
}

fn param(parameter: &PlanParameter, may_lack: bool) -> Expr {
    let mut types = types(parameter);
    let default = match &parameter.default {
        Some(default) => vec![Expr::Data(default.clone())],
        // Without a default Airflow asks for a value.
        None if !may_lack => Vec::new(),
        None => {
            if !types.contains(&"null") {
                types.insert(0, "null");
            }
            vec![Expr::Data(Literal::None)]
        }
    };
    let types = match types[..] {
        [only] => Expr::text(only),
        _ => Expr::List(types.into_iter().map(Expr::text).collect()),
    };
    let mut arguments = vec![("type", types)];
    if let Some(help) = &parameter.help {
        arguments.push(("description", Expr::text(help.as_str())));
    }
    Expr::Call("Param".to_owned(), default, arguments)
}

/// JSON schema's names for the type.
fn types(parameter: &PlanParameter) -> Vec<&'static str> {
    if parameter.separator.is_some() {
        return vec!["string", "array"];
    }
    match parameter.ty {
        ParameterType::Str => vec!["string"],
        ParameterType::Int => vec!["integer"],
        ParameterType::Float => vec!["number"],
        ParameterType::Bool => vec!["boolean"],
        ParameterType::Json => {
            vec!["null", "boolean", "number", "string", "array", "object"]
        }
    }
}
