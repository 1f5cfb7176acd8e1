//! Compact but readable text: what fits in 100 columns stays on one line, all else has one member per line.
//!
//! Both printers take a tree of values; typed structs become one by `serde`, and their field order is the output's.
//! The time taken is linear in the size of the output: whether a part fits is found out by looking at no more than a line of it.

mod json;
mod yaml;

pub use json::json;
pub use yaml::{scalar as yaml_scalar, yaml};

use serde_json::{Map, Value};

/// Longest line that holds more than one member.
const COLUMNS: usize = 100;

/// One level of nesting.
const INDENT: usize = 2;

/// Text that grows line by line, with the present depth of nesting.
#[derive(Debug, Default)]
struct Writer {
    out: String,
    indent: usize,
    /// Characters in the present line so far.
    column: usize,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += width(text);
    }

    /// Starts a new line at the present depth.
    fn line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', self.indent));
        self.column = self.indent;
    }

    /// Characters left in this line.
    fn room(&self) -> usize {
        COLUMNS.saturating_sub(self.column)
    }

    fn finish(mut self) -> String {
        self.out.push('\n');
        self.out
    }
}

/// How one language writes a text, as key or value; numbers, booleans and null are the same in all.
trait Style {
    fn text(text: &str) -> String;
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Writes a value in one line, `{a: 1, b: [2, 3]}`.
fn flat<S: Style>(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push('{');
            for (place, (key, member)) in members.iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                out.push_str(&S::text(key));
                out.push_str(": ");
                flat::<S>(member, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                flat::<S>(item, out);
            }
            out.push(']');
        }
        Value::String(text) => out.push_str(&S::text(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

/// What is left of `room` after the value has been written in one line; `None` if it does not fit.
fn fit<S: Style>(value: &Value, room: usize) -> Option<usize> {
    match value {
        Value::Object(members) => fit_members::<S>(members, room),
        Value::Array(items) => {
            let mut room = room.checked_sub(2)?;
            for (place, item) in items.iter().enumerate() {
                room = room.checked_sub(if place > 0 { 2 } else { 0 })?;
                room = fit::<S>(item, room)?;
            }
            Some(room)
        }
        // A text is at least as wide as its characters, which take at most four bytes each.
        Value::String(text) if text.len() > 4 * room => None,
        Value::String(text) => room.checked_sub(width(&S::text(text))),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            room.checked_sub(value.to_string().len())
        }
    }
}

fn fit_members<S: Style>(members: &Map<String, Value>, room: usize) -> Option<usize> {
    let mut room = room.checked_sub(2)?;
    for (place, (key, member)) in members.iter().enumerate() {
        room = room.checked_sub(if place > 0 { 2 } else { 0 })?;
        room = room.checked_sub(width(&S::text(key)) + 2)?;
        room = fit::<S>(member, room)?;
    }
    Some(room)
}

/// Whether there is nothing inside, so that only one line makes sense.
fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
