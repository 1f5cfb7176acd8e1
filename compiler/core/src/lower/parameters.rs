//! Parameters with their types resolved.

use crate::check::{convert, is_python_number};
use crate::ir::flow::{Literal, Parameter, ParameterDefault, ParameterType};
use crate::ir::plan::PlanParameter;
use crate::show::python;

/// Fills in the type from the default, and gives the default the type that was asked for.
pub(super) fn resolve(parameter: &Parameter) -> PlanParameter {
    let separator = parameter.separator.as_ref().map(|it| it.value.clone());
    let separator = separator.filter(|text| !text.is_empty());
    let (mut literal, mut native, mut computed) = (None, None, None);
    let mut native_type = None;
    match parameter.default.as_ref().map(|it| &it.value) {
        Some(ParameterDefault::Literal(value)) => literal = Some(value),
        Some(ParameterDefault::Native { text, ty }) => {
            native = Some(text.clone());
            native_type = Some(*ty);
        }
        Some(ParameterDefault::Computed(text)) => computed = Some(text.clone()),
        None => {}
    }
    let ty = match &parameter.ty {
        Some(ty) => ty.value,
        None if separator.is_some() => ParameterType::Str,
        None => native_type.unwrap_or_else(|| literal.map_or(ParameterType::Str, type_of)),
    };
    let default = literal.filter(|literal| **literal != Literal::None);
    let converted = default.and_then(|it| convert(ty, it));
    if converted.is_none() {
        let number = default.filter(|it| is_python_number(ty, it));
        native = native.or_else(|| number.map(python));
    }
    PlanParameter {
        name: parameter.name.value.clone(),
        attribute: parameter.attribute.value.clone(),
        ty,
        default: converted,
        native_default: native,
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
