//! What of the environment a flow file sees when Python executes it, and what is said where a bundle would depend on it.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use flowc_core::diag::{Code, Diagnostic, Severity};
use flowc_core::front::python::description::{DescribedDecorator, Description, Failure};
use flowc_core::ir::flow::{Decorator, Flow};
use flowc_core::source::{SourceTree, Span};
use flowc_target::Profile;
use flowc_target::profile::DEFAULT_PROFILE;
use serde::Deserialize;
use serde_json::{Value, json};

/// What Python needs of the environment to find its own files and packages, besides [`FOLDERS`].
const KEPT: &[&str] = &["HOME", "PYENV_VERSION"];

/// Likewise, those that hold folders, between colons.
const FOLDERS: &[&str] = &[
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
];

/// Whose environment a flow file sees.
#[derive(Clone, Debug, Default)]
pub(crate) enum Surroundings {
    /// That of whoever runs flowc, which the tasks on this machine see as well.
    #[default]
    Here,
    /// That of containers: the `env` of the profile of this name.
    Containers(Option<String>),
}

impl Surroundings {
    /// The variables that the profile pins, by name.
    pub(crate) fn pinned<'p>(
        &self,
        profile: Option<&'p Profile>,
    ) -> impl Iterator<Item = (&'p str, &'p str)> {
        let containers = matches!(self, Self::Containers(_));
        let env = profile.filter(|_| containers).map(|profile| &profile.env);
        let pairs = env.into_iter().flatten();
        pairs.map(|(name, value)| (name.as_str(), value.value.as_str()))
    }

    /// Gives a Python that describes a flow its environment; `seed` is that of its hashes.
    pub(crate) fn enter(&self, command: &mut Command, seed: &str, profile: Option<&Profile>) {
        match self {
            Self::Here => {
                if env::var_os("PYTHONHASHSEED").is_none() {
                    command.env("PYTHONHASHSEED", seed);
                }
                command.envs(FOLDERS.iter().filter_map(|name| kept(name)));
            }
            Self::Containers(_) => {
                command
                    .env_clear()
                    .envs(KEPT.iter().chain(FOLDERS).filter_map(|name| kept(name)))
                    .env("LC_ALL", "C.UTF-8")
                    .env("TZ", "UTC")
                    .env("PYTHONHASHSEED", seed)
                    .envs(self.pinned(profile));
            }
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
    }

    /// What Python is to find out of the variables that the answer comes from.
    pub(crate) fn question(&self, profile: Option<&Profile>) -> Value {
        match self {
            Self::Here => Value::Null,
            Self::Containers(_) => {
                let pinned: Vec<&str> = self.pinned(profile).map(|(name, _)| name).collect();
                json!({ "pinned": pinned })
            }
        }
    }

    /// How findings call the profile.
    fn profile(&self) -> &str {
        match self {
            Self::Containers(Some(name)) => name,
            Self::Here | Self::Containers(None) => DEFAULT_PROFILE,
        }
    }
}

/// A variable as the user has it: folders count from where the user is, and Python is asked elsewhere.
fn kept(name: &str) -> Option<(&str, OsString)> {
    let value = env::var_os(name)?;
    let cwd = env::current_dir().ok();
    let Some(cwd) = cwd.filter(|_| FOLDERS.contains(&name) && !value.is_empty()) else {
        return Some((name, value));
    };
    let folders = env::split_paths(&value).map(|folder| cwd.join(folder));
    // A folder whose name holds the separator cannot stand in such a list.
    Some((name, env::join_paths(folders).unwrap_or(value)))
}

/// A variable that a description comes from: it differs when this one alone is another.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Variable {
    /// Its name; one that ends in `*` stands for all variables that begin so.
    name: String,
    /// Where the description differs; empty if the file fails for other values, or fails without one.
    path: Vec<Value>,
    /// Path below the root of the file that reads it, if it is one of the flow's.
    file: Option<String>,
    /// 1-based.
    line: Option<u32>,
}

/// Where things are for a finding.
pub(crate) struct Places<'a> {
    /// The answer.
    pub(crate) description: Option<&'a Description>,
    /// What was read with it.
    pub(crate) flow: Option<&'a Flow>,
    /// Why the file cannot be executed as it is.
    pub(crate) failure: Option<&'a Failure>,
    /// Why Python was asked.
    pub(crate) because: Option<Span>,
}

impl Variable {
    /// Path and line of what reads it.
    pub(crate) fn read_at(&self) -> Option<(&str, u32)> {
        self.file.as_deref().zip(self.line)
    }

    /// The finding: `read` is the line that reads it.
    pub(crate) fn refuse(
        &self,
        surroundings: &Surroundings,
        places: &Places<'_>,
        tree: &SourceTree,
        read: Option<Span>,
    ) -> Diagnostic {
        let named = match self.name.strip_suffix('*') {
            None => format!("the environment variable `{}`", self.name),
            Some("") => "every environment variable".to_owned(),
            Some(prefix) => format!("every environment variable that begins with `{prefix}`"),
        };
        let place = places.of(&self.path);
        let message = match (&place, places.failure) {
            (Some((what, _)), _) => format!("{what} comes from {named}"),
            (None, Some(_)) => format!("the flow file needs {named}"),
            (None, None) => format!("the flow file fails for other values of {named}"),
        };
        let mut finding = Diagnostic::new(Code::FC0034, Severity::Error, message);
        let value = place.and_then(|(_, span)| span);
        match (value, read) {
            (Some(value), Some(read)) if covers(tree, value, read) => {
                finding = finding.label(value, "read here");
            }
            (Some(value), Some(read)) => {
                finding = finding.label(value, "differs when the variable does");
                finding = finding.label(read, "read here");
            }
            (Some(value), None) => finding = finding.label(value, "differs when the variable does"),
            (None, Some(read)) => finding = finding.label(read, "read here"),
            (None, None) => {}
        }
        if finding.labels.is_empty()
            && let Some(because) = places.because
        {
            finding = finding.label(because, "Python was asked because of this");
        }
        if let Some(failure) = places.failure {
            finding = finding.note(format!("Python said: {}", failure.said));
        }
        let profile = surroundings.profile();
        let (table, name) = (format!("[profile.{profile}]"), &self.name);
        finding.help(if name.ends_with('*') {
            format!("name the variables that are meant, and pin each under `env` of `{table}` in flowc.toml")
        } else {
            format!(
                "a bundle takes nothing from whoever compiles it: write `env = {{ {name} = \"…\" }}` under `{table}` in flowc.toml, which the containers see as well"
            )
        })
    }
}

/// Whether a value stands on the line that reads it.
fn covers(tree: &SourceTree, value: Span, read: Span) -> bool {
    value.file == read.file && {
        let (first, last) = (tree.position(value).line, {
            let end = Span {
                start: value.end,
                ..value
            };
            tree.position(end).line
        });
        let line = tree.position(read).line;
        (first..=last).contains(&line)
    }
}

impl Places<'_> {
    /// What of a flow is at a path of its description, and where; `None` if the path is empty.
    fn of(&self, path: &[Value]) -> Option<(String, Option<Span>)> {
        let description = self.description?;
        let (first, rest) = path.split_first()?;
        let name = |at: usize| rest.get(at).and_then(Value::as_str);
        let number = |at: usize| {
            let number = rest.get(at).and_then(Value::as_u64);
            number.and_then(|number| usize::try_from(number).ok())
        };
        let flow = self.flow;
        let class = flow.map(|flow| flow.name.span);
        Some(match first.as_str() {
            Some("parameters") => {
                let described = number(0).and_then(|at| description.parameters.get(at));
                let parameter = described.and_then(|described| {
                    let mut all = flow?.parameters.iter();
                    all.find(|one| one.attribute.value == described.attribute)
                });
                let (Some(parameter), Some(option)) = (parameter, name(1)) else {
                    return Some(("which parameters the flow has".to_owned(), class));
                };
                let what = format!("`{option}` of the parameter `{}`", parameter.name.value);
                let default = parameter.default.as_ref().filter(|_| option == "default");
                (
                    what,
                    Some(default.map_or(parameter.span, |default| default.span)),
                )
            }
            Some("decorators") => {
                let written = flow.map(|flow| flow.decorators.as_slice());
                let described = number(0).and_then(|at| description.decorators.get(at));
                let found = attribute(described, written, name(2));
                found.unwrap_or_else(|| ("which decorators the flow has".to_owned(), class))
            }
            Some("steps") => {
                let step = name(0).unwrap_or_default();
                let mut steps = flow.into_iter().flat_map(|flow| flow.steps.iter());
                let read = steps.find(|(_, one)| one.name.value == step);
                let read = read.map(|(_, one)| one);
                let all = description.steps.get(step);
                let described = number(1).and_then(|at| all?.get(at));
                let written = read.map(|step| step.decorators.as_slice());
                let otherwise = read.map(|step| step.name.span).or(class);
                let found = attribute(described, written, name(3));
                found.unwrap_or_else(|| (format!("which decorators `{step}` has"), otherwise))
            }
            Some("configs") => {
                let config = name(0).unwrap_or_default();
                (format!("the configuration `{config}`"), class)
            }
            _ => ("the class of the flow".to_owned(), class),
        })
    }
}

/// An argument of a decorator, and where it stands.
fn attribute(
    described: Option<&DescribedDecorator>,
    written: Option<&[Decorator]>,
    argument: Option<&str>,
) -> Option<(String, Option<Span>)> {
    let (described, argument) = (described?, argument?);
    let what = format!("`{argument}` of `@{}`", described.name);
    let mut all = written.into_iter().flatten();
    let decorator = all.find(|one| one.name.value == described.name);
    let span = decorator.map(|one| {
        let value = one.arguments.get(argument);
        value.map_or(one.span, |argument| argument.value.span)
    });
    Some((what, span))
}
