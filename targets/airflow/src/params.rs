//! Parameters of the flow as Airflow's params: checked when a run is made, shown in its form.

use flowc_core::ir::flow::{Literal, ParameterType};
use flowc_core::ir::plan::PlanParameter;

use crate::layout::Expr;

/// The input that makes a run continue an earlier one, empty by default.
pub(crate) const RESUME: &str = "flowc_run";

/// The dictionary for `params=`, parameters in source order.
pub(crate) fn params(parameters: &[PlanParameter]) -> Expr {
    let mut params: Vec<_> = parameters
        .iter()
        .map(|parameter| (parameter.name.clone(), param(parameter)))
        .collect();
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

fn param(parameter: &PlanParameter) -> Expr {
    let mut types = types(parameter);
    let default = match &parameter.default {
        Some(default) => vec![Expr::Data(default.clone())],
        // Without a default Airflow asks for a value.
        None if parameter.required => Vec::new(),
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
