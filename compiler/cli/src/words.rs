//! Command lines that mix our options with the parameters of a flow.
//!
//! A flow's parameters are known only once the flow is read, so such a line is taken apart by hand: our options by
//! their exact names, and whatever else looks like an option is a parameter.

use std::ffi::{OsStr, OsString};

use anyhow::bail;

/// One of our options: its name, what stands for its value in the help, and the help.
pub(crate) type OptionRow = (&'static str, Option<&'static str>, &'static str);

/// A line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// The first word that is no option.
    pub(crate) flow: Option<String>,
    /// The second, where a command takes one.
    pub(crate) step: Option<String>,
    /// `--help` or `-h`
    pub(crate) help: bool,
    /// Our options in order, with their values; one that takes two has them as `FIRST=SECOND`.
    pub(crate) options: Vec<(&'static str, Option<OsString>)>,
    /// Values for parameters, in order.
    pub(crate) values: Vec<GivenValue>,
}

/// A value that was given for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenValue {
    /// Name as typed, without dashes.
    pub(crate) name: String,
    /// The text; `None` if there was none.
    pub(crate) value: Option<OsString>,
}

/// The option by which every parameter can be reached, whatever its name.
pub(crate) const PARAM: OptionRow = (
    "param",
    Some("NAME=VALUE"),
    "Value of a parameter, also one with the name of an option (repeatable)",
);

/// The branch of the flow's project.
pub(crate) const BRANCH: OptionRow = ("branch", Some("NAME"), "Branch of the flow's project");

/// Its production branch.
pub(crate) const PRODUCTION: OptionRow = (
    "production",
    None,
    "The production branch of the flow's project, or with --branch one of its production branches",
);

/// Shows the help.
pub(crate) const HELP: OptionRow = ("help", None, "Show this, and the flow's parameters");

/// What a line names besides its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// A flow.
    Flow,
    /// A flow, and one of its steps if wanted.
    FlowAndStep,
}

/// Takes a line apart; `options` are ours, [`HELP`] among them.
pub(crate) fn split(
    words: &[OsString],
    options: &[OptionRow],
    names: Names,
) -> anyhow::Result<Words> {
    let mut found = Words::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.to_str().and_then(|word| word.strip_prefix("--")) else {
            match word.to_str() {
                Some("-h") => found.help = true,
                Some(flow) if found.flow.is_none() && !flow.starts_with('-') => {
                    found.flow = Some(flow.to_owned());
                }
                Some(step)
                    if names == Names::FlowAndStep
                        && found.step.is_none()
                        && !step.starts_with('-') =>
                {
                    found.step = Some(step.to_owned());
                }
                Some(other) => {
                    bail!("`{other}` is not understood here; parameters are given as --NAME VALUE")
                }
                None => match split_raw(word) {
                    Some(given) => found.values.push(given),
                    None => bail!("`{}` is not UTF-8", word.display()),
                },
            }
            continue;
        };
        let (name, attached) = match option.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (option, None),
        };
        let known = options.iter().find(|(known, ..)| *known == name);
        if let Some((known, None, _)) = known {
            if attached.is_some() {
                bail!("--{name} takes no value");
            }
            match *known {
                "help" => found.help = true,
                flag => found.options.push((flag, None)),
            }
            continue;
        }
        if let Some((known, Some(shown), _)) = known
            && shown.contains(' ')
        {
            let mut next = || words.next_if(|next| !looks_like_option(next)).cloned();
            let (Some(mut pair), Some(value)) = (attached.or_else(&mut next), next()) else {
                bail!("--{name} needs {shown}");
            };
            pair.push("=");
            pair.push(value);
            found.options.push((known, Some(pair)));
            continue;
        }
        // What follows belongs to the option even if it starts with a dash (`--alpha -3`), unless it is an option itself.
        let value = attached.or_else(|| words.next_if(|next| !looks_like_option(next)).cloned());
        let Some((known, ..)) = known else {
            let name = name.to_owned();
            found.values.push(GivenValue { name, value });
            continue;
        };
        let Some(value) = value else {
            bail!("--{name} needs a value");
        };
        if *known == PARAM.0 {
            let Some(given) = split_at_equals(&value) else {
                bail!("--param needs NAME=VALUE, not `{}`", value.display());
            };
            found.values.push(given);
        } else {
            found.options.push((known, Some(value)));
        }
    }
    Ok(found)
}

/// The value of an option as text.
pub(crate) fn text(name: &str, value: Option<&OsStr>) -> anyhow::Result<String> {
    match value.and_then(OsStr::to_str) {
        Some(text) => Ok(text.to_owned()),
        None => bail!("the value of --{name} is not UTF-8"),
    }
}

/// The value of an option as a number from 1 up.
pub(crate) fn positive<N: std::str::FromStr + PartialOrd + From<u8>>(
    name: &str,
    text: &str,
) -> anyhow::Result<N> {
    match text.parse::<N>() {
        Ok(number) if number >= N::from(1) => Ok(number),
        _ => bail!("--{name} needs a whole number from 1 up, not `{text}`"),
    }
}

/// A command line as one would type it into a shell.
pub(crate) fn shown(words: &[OsString]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

/// A word for a POSIX shell.
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |letter: char| letter.is_alphanumeric() || "-_./:=,+@%".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn looks_like_option(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.len() > 2 && bytes.starts_with(b"--") && bytes[2].is_ascii_alphabetic()
}

/// `NAME=VALUE`, whose value may be any bytes.
fn split_at_equals(word: &OsStr) -> Option<GivenValue> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = word.as_encoded_bytes();
    let at = bytes
        .iter()
        .position(|byte| *byte == b'=')
        .filter(|at| *at > 0)?;
    Some(GivenValue {
        name: std::str::from_utf8(&bytes[..at]).ok()?.to_owned(),
        value: Some(OsStr::from_bytes(&bytes[at + 1..]).to_owned()),
    })
}

/// `--NAME=VALUE` whose value is not UTF-8; said to be wrong later, with the parameter's name.
fn split_raw(word: &OsStr) -> Option<GivenValue> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = word.as_encoded_bytes().strip_prefix(b"--")?;
    split_at_equals(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again() {
        let words = ["f.py", "--name", "it's *", "--empty", "", "--tag=a"];
        let words = words.map(OsString::from);
        assert_eq!(shown(&words), r"f.py --name 'it'\''s *' --empty '' --tag=a");
    }
}
