//! The command line of `flowc run`.

use std::ffi::OsString;

use crate::words::{self, GivenValue, OptionRow, positive, text};

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

/// Our options, with what stands for their value in the help.
pub(crate) const OPTIONS: &[OptionRow] = &[
    words::PARAM,
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
    words::HELP,
];

/// Takes the command line apart; what looks like an option and is none of ours is a parameter.
pub(crate) fn parse(words: &[OsString]) -> anyhow::Result<Arguments> {
    let words = words::split(words, OPTIONS)?;
    let mut arguments = Arguments {
        flow: words.flow,
        help: words.help,
        values: words.values,
        ..Arguments::default()
    };
    for (name, value) in words.options {
        match name {
            "run-id-file" => arguments.run_id_file = value,
            "python" => arguments.python = value,
            "no-fork" => arguments.no_fork = true,
            "store" => arguments.store = Some(text(name, value.as_deref())?),
            "tag" => arguments.tags.push(text(name, value.as_deref())?),
            "max-workers" => {
                arguments.max_workers = Some(positive(name, &text(name, value.as_deref())?)?);
            }
            _ => {
                arguments.max_num_splits = Some(positive(name, &text(name, value.as_deref())?)?);
            }
        }
    }
    Ok(arguments)
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
