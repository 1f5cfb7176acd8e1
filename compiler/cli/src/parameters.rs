//! Values for a flow's parameters, checked against the declared types before anything runs.

use std::ffi::OsString;

use flowc_core::diag::{Code, Diagnostic, Diagnostics, Severity, suggest};
use flowc_core::ir::flow::ParameterType;
use flowc_core::ir::plan::{Plan, PlanParameter};
use flowc_core::python_json;
use flowc_protocol::json_text::{JsonText, Members};
use indexmap::IndexMap;
use serde_json::{Number, Value};

use crate::words::{GivenValue, OptionRow};

/// The command on whose line the values stand.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    /// `flowc run`
    pub(crate) name: &'static str,
    /// Its own options.
    pub(crate) options: &'static [OptionRow],
    /// Options of Metaflow's own command, and what to do instead.
    pub(crate) foreign: &'static [(&'static str, &'static str)],
}

impl Command {
    /// What to do in the place of an option that people know from Metaflow.
    pub(crate) fn instead_of(self, name: &str) -> Option<String> {
        let (_, instead) = self.foreign.iter().find(|(option, _)| *option == name)?;
        Some(format!("`--{name}` is an option of Metaflow: {instead}"))
    }
}

/// Parameters that were given a value, by name; each value is the text as typed, which the harness converts as Metaflow does.
///
/// The command line wins over `METAFLOW_RUN_<NAME>`, a later value over an earlier one.
pub(crate) fn collect(
    plan: &Plan,
    given: &[GivenValue],
    variable: &dyn Fn(&str) -> Option<OsString>,
    command: Command,
) -> (IndexMap<String, String>, Diagnostics) {
    let mut values = IndexMap::new();
    let mut found = Diagnostics::default();
    for parameter in &plan.parameters {
        let name = variable_name(&parameter.name);
        let value = variable(&name).filter(|value| !value.is_empty());
        if let Some(value) = value {
            match check(parameter, &value) {
                Ok(text) => {
                    values.insert(parameter.name.clone(), text);
                }
                Err(wrong) => found.push(wrong_value(parameter, &name, &wrong)),
            }
        }
    }
    for given in given {
        let parameter = plan
            .parameters
            .iter()
            .find(|parameter| parameter.name == given.name);
        let Some(parameter) = parameter else {
            found.push(unknown(plan, &given.name, command));
            continue;
        };
        let option = format!("--{}", given.name);
        let Some(value) = &given.value else {
            let wrong = "there is no value".to_owned();
            found.push(wrong_value(parameter, &option, &wrong));
            continue;
        };
        match check(parameter, value) {
            Ok(text) => {
                values.insert(given.name.clone(), text);
            }
            Err(wrong) => found.push(wrong_value(parameter, &option, &wrong)),
        }
    }
    for parameter in &plan.parameters {
        let tried = given.iter().any(|given| given.name == parameter.name);
        if parameter.required && !values.contains_key(&parameter.name) && !tried {
            found.push(missing(parameter));
        }
    }
    (values, found)
}

/// The values as text that was typed.
pub(crate) fn as_typed(values: &IndexMap<String, String>) -> Members {
    let text = |(name, text): (&String, &String)| (name.clone(), JsonText::from(text.as_str()));
    values.iter().map(text).collect()
}

/// Whether an orchestrator hands on integers of any size, or only those that a float holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integers {
    /// Text or Python's JSON from end to end.
    Any,
    /// Those of up to 53 bits: what JSON itself promises (RFC 8259, section 6).
    Interoperable,
}

/// The values as an orchestrator takes them: typed, where its JSON has the type and holds the value.
///
/// What it cannot hold (`nan`, an integer that it would round) stays the text that was typed: the harness converts it.
pub(crate) fn typed(plan: &Plan, values: &IndexMap<String, String>, integers: Integers) -> Members {
    let ty = |name: &str| {
        let mut parameters = plan.parameters.iter();
        parameters
            .find(|parameter| parameter.name == name)
            .filter(|parameter| parameter.separator.is_none())
            .map(|parameter| parameter.ty)
    };
    let typed = |name: &str, text: &str| match ty(name)? {
        ParameterType::Int => integer(text, integers),
        ParameterType::Float => {
            let number = text.trim().replace('_', "").parse().ok()?;
            Some(Value::Number(Number::from_f64(number)?).into())
        }
        ParameterType::Bool => Some(Value::Bool(is_true(text)).into()),
        ParameterType::Str | ParameterType::Json => None,
    };
    let values = values.iter().map(|(name, text)| {
        let value = typed(name, text).unwrap_or_else(|| text.as_str().into());
        (name.clone(), value)
    });
    values.collect()
}

/// An integer as JSON writes it.
fn integer(text: &str, integers: Integers) -> Option<JsonText> {
    let text = text.trim().replace('_', "");
    let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0');
    let sign = if text.starts_with('-') && !digits.is_empty() {
        "-"
    } else {
        ""
    };
    let number = format!("{sign}{}", if digits.is_empty() { "0" } else { digits });
    let is_exact = number
        .parse::<i64>()
        .is_ok_and(|number| number.unsigned_abs() < 1 << 53);
    let fits = is_exact || integers == Integers::Any;
    fits.then(|| JsonText::new(&number).ok())?
}

/// The variable that Metaflow reads a parameter from.
pub(crate) fn variable_name(parameter: &str) -> String {
    format!(
        "METAFLOW_RUN_{}",
        parameter.to_uppercase().replace('-', "_")
    )
}

/// A type as people write it.
pub(crate) fn type_name(parameter: &PlanParameter) -> &'static str {
    match (parameter.ty, &parameter.separator) {
        (_, Some(_)) => "list",
        (ParameterType::Str, None) => "str",
        (ParameterType::Int, None) => "int",
        (ParameterType::Float, None) => "float",
        (ParameterType::Bool, None) => "bool",
        (ParameterType::Json, None) => "json",
    }
}

/// The text, if it is a value of the parameter's type; else what is wrong.
fn check(parameter: &PlanParameter, value: &OsString) -> Result<String, String> {
    let Some(text) = value.to_str() else {
        return Err("the value is not UTF-8".to_owned());
    };
    let fits = match parameter.ty {
        _ if parameter.separator.is_some() => true,
        ParameterType::Str => true,
        ParameterType::Int => is_python_int(text),
        ParameterType::Float => is_python_float(text),
        ParameterType::Bool => is_bool(text),
        ParameterType::Json => match python_json::check(text) {
            Ok(()) => true,
            Err(error) => return Err(format!("`{text}` is not JSON: {error}")),
        },
    };
    if fits {
        return Ok(text.to_owned());
    }
    let wanted = match parameter.ty {
        ParameterType::Int => "a whole number",
        ParameterType::Float => "a number",
        ParameterType::Bool => "`true` or `false`",
        ParameterType::Str | ParameterType::Json => "a text",
    };
    Err(format!("`{text}` is not {wanted}"))
}

/// Digits with single underscores between them.
fn is_digits(text: &str) -> bool {
    !text.is_empty()
        && text
            .split('_')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What Python's `int(text)` accepts, written in ASCII.
fn is_python_int(text: &str) -> bool {
    let text = text.trim();
    is_digits(text.strip_prefix(['+', '-']).unwrap_or(text))
}

/// What Python's `float(text)` accepts, written in ASCII.
fn is_python_float(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if matches!(text, "inf" | "infinity" | "nan") {
        return true;
    }
    let (number, exponent) = match text.split_once('e') {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let fits = match number.split_once('.') {
        None => is_digits(number),
        Some((whole, "")) => is_digits(whole),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
    };
    fits && exponent
        .is_none_or(|digits| is_digits(digits.strip_prefix(['+', '-']).unwrap_or(digits)))
}

/// What Metaflow's command line takes for a boolean.
fn is_bool(text: &str) -> bool {
    let known = ["false", "0", "no", "n", "f", "off"];
    is_true(text) || known.contains(&text.trim().to_ascii_lowercase().as_str())
}

fn is_true(text: &str) -> bool {
    let known = ["true", "1", "yes", "y", "t", "on"];
    known.contains(&text.trim().to_ascii_lowercase().as_str())
}

fn missing(parameter: &PlanParameter) -> Diagnostic {
    let name = &parameter.name;
    let message = format!("parameter `{name}` needs a value");
    Diagnostic::error(Code::FC4001, message, parameter.span, "required here").help(format!(
        "add `--{name} VALUE` or set {}",
        variable_name(name)
    ))
}

fn wrong_value(parameter: &PlanParameter, given_by: &str, wrong: &str) -> Diagnostic {
    let name = &parameter.name;
    let message = format!("{given_by}: {wrong}");
    let label = format!("`{name}` is declared here: {}", type_name(parameter));
    Diagnostic::error(Code::FC4003, message, parameter.span, label)
}

fn unknown(plan: &Plan, name: &str, command: Command) -> Diagnostic {
    let names: Vec<&str> = plan
        .parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect();
    let options = command.options.iter().map(|(option, ..)| *option);
    let message = format!(
        "`{}` has no parameter `{name}`, and `{}` no option `--{name}`",
        plan.flow, command.name
    );
    let diagnostic = Diagnostic::new(Code::FC4002, Severity::Error, message);
    if let Some(instead) = command.instead_of(name) {
        return diagnostic.help(instead);
    }
    if let Some(near) = suggest::closest(name, names.iter().copied().chain(options)) {
        return diagnostic.help(format!("did you mean `--{near}`?"));
    }
    if names.is_empty() {
        return diagnostic.help("the flow has no parameters");
    }
    diagnostic.help(format!("its parameters are `{}`", names.join("`, `")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_python() {
        for text in ["3", "-3", "+3", " 1_000 ", "007", "99999999999999999999"] {
            assert!(is_python_int(text), "{text}");
        }
        for text in ["", "3.0", "1e3", "_1", "1__0", "0x1f", "--1", "1 2"] {
            assert!(!is_python_int(text), "{text}");
        }
        for text in [
            "3",
            ".5",
            "5.",
            "-1_0.5e-1_0",
            "NaN",
            "-inf",
            "Infinity",
            "1e5",
        ] {
            assert!(is_python_float(text), "{text}");
        }
        for text in ["", ".", "e5", "1e", "1.2.3", "0x1p3", "1,5", "high"] {
            assert!(!is_python_float(text), "{text}");
        }
    }

    #[test]
    fn integers_keep_their_digits() {
        let long = "123456789012345678901234567890";
        for (text, any, few) in [
            (" +1_000 ", Some("1000"), Some("1000")),
            ("-0", Some("0"), Some("0")),
            ("-007", Some("-7"), Some("-7")),
            (
                "9007199254740991",
                Some("9007199254740991"),
                Some("9007199254740991"),
            ),
            ("-9007199254740992", Some("-9007199254740992"), None),
            (long, Some(long), None),
        ] {
            let shown = |integers| integer(text, integers).map(|number| number.text().to_owned());
            assert_eq!(shown(Integers::Any).as_deref(), any, "{text}");
            assert_eq!(shown(Integers::Interoperable).as_deref(), few, "{text}");
        }
    }

    #[test]
    fn variables_are_named_as_in_metaflow() {
        assert_eq!(variable_name("learning-rate"), "METAFLOW_RUN_LEARNING_RATE");
    }
}
