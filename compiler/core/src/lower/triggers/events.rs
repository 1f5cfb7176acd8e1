//! One event of `@trigger`: its name, and which of its fields go to which parameters.

use super::{Refused, unknown, wrong};
use crate::check::decorators::describe;
use crate::ir::flow::{Literal, NAMESPACED};
use crate::ir::plan::EventName;

/// A field of the payload and the parameter that takes its value.
pub(super) struct Mapping {
    pub(super) parameter: String,
    pub(super) field: String,
}

/// A name, or a dictionary with `name` and `parameters`.
pub(super) fn read(item: &Literal) -> Result<(EventName, Vec<Mapping>), Refused> {
    if let Some(name) = name(item) {
        return Ok((checked(name)?, Vec::new()));
    }
    let Literal::Dict(members) = item else {
        return Err(wrong(
            format!("an event is {}", describe(item)),
            "write its name, or `{\"name\": \"some_event\", \"parameters\": {...}}`",
        ));
    };
    for key in members.keys() {
        if !["name", "parameters"].contains(&key.as_str()) {
            return Err((
                unknown("an event", key, &["name", "parameters"]),
                Some(key.clone()),
            ));
        }
    }
    let Some(written) = members.get("name") else {
        return Err(wrong(
            "an event without `name`".to_owned(),
            "write `{\"name\": \"some_event\"}`",
        ));
    };
    let Some(name) = name(written) else {
        return Err(wrong(
            format!("the name of an event is {}", describe(written)),
            "write a string, or `namespaced_event_name(\"...\")`",
        ));
    };
    let name = checked(name)?;
    let parameters = match members.get("parameters") {
        None | Some(Literal::None) => Vec::new(),
        Some(written) => mappings(written)?,
    };
    for Mapping { field, .. } in &parameters {
        if !is_word(field, "") {
            let shown = field.escape_debug();
            return Err((
                (
                    format!(
                        "invalid field `{shown}` of the event `{}`",
                        name.as_written()
                    ),
                    "a field of the event's payload".to_owned(),
                    "use letters, digits and `_`; a field inside of another cannot be mapped"
                        .to_owned(),
                ),
                Some(field.clone()),
            ));
        }
    }
    Ok((name, parameters))
}

fn name(item: &Literal) -> Option<EventName> {
    if let Literal::Str(text) = item {
        return Some(EventName::Plain(text.clone()));
    }
    if let Literal::Dict(members) = item
        && members.len() == 1
        && let Some(Literal::Str(text)) = members.get(NAMESPACED)
    {
        return Some(EventName::Namespaced(text.clone()));
    }
    None
}

fn checked(name: EventName) -> Result<EventName, Refused> {
    let written = name.as_written();
    if is_word(written, ".-") {
        return Ok(name);
    }
    let message = format!("invalid event name `{}`", written.escape_debug());
    let help = "use letters, digits, `_`, `.` and `-`".to_owned();
    let wrong = (message, "not a name of an event".to_owned(), help);
    Err((wrong, Some(written.to_owned())))
}

/// `{"parameter": "field"}`, or a list of such pairs and of names that are both.
fn mappings(written: &Literal) -> Result<Vec<Mapping>, Refused> {
    let refused = || {
        wrong(
            "`parameters` of an event cannot be read".to_owned(),
            "write `{\"some_parameter\": \"some_field\"}`, or a list of names that are both",
        )
    };
    let mapping = |parameter: &Literal, field: &Literal| match (parameter, field) {
        (Literal::Str(parameter), Literal::Str(field)) => Ok(Mapping {
            parameter: parameter.clone(),
            field: field.clone(),
        }),
        _ => Err(refused()),
    };
    if let Literal::Dict(members) = written {
        let members = members.iter();
        return members
            .map(|(parameter, field)| mapping(&Literal::Str(parameter.clone()), field))
            .collect();
    }
    let Literal::List(items) = written else {
        return Err(refused());
    };
    items
        .iter()
        .map(|item| match item {
            Literal::List(pair) if pair.len() == 2 => mapping(&pair[0], &pair[1]),
            Literal::None
            | Literal::Bool(_)
            | Literal::Int(_)
            | Literal::Float(_)
            | Literal::Str(_)
            | Literal::List(_)
            | Literal::Dict(_) => mapping(item, item),
        })
        .collect()
}

/// Whether a text is made of letters, digits, `_` and others.
pub(super) fn is_word(text: &str, others: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || others.contains(c);
    !text.is_empty() && text.chars().all(legal)
}
