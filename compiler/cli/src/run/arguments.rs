//! The command line of `flowc run`: our options by their exact names, and the flow's parameters.
//!
//! The flow's parameters are known only once the flow is read, so this is taken apart by hand.

use std::ffi::{OsStr, OsString};

use anyhow::bail;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `FLOW`
    pub(crate) flow: Option<String>,
    /// `--help`
    pub(crate) help: bool,
    /// `--max-workers`
    pub(crate) max_workers: Option<usize>,
    /// `--max-num-splits`
    pub(crate) max_num_splits: Option<u32>,
    /// `--tag`, in order
    pub(crate) tags: Vec<String>,
    /// `--run-id-file`
    pub(crate) run_id_file: Option<OsString>,
    /// `--store`
    pub(crate) store: Option<String>,
    /// `--python`
    pub(crate) python: Option<OsString>,
    /// `--no-fork`
    pub(crate) no_fork: bool,
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

/// Our options, with what stands for their value in the help.
pub(crate) const OPTIONS: &[(&str, Option<&str>, &str)] = &[
    (
        "param",
        Some("NAME=VALUE"),
        "Value of a parameter, also one with the name of an option (repeatable)",
    ),
    (
        "max-workers",
        Some("N"),
        "Tasks at once [default: 16, as in Metaflow]",
    ),
    (
        "max-num-splits",
        Some("N"),
        "Widest foreach that is run [default: 100, as in Metaflow]",
    ),
    ("tag", Some("TAG"), "Tag of the run (repeatable)"),
    (
        "run-id-file",
        Some("FILE"),
        "Write the run's id to this file",
    ),
    (
        "store",
        Some("DIR|URL"),
        "Root of the store: a folder that holds flows, or s3://BUCKET/PREFIX [default: Metaflow's own, .metaflow]",
    ),
    (
        "python",
        Some("PROGRAM"),
        "The Python that runs the steps [default: FLOWC_PYTHON, the active virtual environment, python3]",
    ),
    (
        "no-fork",
        None,
        "Start a fresh interpreter for each task instead of forking a warm one",
    ),
    ("help", None, "Show this, and the flow's parameters"),
];

/// Takes the command line apart; what looks like an option and is none of ours is a parameter.
pub(crate) fn parse(words: &[OsString]) -> anyhow::Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.to_str().and_then(|word| word.strip_prefix("--")) else {
            match word.to_str() {
                Some("-h") => arguments.help = true,
                Some(flow) if arguments.flow.is_none() && !flow.starts_with('-') => {
                    arguments.flow = Some(flow.to_owned());
                }
                Some(other) => {
                    bail!("`{other}` is not understood here; parameters are given as --NAME VALUE")
                }
                None => match split_raw(word) {
                    Some(given) => arguments.values.push(given),
                    None => bail!("`{}` is not UTF-8", word.display()),
                },
            }
            continue;
        };
        let (name, attached) = match option.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (option, None),
        };
        let known = OPTIONS.iter().find(|(known, ..)| *known == name);
        if let Some((_, None, _)) = known {
            if attached.is_some() {
                bail!("--{name} takes no value");
            }
            match name {
                "no-fork" => arguments.no_fork = true,
                _ => arguments.help = true,
            }
            continue;
        }
        // What follows belongs to the option even if it starts with a dash (`--alpha -3`), unless it is an option itself.
        let value = attached.or_else(|| words.next_if(|next| !looks_like_option(next)).cloned());
        if known.is_none() {
            let name = name.to_owned();
            arguments.values.push(GivenValue { name, value });
            continue;
        }
        let Some(value) = value else {
            bail!("--{name} needs a value");
        };
        arguments.set(name, &value)?;
    }
    Ok(arguments)
}

impl Arguments {
    fn set(&mut self, name: &str, value: &OsStr) -> anyhow::Result<()> {
        match name {
            "run-id-file" => self.run_id_file = Some(value.to_owned()),
            "python" => self.python = Some(value.to_owned()),
            "param" => {
                let Some(given) = split_at_equals(value) else {
                    bail!("--param needs NAME=VALUE, not `{}`", value.display());
                };
                self.values.push(given);
            }
            _ => {
                let Some(text) = value.to_str() else {
                    bail!("the value of --{name} is not UTF-8");
                };
                match name {
                    "store" => self.store = Some(text.to_owned()),
                    "tag" => self.tags.push(text.to_owned()),
                    "max-workers" => self.max_workers = Some(positive(name, text)?),
                    _ => self.max_num_splits = Some(positive(name, text)?),
                }
            }
        }
        Ok(())
    }
}

fn positive<N: std::str::FromStr + PartialOrd + From<u8>>(
    name: &str,
    text: &str,
) -> anyhow::Result<N> {
    match text.parse::<N>() {
        Ok(number) if number >= N::from(1) => Ok(number),
        _ => bail!("--{name} needs a whole number from 1 up, not `{text}`"),
    }
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

    fn parsed(line: &str) -> anyhow::Result<Arguments> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        parse(&words)
    }

    fn values(arguments: &Arguments) -> Vec<(&str, Option<&str>)> {
        let values = arguments.values.iter();
        values
            .map(|given| {
                (
                    given.name.as_str(),
                    given.value.as_ref().and_then(|value| value.to_str()),
                )
            })
            .collect()
    }

    #[test]
    fn options_and_parameters_may_stand_anywhere() {
        let line = "--max-workers 4 f.py --alpha -3 --tag=a --param tag=b --tag c --flag --no-fork --empty=";
        let arguments = parsed(line).unwrap();
        assert_eq!(arguments.flow.as_deref(), Some("f.py"));
        assert_eq!(arguments.max_workers, Some(4));
        assert_eq!(arguments.tags, ["a", "c"]);
        assert!(arguments.no_fork);
        assert_eq!(
            values(&arguments),
            [
                ("alpha", Some("-3")),
                ("tag", Some("b")),
                ("flag", None),
                ("empty", Some(""))
            ]
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (line, said) in [
            ("f.py --max-workers 0", "whole number from 1 up"),
            ("f.py --max-workers", "needs a value"),
            ("f.py --max-workers --no-fork", "needs a value"),
            ("f.py extra", "`extra` is not understood"),
            ("f.py -x", "`-x` is not understood"),
            ("f.py --no-fork=1", "takes no value"),
            ("f.py --param alpha", "NAME=VALUE"),
            ("f.py --max-num-splits 1e3", "not `1e3`"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
