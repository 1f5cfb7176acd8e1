//! Options of Metaflow's command line: those that it takes from the environment where they are not typed, as
//! `METAFLOW_RUN_MAX_WORKERS` is its `run --max-workers`, and those that have no counterpart here.
//!
//! Metaflow: click's `auto_envvar_prefix` in `metaflow/cli.py`, and `metaflow/cli_components/run_cmds.py`, read at 2.19.39.

use std::ffi::OsString;

use flowc_local::settings::SettingError;

use crate::place::{Local, variable};
use crate::run::arguments::Arguments;

/// The command that the variables of a line are named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `METAFLOW_RUN_…`
    Run,
    /// `METAFLOW_RESUME_…`
    Resume,
}

/// Options of Metaflow's `run` and `resume` that ours do not have, and what to do instead.
pub(crate) const OF_METAFLOW: &[(&str, &str)] = &[
    ("datastore", "name the store by `--store DIR|URL`"),
    ("datastore-root", "name the store by `--store DIR|URL`"),
    (
        "metadata",
        "leave it out, runs are entered in local metadata",
    ),
    ("environment", "leave it out, all steps run in one Python"),
    ("event-logger", "leave it out, events are logged nowhere"),
    ("monitor", "leave it out, nothing is measured"),
    ("pylint", "leave it out, `flowc check` finds what is wrong"),
    ("no-pylint", "leave it out, no pylint is run"),
    (
        "quiet",
        "leave it out, what flowc says itself goes to standard error",
    ),
    ("not-quiet", "leave it out, it is so anyway"),
    (
        "package-suffixes",
        "`[package] include` of flowc.toml adds files",
    ),
    (
        "max-log-size",
        "leave it out, what a task prints is kept up to 10 MB",
    ),
    (
        "runner-attribute-file",
        "`--run-id-file FILE` writes the run's id",
    ),
    (
        "clone-only",
        "leave it out, `flowc resume` runs what its origin lacks",
    ),
    (
        "run-id",
        "leave it out, `--run-id-file FILE` tells the run's id",
    ),
    ("mode", "leave it out, `flowc test step` runs a single step"),
];

impl Arguments {
    /// Takes from Metaflow's variables and settings what the command line does not say.
    pub(crate) fn complete(&mut self, command: Command, local: &Local) -> Result<(), SettingError> {
        let defaults = local.get("DEFAULT_DECOSPECS").unwrap_or_default();
        self.take(command, &defaults, &variable)
    }

    fn take(
        &mut self,
        command: Command,
        default_decorators: &str,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<(), SettingError> {
        let prefix = match command {
            Command::Run => "METAFLOW_RUN",
            Command::Resume => "METAFLOW_RESUME",
        };
        let text = |name: &str| variable(name)?.into_string().ok();
        let own = |option: &str| {
            let name = format!("{prefix}_{option}");
            let value = text(&name)?;
            Some((name, value))
        };
        if self.max_workers.is_none() {
            self.max_workers = own("MAX_WORKERS").map(positive).transpose()?;
        }
        if self.max_num_splits.is_none() {
            self.max_num_splits = own("MAX_NUM_SPLITS").map(positive).transpose()?;
        }
        if self.tags.is_empty() {
            self.tags = own("TAGS").map(|(_, all)| words(&all)).unwrap_or_default();
        }
        if self.attached.is_empty() {
            let all = own("DECOSPECS").map(|(_, all)| words(&all));
            self.attached = all.unwrap_or_default();
        }
        self.run_id_file = self.run_id_file.take().or_else(|| {
            let file = variable(&format!("{prefix}_RUN_ID_FILE"))?;
            Some(file).filter(|file| !file.is_empty())
        });
        match command {
            Command::Run if self.namespace.is_none() => {
                self.namespace = own("USER_NAMESPACE").map(|(_, tag)| tag);
            }
            Command::Resume if self.origin_run_id.is_none() => {
                let run = own("ORIGIN_RUN_ID").map(|(_, run)| run);
                self.origin_run_id = run.filter(|run| !run.is_empty());
            }
            Command::Run | Command::Resume => {}
        }
        if self.triggers.is_empty() {
            self.triggers = words(&text("METAFLOW_TRIGGER").unwrap_or_default());
        }
        self.attached_by_settings = words(default_decorators);
        let top = text("METAFLOW_DECOSPECS").unwrap_or_default();
        self.attached_by_settings.extend(words(&top));
        Ok(())
    }
}

fn words(all: &str) -> Vec<String> {
    all.split_whitespace().map(str::to_owned).collect()
}

fn positive<N: std::str::FromStr + PartialOrd + From<u8>>(
    (name, value): (String, String),
) -> Result<N, SettingError> {
    match value.trim().parse::<N>() {
        Ok(number) if number >= N::from(1) => Ok(number),
        _ => Err(SettingError::Value {
            name,
            value,
            why: "it is no whole number from 1 up".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(
        command: Command,
        mut arguments: Arguments,
        pairs: &[(&str, &str)],
    ) -> Result<Arguments, SettingError> {
        let variable = |name: &str| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        arguments.take(command, "retry:times=2 timeout", &variable)?;
        Ok(arguments)
    }

    const RUN: &[(&str, &str)] = &[
        ("METAFLOW_RUN_MAX_WORKERS", "3"),
        ("METAFLOW_RUN_MAX_NUM_SPLITS", "200"),
        ("METAFLOW_RUN_TAGS", "a b"),
        ("METAFLOW_RUN_DECOSPECS", "catch:var=failure"),
        ("METAFLOW_RUN_RUN_ID_FILE", "id"),
        ("METAFLOW_RUN_USER_NAMESPACE", ""),
        ("METAFLOW_TRIGGER", "F/1 F/2"),
        ("METAFLOW_DECOSPECS", "environment"),
    ];

    #[test]
    fn variables_say_what_the_line_does_not() {
        let taken_over = taken(Command::Run, Arguments::default(), RUN).unwrap();
        let expected = Arguments {
            max_workers: Some(3),
            max_num_splits: Some(200),
            tags: vec!["a".into(), "b".into()],
            attached: vec!["catch:var=failure".into()],
            attached_by_settings: ["retry:times=2", "timeout", "environment"]
                .map(str::to_owned)
                .into(),
            run_id_file: Some("id".into()),
            namespace: Some(String::new()),
            triggers: vec!["F/1".into(), "F/2".into()],
            ..Arguments::default()
        };
        assert_eq!(taken_over, expected);
        let resumed = taken(Command::Resume, Arguments::default(), RUN).unwrap();
        assert_eq!(resumed.max_workers, None);
        assert_eq!(resumed.namespace, None);
        let pairs = [("METAFLOW_RESUME_ORIGIN_RUN_ID", "17")];
        let resumed = taken(Command::Resume, Arguments::default(), &pairs).unwrap();
        assert_eq!(resumed.origin_run_id.as_deref(), Some("17"));
    }

    #[test]
    fn the_line_wins() {
        let typed = Arguments {
            max_workers: Some(1),
            max_num_splits: Some(1),
            tags: vec!["mine".into()],
            attached: vec!["retry".into()],
            run_id_file: Some("mine".into()),
            namespace: Some("mine".into()),
            triggers: vec!["F/9".into()],
            ..Arguments::default()
        };
        let kept = taken(Command::Run, typed.clone(), RUN).unwrap();
        let attached_by_settings = kept.attached_by_settings.clone();
        assert_eq!(attached_by_settings.len(), 3);
        let typed = Arguments {
            attached_by_settings,
            ..typed
        };
        assert_eq!(kept, typed);
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        for value in ["", "0", "many", "-1"] {
            let pairs = [("METAFLOW_RUN_MAX_WORKERS", value)];
            let error = taken(Command::Run, Arguments::default(), &pairs).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("METAFLOW_RUN_MAX_WORKERS"), "{said}");
        }
    }
}
