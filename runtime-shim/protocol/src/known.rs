//! Artifacts that every run of a flow stores again and again, known before the flow runs.
//!
//! The first task of a run puts them, so that others need not (DESIGN §3, Requests).
//! The pickles are byte for byte those of `CPython` 3.8 to 3.13 at protocol 4; one that differed would cost a request
//! per task and nothing else, since blobs are named by their content.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};

use crate::manifest::{Manifest, StepKind};

/// The known blobs of a flow: sha1 of the pickle to the pickle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    blobs: BTreeMap<String, Vec<u8>>,
    digest: String,
}

impl Known {
    /// All that follow from the manifest.
    pub fn of(manifest: &Manifest) -> Self {
        let mut known = Self::default();
        for constant in [none(), boolean(true), boolean(false), empty_list()] {
            known.add(constant);
        }
        known.add(text(&manifest.flow));
        for (name, step) in &manifest.steps {
            known.add(text(name));
            let variable = step.variable.as_deref();
            match step.kind {
                StepKind::End => {}
                StepKind::Foreach => known.add(transition(&step.next, variable)),
                StepKind::Switch => {
                    for target in step.next.iter().chain(step.repeats.then_some(name)) {
                        known.add(transition(std::slice::from_ref(target), None));
                    }
                }
                StepKind::Linear | StepKind::Split | StepKind::Join => {
                    known.add(transition(&step.next, None));
                }
            }
            if let Some(variable) = variable {
                known.add(text(variable));
            }
        }
        let mut sha1 = Sha1::new();
        for key in known.blobs.keys() {
            sha1.update(key.as_bytes());
        }
        hex(&sha1.finalize())[..16].clone_into(&mut known.digest);
        known
    }

    /// Whether a blob is one of these.
    pub fn contains(&self, key: &str) -> bool {
        self.blobs.contains_key(key)
    }

    /// Keys and pickles, in the order of keys.
    pub fn to_vec(&self) -> Vec<(String, Vec<u8>)> {
        self.blobs
            .iter()
            .map(|(key, bytes)| (key.clone(), bytes.clone()))
            .collect()
    }

    /// Names the set: 16 hex digits of the sha1 of its keys.
    /// A task relies on the set only if the commits of its parents name the same one; a resumed run of a flow that was
    /// changed meanwhile has others.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn add(&mut self, pickle: Vec<u8>) {
        self.blobs.insert(key_of(&pickle), pickle);
    }
}

/// The key of a blob: sha1 of its bytes, 40 hex digits.
pub fn key_of(bytes: &[u8]) -> String {
    hex(&Sha1::digest(bytes))
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Pickle of `None`.
pub fn none() -> Vec<u8> {
    pickle(b"N.")
}

/// Pickle of a boolean.
pub fn boolean(value: bool) -> Vec<u8> {
    pickle(if value { b"\x88." } else { b"\x89." })
}

/// Pickle of `[]`.
pub fn empty_list() -> Vec<u8> {
    pickle(b"]\x94.")
}

/// Pickle of a string.
pub fn text(value: &str) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, value);
    body.push(b'.');
    pickle(&body)
}

/// Pickle of `(["next", …], None)` or `(["next"], "variable")`.
fn transition(next: &[String], variable: Option<&str>) -> Vec<u8> {
    let mut body = b"]\x94".to_vec();
    match next {
        [] => {}
        [only] => {
            push_text(&mut body, only);
            body.push(b'a');
        }
        several => {
            body.push(b'(');
            for name in several {
                push_text(&mut body, name);
            }
            body.push(b'e');
        }
    }
    match variable {
        None => body.push(b'N'),
        Some(variable) => push_text(&mut body, variable),
    }
    body.extend_from_slice(b"\x86\x94.");
    pickle(&body)
}

/// Short strings have a length of one byte, longer ones of four; each is memoized.
fn push_text(body: &mut Vec<u8>, value: &str) {
    if let Ok(length) = u8::try_from(value.len()) {
        body.extend_from_slice(&[0x8c, length]);
    } else {
        body.push(b'X');
        body.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    body.extend_from_slice(value.as_bytes());
    body.push(0x94);
}

/// Adds the protocol and, from four bytes on, the frame.
fn pickle(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x80\x04".to_vec();
    if body.len() >= 4 {
        bytes.push(0x95);
        bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    }
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `pickle.dumps(value, protocol=4).hex()` of `CPython` 3.8, 3.11 and 3.13.
    #[test]
    fn pickles_are_those_of_cpython() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let cases = [
            (none(), "80044e2e"),
            (boolean(true), "8004882e"),
            (boolean(false), "8004892e"),
            (empty_list(), "80045d942e"),
            (text("train"), "80049509000000000000008c05747261696e942e"),
            (
                transition(&names(&["join"]), None),
                "8004950e000000000000005d948c046a6f696e94614e86942e",
            ),
            (
                transition(&names(&["a", "b"]), None),
                "80049510000000000000005d94288c0161948c016294654e86942e",
            ),
            (
                transition(&names(&["work"]), Some("items")),
                "80049515000000000000005d948c04776f726b94618c056974656d739486942e",
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(hex(&bytes), expected);
        }
    }
}
