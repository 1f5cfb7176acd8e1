//! The one place where a text from outside becomes part of a manifest.
//!
//! Argo replaces `{{…}}` in every string of a Workflow; Kubernetes replaces `$(…)` in environments.
//! YAML's own quoting is the writer's.

use flowc_core::diag::{Code, Diagnostic};
use flowc_core::source::Span;
use flowc_target::profile::Setting;

/// A text that Argo would take for a template is refused, since Argo has no way to write it.
pub(crate) fn literal(
    text: &str,
    what: &str,
    span: Option<Span>,
) -> Result<String, Box<Diagnostic>> {
    if !text.contains("{{") && !text.contains('\0') {
        return Ok(text.to_owned());
    }
    let shown = if text.contains('\0') { "NUL" } else { "`{{`" };
    let place = Setting { value: (), span };
    let message = format!("argo cannot represent {what}: it holds {shown}");
    let error = place.error(Code::FC0308, message, "here").help(
        "Argo reads `{{…}}` as a template wherever it stands; set the value in the step instead",
    );
    Err(Box::new(error))
}

/// The value of an environment variable: every `$` is doubled, since Kubernetes makes one of two and expands `$(NAME)`
/// (`third_party/forked/golang/expansion/expand.go`).
pub(crate) fn environment(
    text: &str,
    what: &str,
    span: Option<Span>,
) -> Result<String, Box<Diagnostic>> {
    Ok(literal(text, what, span)?.replace('$', "$$"))
}

/// The text of a JSON value as a workflow parameter: within JSON's strings, the only place for `{{`, the second brace is
/// written as its code.
pub(crate) fn json_argument(value: &str) -> String {
    value.replace("{{", "{\\u007b")
}

#[cfg(test)]
mod tests {
    use flowc_target::testing::HOSTILE;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// What Kubernetes makes of a value in which no variable is defined.
    fn expand(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            out.push('$');
            if let Some(after) = rest.strip_prefix('$') {
                rest = after;
            } else if let (Some(inside), Some(_)) = (rest.strip_prefix('('), rest.find(')')) {
                panic!("a reference is left: $({inside}");
            }
        }
        out + rest
    }

    #[test]
    fn values_arrive_or_are_refused() {
        for text in HOSTILE {
            match environment(text, "x", None) {
                Ok(written) => assert_eq!(expand(&written), **text),
                Err(error) => {
                    assert_eq!(error.code, Code::FC0308);
                    assert!(text.contains("{{") || text.contains('\0'), "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn environments_round_trip(text in "[$(){}a]{0,20}") {
            if let Ok(written) = environment(&text, "x", None) {
                prop_assert_eq!(expand(&written), text);
            }
        }

        #[test]
        fn arguments_round_trip(text in "[{}=\"\\\\a]{0,20}") {
            let value = json!({"k": [text, {"{{": {"a": {}}}]});
            let written = json_argument(&value.to_string());
            prop_assert!(!written.contains("{{"));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
