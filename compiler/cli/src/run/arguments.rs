//! The command lines of `flowc run` and `flowc resume`.

use std::ffi::{OsStr, OsString};

use anyhow::{Context, bail};
use flowc_core::python_json;
use flowc_target::BranchChoice;
use indexmap::IndexMap;
use serde::de::IgnoredAny;

use crate::describe::Given;
use crate::place::variable;
use crate::words::{self, GivenValue, Names, OptionRow, positive, text};

/// Metaflow's variable for configurations that are in files: names and paths.
const PATHS_VARIABLE: &str = "METAFLOW_FLOW_CONFIG";

/// Metaflow's variable for configurations: names and values.
const VALUES_VARIABLE: &str = "METAFLOW_FLOW_CONFIG_VALUE";

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "options, which are given or not independently of each other"
)]
pub(crate) struct Arguments {
    /// `FLOW`
    pub(crate) flow: Option<String>,
    /// `STEP` of `flowc resume`
    pub(crate) step: Option<String>,
    /// `--origin-run-id`
    pub(crate) origin_run_id: Option<String>,
    /// `--help`
    pub(crate) help: bool,
    /// `--max-workers`
    pub(crate) max_workers: Option<usize>,
    /// `--max-num-splits`
    pub(crate) max_num_splits: Option<u32>,
    /// `--tag`, in order
    pub(crate) tags: Vec<String>,
    /// `--branch` and `--production`
    pub(crate) branch: BranchChoice,
    /// `--trigger`, in order
    pub(crate) triggers: Vec<String>,
    /// `--namespace`
    pub(crate) namespace: Option<String>,
    /// `--run-id-file`
    pub(crate) run_id_file: Option<OsString>,
    /// `--store`
    pub(crate) store: Option<String>,
    /// `--python`
    pub(crate) python: Option<OsString>,
    /// `--no-fork`
    pub(crate) no_fork: bool,
    /// `--wait-between-retries`
    pub(crate) wait_between_retries: bool,
    /// `--pdb`
    pub(crate) pdb: bool,
    /// `--with`, in order
    pub(crate) attached: Vec<String>,
    /// What Metaflow's settings put onto every step, after those.
    pub(crate) attached_by_settings: Vec<String>,
    /// `--config`: names and paths
    pub(crate) configs: Vec<(String, String)>,
    /// `--config-value`: names and texts
    pub(crate) config_values: Vec<(String, String)>,
    /// Values for parameters, in order.
    pub(crate) values: Vec<GivenValue>,
}

const MAX_WORKERS: OptionRow = (
    "max-workers",
    Some("N"),
    "Tasks at once [default: 16, as in Metaflow]",
);

const MAX_NUM_SPLITS: OptionRow = (
    "max-num-splits",
    Some("N"),
    "Widest foreach that is run [default: 100, as in Metaflow]",
);

const TAG: OptionRow = ("tag", Some("TAG"), "Tag of the run (repeatable)");

const TRIGGER: OptionRow = (
    "trigger",
    Some("FLOW/RUN"),
    "Begin as if this run had started the flow, for @trigger_on_finish (repeatable)",
);

const NAMESPACE: OptionRow = (
    "namespace",
    Some("TAG"),
    "Runs that Metaflow's client finds in the steps: those with this tag, or all with --namespace= [default: your own]",
);

const RUN_ID_FILE: OptionRow = (
    "run-id-file",
    Some("FILE"),
    "Write the run's id to this file",
);

const STORE: OptionRow = (
    "store",
    Some("DIR|URL"),
    "Root of the store: a folder that holds flows, or s3://BUCKET/PREFIX [default: Metaflow's own, .metaflow]",
);

const PYTHON: OptionRow = (
    "python",
    Some("PROGRAM"),
    "The Python that runs the steps [default: FLOWC_PYTHON, the active virtual environment, python3]",
);

const NO_FORK: OptionRow = (
    "no-fork",
    None,
    "Start a fresh interpreter for each task instead of forking a warm one",
);

const WAIT_BETWEEN_RETRIES: OptionRow = (
    "wait-between-retries",
    None,
    "Wait as long as @retry says before a task is tried again [default: at once, as in Metaflow]",
);

const PDB: OptionRow = (
    "pdb",
    None,
    "Give the terminal to the tasks, one at a time: for breakpoint() and pdb.set_trace()",
);

const WITH: OptionRow = (
    "with",
    Some("DECORATOR"),
    "Put a decorator onto every step that has none of its name, as in retry:times=2 (repeatable)",
);

const CONFIG: OptionRow = (
    "config",
    Some("NAME PATH"),
    "Value of a configuration, read from a file (repeatable)",
);

const CONFIG_VALUE: OptionRow = (
    "config-value",
    Some("NAME JSON"),
    "Value of a configuration (repeatable)",
);

/// Options of `flowc run`, with what stands for their value in the help.
pub(crate) const OPTIONS: &[OptionRow] = &[
    words::PARAM,
    MAX_WORKERS,
    MAX_NUM_SPLITS,
    TAG,
    words::BRANCH,
    words::PRODUCTION,
    TRIGGER,
    NAMESPACE,
    RUN_ID_FILE,
    STORE,
    PYTHON,
    NO_FORK,
    WAIT_BETWEEN_RETRIES,
    PDB,
    WITH,
    CONFIG,
    CONFIG_VALUE,
    words::HELP,
];

/// Options of `flowc resume`.
pub(crate) const RESUME_OPTIONS: &[OptionRow] = &[
    (
        "origin-run-id",
        Some("RUN"),
        "The run to resume, also one of an orchestrator [default: the flow's latest run on this machine]",
    ),
    MAX_WORKERS,
    MAX_NUM_SPLITS,
    TAG,
    words::BRANCH,
    words::PRODUCTION,
    TRIGGER,
    NAMESPACE,
    RUN_ID_FILE,
    STORE,
    PYTHON,
    NO_FORK,
    WAIT_BETWEEN_RETRIES,
    PDB,
    WITH,
    CONFIG,
    CONFIG_VALUE,
    ("help", None, "Show this"),
];

/// Takes the command line of `flowc run` apart; what looks like an option and is none of ours is a parameter.
pub(crate) fn parse(words: &[OsString]) -> anyhow::Result<Arguments> {
    gather(words::split(words, OPTIONS, Names::Flow)?)
}

/// Takes the command line of `flowc resume` apart; parameters are found in it only to be refused.
pub(crate) fn parse_resume(words: &[OsString]) -> anyhow::Result<Arguments> {
    gather(words::split(words, RESUME_OPTIONS, Names::FlowAndStep)?)
}

fn gather(words: words::Words) -> anyhow::Result<Arguments> {
    let mut arguments = Arguments {
        flow: words.flow,
        step: words.step,
        help: words.help,
        values: words.values,
        ..Arguments::default()
    };
    for (name, value) in words.options {
        match name {
            "run-id-file" => arguments.run_id_file = value,
            "python" => arguments.python = value,
            "config" => arguments.configs.push(pair(name, value.as_deref())?),
            "config-value" => arguments.config_values.push(pair(name, value.as_deref())?),
            "no-fork" => arguments.no_fork = true,
            "wait-between-retries" => arguments.wait_between_retries = true,
            "pdb" => arguments.pdb = true,
            "store" => arguments.store = Some(text(name, value.as_deref())?),
            "origin-run-id" => arguments.origin_run_id = Some(text(name, value.as_deref())?),
            "tag" => arguments.tags.push(text(name, value.as_deref())?),
            "branch" => arguments.branch.branch = Some(text(name, value.as_deref())?),
            "namespace" => arguments.namespace = Some(text(name, value.as_deref())?),
            "trigger" => arguments.triggers.push(text(name, value.as_deref())?),
            "production" => arguments.branch.production = true,
            "with" => arguments.attached.push(text(name, value.as_deref())?),
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

impl Arguments {
    /// Configurations of the command line, and those of Metaflow's variables that it does not give.
    pub(crate) fn given(&self) -> anyhow::Result<Given> {
        let mut given = [Vec::new(), Vec::new()];
        let mut known: Vec<&str> = Vec::new();
        let typed = [&self.configs, &self.config_values];
        for (pairs, all) in typed.into_iter().zip(&mut given) {
            for (name, value) in pairs {
                known.push(name);
                all.extend([name.clone(), value.clone()]);
            }
        }
        let [mut configs, values] = given;
        let mut paths = IndexMap::new();
        if let Some(text) = set(PATHS_VARIABLE) {
            paths = serde_json::from_str::<IndexMap<String, String>>(&text).with_context(|| {
                format!("{PATHS_VARIABLE} is no JSON object of configurations and paths")
            })?;
            paths.retain(|name, _| !known.contains(&name.as_str()));
        }
        let variable = set(VALUES_VARIABLE);
        if let Some(text) = &variable {
            // Only the names are looked at: what the values are, Python reads.
            let named: IndexMap<String, IgnoredAny> =
                serde_json::from_str(&python_json::standard(text)).with_context(|| {
                    format!("{VALUES_VARIABLE} is no JSON object of configurations")
                })?;
            if let Some(name) = named.keys().find(|name| paths.contains_key(*name)) {
                bail!("the configuration `{name}` is given twice");
            }
        }
        configs.extend(paths.into_iter().flat_map(|(name, path)| [name, path]));
        let attached = [&*self.attached, &*self.attached_by_settings].concat();
        let python = self.python.clone();
        Ok(Given::new(configs, values, variable, attached, python))
    }

    /// What to type after `flowc resume` to go on from a run of these arguments, with foreaches as wide as `width` if
    /// that is what it takes.
    pub(crate) fn to_resume(&self, run: &str, width: Option<u32>) -> String {
        let mut line: Vec<OsString> = self.flow.iter().map(OsString::from).collect();
        let mut add = |name: &str, value: OsString| {
            line.extend([OsString::from(format!("--{name}")), value]);
        };
        add("origin-run-id", run.into());
        if let Some(store) = &self.store {
            add("store", store.into());
        }
        if let Some(python) = &self.python {
            add("python", python.clone());
        }
        for tag in &self.tags {
            add("tag", tag.into());
        }
        if let Some(branch) = &self.branch.branch {
            add("branch", branch.into());
        }
        if let Some(namespace) = &self.namespace {
            add("namespace", namespace.into());
        }
        if let Some(workers) = self.max_workers {
            add("max-workers", workers.to_string().into());
        }
        if let Some(width) = width.or(self.max_num_splits) {
            add("max-num-splits", width.to_string().into());
        }
        if self.branch.production {
            line.push("--production".into());
        }
        if self.no_fork {
            line.push("--no-fork".into());
        }
        if self.wait_between_retries {
            line.push("--wait-between-retries".into());
        }
        for decorator in &self.attached {
            line.extend(["--with".into(), decorator.into()]);
        }
        for (option, pairs) in [
            ("--config", &self.configs),
            ("--config-value", &self.config_values),
        ] {
            for (name, value) in pairs {
                line.extend([option.into(), name.into(), value.into()]);
            }
        }
        words::shown(&line)
    }
}

/// The text of a variable that is set and not empty.
fn set(name: &str) -> Option<String> {
    let text = variable(name).filter(|text| !text.is_empty())?;
    Some(text.to_string_lossy().into_owned())
}

/// Both words of an option that takes two.
fn pair(name: &str, value: Option<&OsStr>) -> anyhow::Result<(String, String)> {
    let text = text(name, value)?;
    let (first, second) = text.split_once('=').unwrap_or((&text, ""));
    Ok((first.to_owned(), second.to_owned()))
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
    fn a_failed_run_says_how_to_resume_it() {
        let arguments =
            parsed("f.py --alpha 3 --store s3://b/p --tag a --wait-between-retries --no-fork --production --branch b --namespace=user:bob")
                .unwrap();
        assert_eq!(
            arguments.to_resume("17", Some(500)),
            "f.py --origin-run-id 17 --store s3://b/p --tag a --branch b --namespace user:bob --max-num-splits 500 --production --no-fork --wait-between-retries"
        );
        let words = ["f.py", "train", "--origin-run-id=F/17"].map(OsString::from);
        let arguments = parse_resume(&words).unwrap();
        assert_eq!(arguments.step.as_deref(), Some("train"));
        assert_eq!(arguments.origin_run_id.as_deref(), Some("F/17"));
    }

    #[test]
    fn configurations_are_pairs() {
        let line = "f.py --config a dir/a.json --config-value b 3 --alpha=1";
        let arguments = parsed(line).unwrap();
        assert_eq!(arguments.configs, [("a".into(), "dir/a.json".into())]);
        assert_eq!(arguments.config_values, [("b".into(), "3".into())]);
        assert_eq!(values(&arguments), [("alpha", Some("1"))]);
        let again = arguments.to_resume("7", None);
        assert!(
            again.ends_with("--config a dir/a.json --config-value b 3"),
            "{again}"
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
            ("f.py --config settings", "--config needs NAME PATH"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
