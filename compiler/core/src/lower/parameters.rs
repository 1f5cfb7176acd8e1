//! Parameters with their types resolved.

use crate::check::convert;
use crate::ir::flow::{Literal, Parameter, ParameterDefault, ParameterType};
use crate::ir::plan::PlanParameter;

/// Fills in the type from the default, and gives the default the type that was asked for.
pub(super) fn resolve(parameter: &Parameter) -> PlanParameter {
    let separator = parameter.separator.as_ref().map(|it| it.value.clone());
    let separator = separator.filter(|text| !text.is_empty());
    let (literal, computed) = match parameter.default.as_ref().map(|it| &it.value) {
        Some(ParameterDefault::Literal(literal)) => (Some(literal), None),
        Some(ParameterDefault::Computed(text)) => (None, Some(text.clone())),
        None => (None, None),
    };
    let ty = match &parameter.ty {
        Some(ty) => ty.value,
        None if separator.is_some() => ParameterType::Str,
        None => literal.map_or(ParameterType::Str, type_of),
    };
    let default = literal.filter(|literal| **literal != Literal::None);
    PlanParameter {
        name: parameter.name.value.clone(),
        attribute: parameter.attribute.value.clone(),
        ty,
        default: default.and_then(|it| convert(ty, it)),
        computed_default: computed,
        required: parameter.required,
        separator,
        file: parameter.file,
        help: parameter.help.clone(),
        span: parameter.span,
    }
}

/// As Metaflow, which asks for the type of the default.
fn type_of(default: &Literal) -> ParameterType {
    match default {
        Literal::None | Literal::Str(_) => ParameterType::Str,
        Literal::Bool(_) => ParameterType::Bool,
        Literal::Int(_) => ParameterType::Int,
        Literal::Float(_) => ParameterType::Float,
        Literal::List(_) | Literal::Dict(_) => ParameterType::Json,
    }
}
