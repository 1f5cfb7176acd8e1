//! Python literals: the one place where text becomes Python source.
//!
//! Whatever the value, the result is one line of printable characters that Python reads back as the same value
//! and that `ruff format` leaves alone.

use flowc_core::ir::flow::Literal;

/// The literal for `value`, on one line.
pub(crate) fn literal(value: &Literal) -> String {
    match value {
        Literal::None => "None".to_owned(),
        Literal::Bool(true) => "True".to_owned(),
        Literal::Bool(false) => "False".to_owned(),
        Literal::Int(number) => number.to_string(),
        Literal::Float(number) => float(*number),
        Literal::Str(text) => quoted(text),
        Literal::List(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Literal::Dict(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", quoted(key), literal(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// A string literal in double quotes, or in single ones where that saves escapes, as formatters prefer.
pub(crate) fn quoted(text: &str) -> String {
    let double = text.matches('"').count();
    let single = text.matches('\'').count();
    let quote = if double > single { '\'' } else { '"' };
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push(quote);
    for c in text.chars() {
        if c == quote {
            literal.push('\\');
            literal.push(c);
        } else {
            push_escaped(&mut literal, c);
        }
    }
    literal.push(quote);
    literal
}

/// A text of several lines between three quotes, line by line as it is; a line end is added if there is none.
pub(crate) fn block(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 16);
    literal.push_str("\"\"\"\\\n");
    let mut quotes = 0;
    for c in text.chars() {
        quotes = if c == '"' { quotes + 1 } else { 0 };
        match c {
            '\n' => literal.push('\n'),
            '"' if quotes == 3 => {
                quotes = 0;
                literal.push_str("\\x22");
            }
            _ => push_escaped(&mut literal, c),
        }
    }
    if !text.ends_with('\n') {
        literal.push('\n');
    }
    literal.push_str("\"\"\"");
    literal
}

/// The shortest digits that read back as the same number, with a point or an exponent.
/// Python has no literal for infinity; a number that is too large reads as one.
fn float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "1e999" } else { "-1e999" }.to_owned();
    }
    format!("{number:?}")
}

/// Letters of European scripts stay readable; invisible, wide and direction-changing characters never reach the file.
fn push_escaped(literal: &mut String, c: char) {
    match c {
        '\\' => literal.push_str("\\\\"),
        '\n' => literal.push_str("\\n"),
        '\r' => literal.push_str("\\r"),
        '\t' => literal.push_str("\\t"),
        ' '..='~' | '\u{c0}'..='\u{24f}' | '\u{391}'..='\u{3c9}' | '\u{410}'..='\u{44f}' => {
            literal.push(c);
        }
        _ => {
            let code = u32::from(c);
            let escape = match code {
                0..=0xff => format!("\\x{code:02x}"),
                0x100..=0xffff => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            };
            literal.push_str(&escape);
        }
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::prelude::*;
    use ruff_python_ast::{Expr, Number, UnaryOp};

    use super::*;

    /// What Python would read, by ruff's parser; `None` if it is no literal.
    fn read(source: &str) -> Option<Literal> {
        let parsed = ruff_python_parser::parse_expression(source).ok()?;
        value(parsed.expr())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else there is, is no literal"
    )]
    fn value(expr: &Expr) -> Option<Literal> {
        Some(match expr {
            Expr::NoneLiteral(_) => Literal::None,
            Expr::BooleanLiteral(node) => Literal::Bool(node.value),
            Expr::StringLiteral(node) => Literal::Str(node.value.to_str().to_owned()),
            Expr::NumberLiteral(node) => match &node.value {
                // The smallest integer is a minus before a number that does not fit.
                Number::Int(number) => Literal::Int(number.as_i64().or_else(|| {
                    (number.to_string() == "9223372036854775808").then_some(i64::MIN)
                })?),
                Number::Float(number) => Literal::Float(*number),
                Number::Complex { .. } => return None,
            },
            Expr::UnaryOp(node) if node.op == UnaryOp::USub => match value(&node.operand)? {
                Literal::Int(number) => Literal::Int(number.wrapping_neg()),
                Literal::Float(number) => Literal::Float(-number),
                _ => return None,
            },
            Expr::List(node) => Literal::List(node.elts.iter().map(value).collect::<Option<_>>()?),
            Expr::Dict(node) => {
                let mut entries = IndexMap::new();
                for item in &node.items {
                    let Literal::Str(key) = value(item.key.as_ref()?)? else {
                        return None;
                    };
                    entries.insert(key, value(&item.value)?);
                }
                Literal::Dict(entries)
            }
            _ => return None,
        })
    }

    pub(super) fn literals() -> impl Strategy<Value = Literal> {
        let text = prop_oneof![
            any::<String>(),
            "[\\\\'\"{}%$#\\n\\r\\t\\x00 a]{0,12}",
            "\\PC{0,12}"
        ];
        let leaf = prop_oneof![
            Just(Literal::None),
            any::<bool>().prop_map(Literal::Bool),
            any::<i64>().prop_map(Literal::Int),
            prop::num::f64::NORMAL.prop_map(Literal::Float),
            prop::num::f64::SUBNORMAL.prop_map(Literal::Float),
            text.clone().prop_map(Literal::Str),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Literal::List),
                prop::collection::vec((text.clone(), inner), 0..4)
                    .prop_map(|entries| Literal::Dict(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_literal_reads_back_as_the_same_value(value in literals()) {
            let source = literal(&value);
            prop_assert!(!source.chars().any(char::is_control), "{source:?}");
            prop_assert_eq!(read(&source), Some(value), "{}", source);
        }

        #[test]
        fn a_block_reads_back_as_the_same_text(text in prop_oneof![any::<String>(), "[\"\\\\\\n\\r x]{0,16}"]) {
            let expect = if text.ends_with('\n') { text.clone() } else { format!("{text}\n") };
            let source = block(&text);
            prop_assert_eq!(read(&source), Some(Literal::Str(expect)), "{}", source);
        }
    }

    #[test]
    fn texts_stay_readable() {
        for (text, expect) in [
            ("plain", "\"plain\""),
            ("it's", "\"it's\""),
            ("say \"hi\"", "'say \"hi\"'"),
            ("Hyvää päivää", "\"Hyvää päivää\""),
            ("a\u{202e}b\u{2028}c😀", "\"a\\u202eb\\u2028c\\U0001f600\""),
        ] {
            assert_eq!(quoted(text), expect);
        }
        assert_eq!(
            block("One.\n\n  Two \"\"\"\"."),
            "\"\"\"\\\nOne.\n\n  Two \"\"\\x22\".\n\"\"\""
        );
    }
}
