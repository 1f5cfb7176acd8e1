//! JSON as Python's `json` module reads it: besides RFC 8259 it knows `NaN`, `Infinity` and `-Infinity`.
//!
//! Texts are only judged here. Whatever value they have, Python reads it itself, to the last digit.

use std::fmt::Write;

use serde::de::IgnoredAny;

/// What Python takes for numbers and JSON does not have (`json.scanner`, `parse_constant`); the sign belongs to its word.
const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Checks that a text is JSON to Python; an error says where it is not.
pub fn check(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(&standard(text)).map(drop)
}

/// The text with a zero for each of Python's own numbers, of the same length: JSON to anybody if it is JSON to Python.
#[must_use]
pub fn standard(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_text = false;
    while let Some(next) = rest.chars().next() {
        let word = WORDS
            .iter()
            .find(|word| !in_text && rest.starts_with(**word));
        let length = word.map_or_else(|| next.len_utf8(), |word| word.len());
        let (taken, left) = rest.split_at(length);
        rest = left;
        if word.is_some() {
            // Spaces around it keep what stood beside it from becoming a part of the number.
            let _ = write!(out, " 0{:1$}", "", length - 2);
            continue;
        }
        out.push_str(taken);
        match next {
            '"' => in_text = !in_text,
            '\\' if in_text => {
                let escaped = rest.chars().next().map_or(0, char::len_utf8);
                let (taken, left) = rest.split_at(escaped);
                out.push_str(taken);
                rest = left;
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_python_takes() {
        for text in [
            "NaN",
            " -Infinity ",
            r#"{"a": [NaN, Infinity, 1e400], "NaN": "\\", "\"": -Infinity}"#,
            "123456789012345678901234567890",
            r#""\ud800""#,
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "nan",
            "+Infinity",
            "- Infinity",
            "1NaN",
            "NaN1",
            "NaNNaN",
            "--Infinity",
            "inf",
            "[NaN",
            "{NaN: 1}",
            "\"NaN",
            "1-Infinity",
            "Infinit",
            "01",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert_eq!(
            standard("[NaN,-Infinity,\"NaN\"]"),
            "[ 0 , 0       ,\"NaN\"]"
        );
    }
}
