//! Literals of the flow file as JSON.

use flowc_core::ir::flow::Literal;
use serde_json::{Number, Value};

/// The JSON value of a literal; lossless, since the front end lets through only finite floats and 64-bit integers.
pub fn to_json(literal: &Literal) -> Value {
    match literal {
        Literal::None => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::from(*value),
        Literal::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        Literal::Str(text) => Value::String(text.clone()),
        Literal::List(items) => items.iter().map(to_json).collect(),
        Literal::Dict(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), to_json(member)))
            .collect(),
    }
}

/// The text of a literal that is one.
pub fn as_text(literal: &Literal) -> Option<&str> {
    if let Literal::Str(text) = literal {
        Some(text)
    } else {
        None
    }
}
