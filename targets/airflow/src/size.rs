//! How long the parameters of a run are as the first task's pod gets them: in one variable, as base64 of JSON.

use serde_json::{Map, Value};

/// Longest value of the variable, in bytes.
/// Linux takes no string of more than 32 pages in a program's environment (`MAX_ARG_STRLEN` in include/uapi/linux/binfmts.h),
/// the name, the sign between and the last zero included.
pub(crate) const LIMIT: usize = 32 * 4096 - "FLOWC_PARAMETERS=".len() - 1;

/// Bytes of `b64encode(json.dumps(params).encode())`, as the file says it.
pub(crate) fn encoded(params: &Map<String, Value>) -> usize {
    object_length(params).div_ceil(3) * 4
}

/// Bytes of what Python's `json.dumps` makes of it: ASCII, and a space after each comma and colon.
fn json_length(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string().len(),
        Value::String(text) => text_length(text),
        Value::Array(items) => {
            list_length(items.len()) + items.iter().map(json_length).sum::<usize>()
        }
        Value::Object(entries) => object_length(entries),
    }
}

fn object_length(entries: &Map<String, Value>) -> usize {
    let entry = |(name, value): (&String, &Value)| text_length(name) + 2 + json_length(value);
    list_length(entries.len()) + entries.iter().map(entry).sum::<usize>()
}

/// The brackets, and what is between the items.
fn list_length(items: usize) -> usize {
    2 + 2 * items.saturating_sub(1)
}

fn text_length(text: &str) -> usize {
    let character = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        ' '..='~' => 1,
        // `\uXXXX`, for each half of a pair.
        _ => 6 * c.len_utf16(),
    };
    2 + text.chars().map(character).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths_are_those_of_python() {
        for (value, dumped) in [
            (json!(null), "null"),
            (json!([1, 2.5, true]), "[1, 2.5, true]"),
            (json!([]), "[]"),
            (json!({"a": {}, "b": [0]}), r#"{"a": {}, "b": [0]}"#),
            (json!("a\"\\\n\u{1}\u{7f}"), r#""a\"\\\n\u0001\u007f""#),
            (json!("é😀"), r#""\u00e9\ud83d\ude00""#),
        ] {
            assert_eq!(json_length(&value), dumped.len(), "{dumped}");
        }
    }
}
