//! JSON.

use std::fmt::Write as _;

use serde_json::Value;

use super::{INDENT, Style, Writer, fit, flat, is_leaf};

/// Prints a value as JSON, with a line end at the end; a fixed point of itself.
pub fn json(value: &Value) -> String {
    let mut writer = Writer::default();
    print(&mut writer, value, 0);
    writer.finish()
}

struct Json;

impl Style for Json {
    fn text(text: &str) -> String {
        quoted(text)
    }
}

/// JSON's own quoting, with line separators and direction marks escaped too, so that a reviewer sees what is there.
fn quoted(text: &str) -> String {
    let plain = Value::String(text.to_owned()).to_string();
    if !plain.contains(super::yaml::is_invisible) {
        return plain;
    }
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        if super::yaml::is_invisible(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// `after` characters follow the value in its last line.
fn print(writer: &mut Writer, value: &Value, after: usize) {
    let fits = writer
        .room()
        .checked_sub(after)
        .and_then(|room| fit::<Json>(value, room));
    if is_leaf(value) || fits.is_some() {
        let mut line = String::new();
        flat::<Json>(value, &mut line);
        writer.text(&line);
        return;
    }
    let (open, close) = if value.is_object() {
        ("{", "}")
    } else {
        ("[", "]")
    };
    writer.text(open);
    writer.indent += INDENT;
    if let Value::Object(members) = value {
        for (place, (key, member)) in members.iter().enumerate() {
            let last = place + 1 == members.len();
            writer.line();
            writer.text(&quoted(key));
            writer.text(": ");
            print(writer, member, usize::from(!last));
            writer.text(if last { "" } else { "," });
        }
    }
    if let Value::Array(items) = value {
        for (place, item) in items.iter().enumerate() {
            let last = place + 1 == items.len();
            writer.line();
            print(writer, item, usize::from(!last));
            writer.text(if last { "" } else { "," });
        }
    }
    writer.indent -= INDENT;
    writer.line();
    writer.text(close);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_stays_on_one_line() {
        let value = json!({"a": {"b": [1, 2], "c": {}}, "long": ["x".repeat(60), "y".repeat(60)]});
        let text = super::json(&value);
        let expect = format!(
            "{{\n  \"a\": {{\"b\": [1, 2], \"c\": {{}}}},\n  \"long\": [\n    \"{}\",\n    \"{}\"\n  ]\n}}\n",
            "x".repeat(60),
            "y".repeat(60)
        );
        assert_eq!(text, expect);
    }

    #[test]
    fn invisible_characters_are_escaped() {
        assert_eq!(
            super::json(&json!("a\u{202e}b\u{2028}")),
            "\"a\\u202eb\\u2028\"\n"
        );
    }

    proptest! {
        #[test]
        fn it_reads_back_and_lines_are_short(value in super::super::yaml::tests::value()) {
            let text = super::json(&value);
            let back: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &value);
            for line in text.lines() {
                prop_assert!(line.chars().count() <= super::super::COLUMNS || !line.contains(", ") || line.contains('"'));
            }
        }
    }
}
