//! Parameters: names, types and defaults.

use std::collections::HashMap;

use super::decorators::{describe, number, whole};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Flow, Literal, Parameter, ParameterDefault, ParameterType};
use crate::python_json;
use crate::source::{SourceTree, Span};

/// Names that Metaflow keeps for its own options (metaflow/parameters.py, `Parameter.__init__`, read at 2.19.38); `-` may also be written `_`.
const RESERVED: [&str; 15] = [
    "params",
    "with",
    "tag",
    "namespace",
    "obj",
    "tags",
    "decospecs",
    "run-id-file",
    "max-num-splits",
    "max-workers",
    "max-log-size",
    "user-namespace",
    "run-id",
    "task-id",
    "runner-attribute-file",
];

/// Options of `flowc run`; ours win over a parameter of the same name, which `--param NAME=VALUE` reaches.
const OPTIONS: [&str; 15] = [
    "max-workers",
    "max-num-splits",
    "tag",
    "run-id-file",
    "store",
    "python",
    "no-fork",
    "param",
    "help",
    "message-format",
    "profile",
    "target",
    "branch",
    "production",
    "trigger",
];

/// Checks all parameters, and that a scheduled flow can start without being asked anything.
pub(super) fn check(tree: &SourceTree, flow: &Flow) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let mut seen: HashMap<String, &Parameter> = HashMap::new();
    for parameter in &flow.parameters {
        check_name(parameter, &mut diagnostics);
        let name = &parameter.name.value;
        if let Some(earlier) = seen.get(&name.to_lowercase()) {
            let mut found = Diagnostic::error(
                Code::FC0210,
                format!("two parameters are called `{name}`"),
                parameter.name.span,
                "the same name again",
            )
            .label(earlier.name.span, "first used here");
            if earlier.name.value != *name {
                found = found.note("names of parameters are compared without regard to case");
            }
            diagnostics.push(found.help("give one of them another name"));
        } else {
            seen.insert(name.to_lowercase(), parameter);
        }
        check_default(tree, parameter, &mut diagnostics);
        check_separator(parameter, &mut diagnostics);
    }
    check_schedule(flow, &mut diagnostics);
    diagnostics
}

fn check_name(parameter: &Parameter, diagnostics: &mut Diagnostics) {
    let (name, span) = (parameter.name.value.as_str(), parameter.name.span);
    if RESERVED.contains(&name.replace('_', "-").as_str()) {
        diagnostics.push(
            Diagnostic::error(
                Code::FC0209,
                format!("`{name}` is a reserved word"),
                span,
                "cannot be the name of a parameter",
            )
            .note(format!("reserved: {}", RESERVED.join(", ")))
            .help("choose another name; the attribute of the class may keep its own"),
        );
        return;
    }
    let starts_well = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    let stray = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    if !starts_well || stray.is_some() {
        let label = match stray {
            Some(stray) => format!("`{}` is not allowed", stray.escape_debug()),
            None => "must start with a letter or an underscore".to_owned(),
        };
        diagnostics.push(
            Diagnostic::error(
                Code::FC0220,
                format!("invalid parameter name `{}`", name.escape_debug()),
                span,
                label,
            )
            .help(
                "use letters, digits, `_` and `-`: the name becomes an option on the command line",
            ),
        );
        return;
    }
    if OPTIONS.contains(&name.replace('_', "-").as_str()) {
        diagnostics.push(
            Diagnostic::warning(
                Code::FC0217,
                format!("parameter `{name}` has the name of an option of `flowc run`"),
                span,
                format!("`--{name}` means flowc's own option"),
            )
            .help(format!("give it as `--param {name}=VALUE`")),
        );
    }
}

fn check_default(tree: &SourceTree, parameter: &Parameter, diagnostics: &mut Diagnostics) {
    let Some(default) = &parameter.default else {
        return;
    };
    let Some(ty) = &parameter.ty else { return };
    let (fits, shown, value) = match &default.value {
        ParameterDefault::Literal(value) => {
            let fits = convert(ty.value, value).is_some() || is_python_number(ty.value, value);
            (fits, describe(value).to_owned(), value)
        }
        ParameterDefault::Native { text, ty: own } => {
            (takes(ty.value, *own), format!("`{text}`"), &Literal::None)
        }
        ParameterDefault::Computed(_) => return,
    };
    if fits {
        return;
    }
    let name = &parameter.name.value;
    let wanted = type_name(ty.value);
    let mut found = Diagnostic::error(
        Code::FC0211,
        format!("default of parameter `{name}` is no `{wanted}`"),
        default.span,
        match (ty.value, value) {
            (ParameterType::Json, Literal::Str(_)) => "not JSON".to_owned(),
            _ => format!("this is {shown}"),
        },
    )
    .label(ty.span, format!("`{wanted}` is asked for here"));
    found = match (ty.value, value) {
        (ParameterType::Str, Literal::Int(_) | Literal::Float(_) | Literal::Bool(_)) => found.fix(
            default.span,
            format!("\"{}\"", tree.text(default.span)),
            "write it as a string",
        ),
        _ => found.help("change the default or the type"),
    };
    diagnostics.push(found);
}

fn check_separator(parameter: &Parameter, diagnostics: &mut Diagnostics) {
    let Some(separator) = &parameter.separator else {
        return;
    };
    let name = &parameter.name.value;
    let literal = match &parameter.default {
        Some(default) => match &default.value {
            ParameterDefault::Literal(literal) => Some((literal, default.span)),
            ParameterDefault::Native { .. } | ParameterDefault::Computed(_) => None,
        },
        None => None,
    };
    let other: Option<(String, Span)> = match (&parameter.ty, literal) {
        (Some(ty), _) if ty.value != ParameterType::Str => {
            Some((format!("the type is `{}`", type_name(ty.value)), ty.span))
        }
        (None, Some((value, span))) if !matches!(value, Literal::Str(_) | Literal::None) => {
            Some((format!("the default is {}", describe(value)), span))
        }
        _ => None,
    };
    if let Some((text, span)) = other {
        diagnostics.push(
            Diagnostic::error(
                Code::FC0212,
                format!("parameter `{name}` has a separator but is no string"),
                separator.span,
                "only a string can be split",
            )
            .label(span, text)
            .help("take the separator away, or use `type=str`"),
        );
    } else if separator.value.is_empty() {
        diagnostics.push(
            Diagnostic::warning(
                Code::FC0212,
                format!("the separator of parameter `{name}` is empty"),
                separator.span,
                "has no effect",
            )
            .help("give at least one character, such as `separator=\",\"`"),
        );
    }
}

fn check_schedule(flow: &Flow, diagnostics: &mut Diagnostics) {
    let schedule = flow
        .decorators
        .iter()
        .find(|decorator| decorator.name.value == "schedule");
    let Some(schedule) = schedule else { return };
    for parameter in &flow.parameters {
        let none = ParameterDefault::Literal(Literal::None);
        let has_default = parameter
            .default
            .as_ref()
            .is_some_and(|default| default.value != none);
        if !parameter.required || has_default {
            continue;
        }
        let name = &parameter.name.value;
        diagnostics.push(
            Diagnostic::error(
                Code::FC0213,
                format!("scheduled flow has the required parameter `{name}`"),
                parameter.span,
                "nobody gives it a value when the schedule starts a run",
            )
            .label(schedule.span, "scheduled here")
            .help(format!("give `{name}` a default")),
        );
    }
}

/// As written in Python.
fn type_name(ty: ParameterType) -> &'static str {
    match ty {
        ParameterType::Str => "str",
        ParameterType::Int => "int",
        ParameterType::Float => "float",
        ParameterType::Bool => "bool",
        ParameterType::Json => "JSONType",
    }
}

/// The value as the type asks for it, where nothing is lost: `"5"` is an `int`, `1` a `float`, and `None` is anything.
pub(crate) fn convert(ty: ParameterType, value: &Literal) -> Option<Literal> {
    match (ty, value) {
        (_, Literal::None) => Some(Literal::None),
        (ParameterType::Json, Literal::Str(text)) => {
            python_json::check(text).is_ok().then(|| value.clone())
        }
        (ParameterType::Json, _)
        | (ParameterType::Str, Literal::Str(_))
        | (ParameterType::Bool, Literal::Bool(_)) => Some(value.clone()),
        (ParameterType::Int, _) => whole(value).map(Literal::Int),
        (ParameterType::Float, _) => number(value).map(Literal::Float),
        (ParameterType::Bool, Literal::Str(text)) => truth(text).map(Literal::Bool),
        (ParameterType::Str | ParameterType::Bool, _) => None,
    }
}

/// Whether a parameter takes a default of another type: Python makes a float of an integer.
fn takes(wanted: ParameterType, own: ParameterType) -> bool {
    wanted == own
        || wanted == ParameterType::Json
        || (wanted == ParameterType::Float && own == ParameterType::Int)
}

/// Whether a text is a number that Python's type takes and [`convert`] has no value for: `"nan"`, or one of more than 64 bits.
pub(crate) fn is_python_number(ty: ParameterType, value: &Literal) -> bool {
    let Literal::Str(text) = value else {
        return false;
    };
    let text = text.trim();
    match ty {
        ParameterType::Float => text.parse::<f64>().is_ok(),
        ParameterType::Int => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        ParameterType::Str | ParameterType::Bool | ParameterType::Json => false,
    }
}

/// The words that Metaflow's command line takes for booleans (click, `BoolParamType`).
fn truth(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" => Some(true),
        "false" | "f" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}
