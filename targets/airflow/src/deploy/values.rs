//! Whether the parameters of a run fit into the variable in which the first task's pod gets them.

use flowc_target::deploy::DeployError;
use serde_json::{Map, Value};

use crate::params::RESUME;

/// Longest value of the variable, in bytes.
/// Linux takes no string of more than 32 pages in a program's environment (`MAX_ARG_STRLEN` in include/uapi/linux/binfmts.h),
/// the name, the sign between and the last zero included.
const LIMIT: usize = 32 * 4096 - "FLOWC_PARAMETERS=".len() - 1;

/// Refuses parameters with which no pod would start. `given` wins over `defaults`, as in Airflow.
pub(super) fn check(
    object: &str,
    defaults: &Map<String, Value>,
    given: &Map<String, Value>,
) -> Result<(), DeployError> {
    let mut all = defaults.clone();
    all.extend(given.clone());
    all.remove(RESUME);
    // In the file it is `b64encode(json.dumps(params).encode())`.
    let size = json_length(&Value::Object(all)).div_ceil(3) * 4;
    if size <= LIMIT {
        return Ok(());
    }
    Err(DeployError::Refused {
        object: format!("the parameters of {object}"),
        help: format!(
            "with their defaults they are {size} bytes long as they are handed on, and a pod can be given {LIMIT}; \
             put large values into a file or the store, and give its address"
        ),
    })
}

/// Bytes of what Python's `json.dumps` makes of it: ASCII, and a space after each comma and colon.
fn json_length(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string().len(),
        Value::String(text) => text_length(text),
        Value::Array(items) => {
            list_length(items.len()) + items.iter().map(json_length).sum::<usize>()
        }
        Value::Object(entries) => {
            let entry =
                |(name, value): (&String, &Value)| text_length(name) + 2 + json_length(value);
            list_length(entries.len()) + entries.iter().map(entry).sum::<usize>()
        }
    }
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

    #[test]
    fn what_does_not_fit_is_refused() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let defaults = map(json!({"flowc_run": "", "text": "x".repeat(200_000)}));
        let longest = 98_289 - r#"{"text": ""}"#.len();
        let fits = map(json!({"text": "x".repeat(longest)}));
        assert!(check("DAG X", &defaults, &fits).is_ok());
        let longer = map(json!({"text": "x".repeat(longest + 1)}));
        assert!(check("DAG X", &defaults, &longer).is_err());
        assert!(check("DAG X", &defaults, &Map::new()).is_err());
    }
}
