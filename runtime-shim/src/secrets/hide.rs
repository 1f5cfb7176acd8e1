//! Hiding texts in a stream of bytes that arrives in pieces.

use std::sync::OnceLock;

/// What stands in the place of a hidden text.
const MASK: &[u8] = b"***";

/// What is to be hidden in the output of one task: nothing until the harness says it, before user code starts.
#[derive(Default)]
pub(crate) struct Hidden(OnceLock<Texts>);

impl Hidden {
    /// Hides these from now on. Told once; a later call changes nothing.
    pub(crate) fn set(&self, texts: Vec<String>) {
        // An error means that it is told again, and the harness does not do that.
        let _ = self.0.set(Texts::new(texts));
    }
}

/// Texts by length, the longest first: where several fit, the longest is hidden.
struct Texts {
    all: Vec<Vec<u8>>,
    /// Which bytes one of them begins with.
    begins: [bool; 256],
}

impl Texts {
    fn new(texts: Vec<String>) -> Self {
        let mut all: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
        all.retain(|text| !text.is_empty());
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        let mut begins = [false; 256];
        for text in &all {
            begins[usize::from(text[0])] = true;
        }
        Self { all, begins }
    }

    /// What a text at the start of `rest` makes of it.
    fn at(&self, rest: &[u8], is_end: bool) -> Found {
        for text in &self.all {
            if rest.starts_with(text) {
                return Found::Whole(text.len());
            }
            // Longer ones come first: what may still become one is waited for.
            if !is_end && text.starts_with(rest) {
                return Found::Beginning;
            }
        }
        Found::Nothing
    }
}

enum Found {
    Nothing,
    /// All bytes that are there, and more may come.
    Beginning,
    Whole(usize),
}

/// The state of one stream.
pub(crate) struct Hider<'a> {
    hidden: &'a Hidden,
    /// The beginning of a hidden text, maybe: never longer than the longest of them.
    held: Vec<u8>,
    clean: Vec<u8>,
}

impl<'a> Hider<'a> {
    pub(crate) fn new(hidden: &'a Hidden) -> Self {
        Self {
            hidden,
            held: Vec::new(),
            clean: Vec::new(),
        }
    }

    /// What may be shown after `piece` has come.
    pub(crate) fn pass<'p>(&'p mut self, piece: &'p [u8]) -> &'p [u8] {
        let Some(texts) = self.hidden.0.get() else {
            return piece;
        };
        self.held.extend_from_slice(piece);
        self.scan(texts, false);
        &self.clean
    }

    /// What may be shown of the rest, once nothing comes any more.
    pub(crate) fn end(&mut self) -> &[u8] {
        if let Some(texts) = self.hidden.0.get() {
            self.scan(texts, true);
        }
        &self.clean
    }

    fn scan(&mut self, texts: &Texts, is_end: bool) {
        self.clean.clear();
        let bytes = &self.held;
        let mut at = 0;
        loop {
            let next = bytes[at..]
                .iter()
                .position(|byte| texts.begins[usize::from(*byte)]);
            let Some(offset) = next else {
                self.clean.extend_from_slice(&bytes[at..]);
                at = bytes.len();
                break;
            };
            self.clean.extend_from_slice(&bytes[at..at + offset]);
            at += offset;
            match texts.at(&bytes[at..], is_end) {
                Found::Whole(length) => {
                    self.clean.extend_from_slice(MASK);
                    at += length;
                }
                Found::Nothing => {
                    self.clean.push(bytes[at]);
                    at += 1;
                }
                Found::Beginning => break,
            }
        }
        self.held.drain(..at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(texts: &[&str]) -> Hidden {
        let hidden = Hidden::default();
        hidden.set(texts.iter().map(|&text| text.to_owned()).collect());
        hidden
    }

    #[track_caller]
    fn check(texts: &[&str], text: &str, expect: &str) {
        let hidden = hidden(texts);
        // However it is cut, the result is the same.
        for size in 1..=text.len().max(1) {
            let mut hider = Hider::new(&hidden);
            let mut shown = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                shown.extend_from_slice(hider.pass(piece));
                let longest = texts.iter().map(|text| text.len()).max();
                assert!(hider.held.len() <= longest.unwrap_or_default());
            }
            shown.extend_from_slice(hider.end());
            let shown = String::from_utf8(shown).unwrap();
            assert_eq!(shown, expect, "in pieces of {size}");
        }
    }

    #[test]
    fn texts_are_hidden_however_they_arrive() {
        check(&["hunter2"], "a hunter2 b hunter2hunter2", "a *** b ******");
        check(
            &["hunter2"],
            "hunter hunter1 huhunter2",
            "hunter hunter1 hu***",
        );
        check(&["aab"], "aaab aaaab", "a*** aa***");
        check(&["two\nlines"], "x two\nlines y two\n", "x *** y two\n");
        check(&["käse"], "käse, ja", "***, ja");
        check(&[], "nothing", "nothing");
    }

    #[test]
    fn the_longest_is_hidden() {
        check(&["pass", "password\n", "password"], "password\n", "***");
        check(&["pass", "password"], "passwort pass", "***wort ***");
    }

    #[test]
    fn nothing_is_held_back_before_it_is_told() {
        let hidden = Hidden::default();
        let mut hider = Hider::new(&hidden);
        assert_eq!(hider.pass(b"hunter2"), b"hunter2");
        hidden.set(vec!["hunter2".to_owned()]);
        assert_eq!(hider.pass(b"hunter2 h"), b"*** ");
        assert_eq!(hider.end(), b"h");
    }
}
