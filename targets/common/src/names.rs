//! Names for orchestrators: legal, unique, and the same whatever else the flow holds.
//!
//! A name depends on its own text alone, so adding an unrelated step never renames another.
//! Where that makes two names the same, it is said by FC0306 and nothing is renamed behind the author's back.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::source::Span;
use indexmap::IndexMap;
use sha2::{Digest, Sha256};

/// Hex digits of the digest that a shortened or mended name carries: a clash within 1 000 names is as likely as 1 to 8 000.
const DIGEST_LEN: usize = 8;

/// What a kind of name may look like.
#[derive(Clone, Copy, Debug)]
pub struct NameRule {
    /// What it names, for messages: `task`.
    pub what: &'static str,
    /// Longest name, bytes; at least 16.
    pub max: usize,
    /// Letter case.
    pub case: Case,
    /// Characters besides ASCII letters and digits that may stand between the first and the last.
    pub inner: &'static str,
    /// What an underscore becomes without further ado; itself if it is legal.
    pub underscore: char,
    /// Words that must not be names; they get [`NameRule::reserved_prefix`].
    pub reserved: &'static [&'static str],
    /// Set in front of reserved words.
    pub reserved_prefix: &'static str,
}

/// Letter case of a [`NameRule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Kept.
    Any,
    /// Upper case becomes lower case.
    Lower,
}

impl NameRule {
    /// The legal name for `text`: `text` itself up to case and underscores if that is legal,
    /// else mended or shortened with a `-` and 8 hex digits of the sha256 of `text` at its end.
    pub fn legal(&self, text: &str) -> String {
        let cased = match self.case {
            Case::Any => text.to_owned(),
            Case::Lower => text.to_ascii_lowercase(),
        };
        let plain = cased.replace('_', &self.underscore.to_string());
        let word = if self.reserved.contains(&plain.as_str()) {
            format!("{}{plain}", self.reserved_prefix)
        } else {
            plain
        };
        if self.holds(&word) {
            return word;
        }
        let mended: String = word
            .chars()
            .map(|c| if self.is_inner(c) { c } else { '-' })
            .take(self.max - DIGEST_LEN - 1)
            .collect();
        let stem = mended.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let stem = if stem.is_empty() { "x" } else { stem };
        format!("{stem}-{}", &sha256_hex(text.as_bytes())[..DIGEST_LEN])
    }

    /// Whether a name is legal as it is.
    pub fn holds(&self, name: &str) -> bool {
        let edge = |c: char| c.is_ascii_alphanumeric();
        (1..=self.max).contains(&name.len())
            && name.chars().all(|c| self.is_inner(c))
            && name.starts_with(edge)
            && name.ends_with(edge)
            && !self.reserved.contains(&name)
    }

    fn is_inner(&self, c: char) -> bool {
        match self.case {
            Case::Lower if c.is_ascii_uppercase() => false,
            Case::Lower | Case::Any => c.is_ascii_alphanumeric() || self.inner.contains(c),
        }
    }
}

/// Gives names of one kind and notices when two become the same.
#[derive(Debug)]
pub struct Namer {
    rule: NameRule,
    taken: IndexMap<String, (String, Span)>,
    found: Diagnostics,
}

impl Namer {
    /// No name is taken yet.
    pub fn new(rule: NameRule) -> Self {
        Self {
            rule,
            taken: IndexMap::new(),
            found: Diagnostics::default(),
        }
    }

    /// The name for `text`, which stands at `span`; FC0306 if another text has it already.
    pub fn name(&mut self, text: &str, span: Span) -> String {
        let name = self.rule.legal(text);
        match self.taken.get(&name) {
            Some((other, first)) if other != text => {
                let what = self.rule.what;
                let message =
                    format!("`{other}` and `{text}` both become the {what} name `{name}`");
                self.found.push(
                    Diagnostic::error(Code::FC0306, message, span, "second here")
                        .label(*first, "first here")
                        .help("rename one of them"),
                );
            }
            Some(_) => {}
            None => {
                self.taken.insert(name.clone(), (text.to_owned(), span));
            }
        }
        name
    }

    /// What was found while giving names.
    pub fn finish(self) -> Diagnostics {
        self.found
    }
}

/// Sha256 as 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use flowc_core::source::SourceTree;
    use proptest::prelude::*;

    use super::*;

    const RULE: NameRule = NameRule {
        what: "task",
        max: 24,
        case: Case::Lower,
        inner: "-",
        underscore: '-',
        reserved: &["join", "in"],
        reserved_prefix: "s-",
    };

    fn span() -> Span {
        let mut tree = SourceTree::default();
        let file = tree.add("flow.py", "");
        Span {
            file,
            start: 0,
            end: 0,
        }
    }

    #[test]
    fn ordinary_names_stay_readable() {
        for (text, expect) in [
            ("train", "train"),
            ("fan_join", "fan-join"),
            ("HelloFlow", "helloflow"),
            ("join", "s-join"),
            ("a_very_long_name_for_a_step", "a-very-long-nam-7edd5f6f"),
            ("größe", "gr--e-d353a267"),
            ("tail_", "tail-9c018191"),
        ] {
            let name = RULE.legal(text);
            assert!(RULE.holds(&name), "{name}");
            assert_eq!(name, expect);
        }
    }

    #[test]
    fn a_clash_is_reported() {
        let mut namer = Namer::new(RULE);
        namer.name("join", span());
        namer.name("join", span());
        namer.name("s_join", span());
        let found = namer.finish();
        let codes: Vec<_> = found.iter().map(|item| item.code).collect();
        assert_eq!(codes, [Code::FC0306]);
    }

    proptest! {
        #[test]
        fn names_are_legal(text in "\\PC{0,60}") {
            prop_assert!(RULE.holds(&RULE.legal(&text)));
        }

        #[test]
        fn names_are_unique_and_stable(texts in prop::collection::btree_set("[a-z][a-z0-9_]{0,40}", 1..40), extra in "[a-z]{1,40}") {
            let all = |texts: &mut dyn Iterator<Item = &String>| {
                let mut namer = Namer::new(RULE);
                let names: Vec<_> = texts.map(|text| namer.name(text, span())).collect();
                (names, namer.finish())
            };
            let (names, found) = all(&mut texts.iter());
            let distinct: std::collections::BTreeSet<_> = names.iter().collect();
            prop_assert_eq!(distinct.len() == names.len(), found.is_empty());
            let (more, _) = all(&mut texts.iter().chain(std::iter::once(&extra)));
            prop_assert_eq!(&more[..names.len()], &names[..]);
        }
    }
}
