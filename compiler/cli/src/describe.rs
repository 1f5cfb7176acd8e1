//! Asks Python once for what cannot be read of a flow: the harness executes the file in an environment of its own.
//!
//! Two interpreters are asked side by side, with different hash seeds: an answer that depends on more than the files is none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use anyhow::{Context, bail};
use flowc_core::diag::{Code, Diagnostic, Severity};
use flowc_core::front::python::description::{self, Description, Failure};
use flowc_core::source::{FileId, SourceTree, Span};
use flowc_local::interpreter::{self, Interpreter};
use flowc_task::harness;
use serde_json::{Map, Value, json};

use crate::place::variable;
use crate::question;
use crate::run::session::cache;

/// What of the environment Python keeps: where it finds its own files and packages.
const KEPT: &[&str] = &[
    "HOME",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYENV_VERSION",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
];

/// What the answer depends on besides the flow's files.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Given {
    /// Value of a configuration, read from a file (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "PATH"], action = clap::ArgAction::Append)]
    config: Vec<String>,
    /// Value of a configuration (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "JSON"], action = clap::ArgAction::Append)]
    config_value: Vec<String>,
    /// Put a decorator onto every step that has none of its name, as in retry:times=2 (repeatable)
    #[arg(long = "with", value_name = "DECORATOR")]
    pub(crate) attached: Vec<String>,
    /// The Python that is asked what cannot be read of the flow [default: `FLOWC_PYTHON`, the active virtual environment, python3]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) python: Option<OsString>,
    /// Fail where only Python could tell, and do not ask it
    #[arg(skip)]
    pub(crate) statically: bool,
}

impl Given {
    /// As the words of `flowc run` give it: pairs of a name and a path, pairs of a name and a text, and decorators.
    pub(crate) fn new(
        config: Vec<String>,
        config_value: Vec<String>,
        attached: Vec<String>,
        python: Option<OsString>,
    ) -> Self {
        Self {
            config,
            config_value,
            attached,
            python,
            statically: false,
        }
    }

    /// The same, with `--static` or without.
    pub(crate) fn statically(&self, statically: bool) -> Self {
        Self {
            statically,
            ..self.clone()
        }
    }

    /// Whether a configuration is given, which only Python can take.
    pub(crate) fn has_configs(&self) -> bool {
        !self.config.is_empty() || !self.config_value.is_empty()
    }

    /// The texts of configurations, by name.
    fn configs(&self) -> anyhow::Result<Map<String, Value>> {
        let mut texts = Map::new();
        let mut put = |name: &String, text: String| {
            if texts.insert(name.clone(), text.into()).is_some() {
                bail!("the configuration `{name}` is given twice");
            }
            Ok(())
        };
        for pair in self.config.chunks_exact(2) {
            let text = fs::read_to_string(&pair[1])
                .with_context(|| format!("cannot read the configuration {}", pair[1]))?;
            put(&pair[0], text)?;
        }
        for pair in self.config_value.chunks_exact(2) {
            put(&pair[0], pair[1].clone())?;
        }
        Ok(texts)
    }
}

/// The flow that is asked about.
pub(crate) struct Question<'a> {
    /// Folder of the flow file.
    pub(crate) root: &'a Path,
    /// Name of the file.
    pub(crate) file: &'a str,
    /// Name of the class.
    pub(crate) class: &'a str,
    /// Where something cannot be read.
    pub(crate) because: Option<Span>,
}

/// The answer, or a finding that says why there is none; an error is one of the world.
pub(crate) fn describe(
    tree: &mut SourceTree,
    question: &Question<'_>,
    given: &Given,
) -> anyhow::Result<Result<Description, Diagnostic>> {
    let mut python = match interpreter::choose(given.python.as_deref(), &variable) {
        Ok(python) => python,
        Err(error) => {
            let finding = Diagnostic::new(Code::FC4004, Severity::Error, error.to_string())
                .help("install Python 3.8 or later, activate a virtual environment, or name one by `--python PROGRAM`");
            return Ok(Err(because(finding, question)));
        }
    };
    let root = fs::canonicalize(question.root)
        .with_context(|| format!("cannot resolve {}", question.root.display()))?;
    python.resolve(&root, &variable);
    let harness = harness::install(&cache(&variable)).context("cannot write the harness")?;
    let asked = json!({
        "root": root,
        "file": question.file,
        "flow": question.class,
        "configs": given.configs()?,
    })
    .to_string();
    let start = |seed: &str| start(&python, &harness, &root, seed, &asked);
    let (first, second) = (start("1")?, start("2")?);
    let answers = [first.wait_with_output()?, second.wait_with_output()?];
    let mut texts = Vec::new();
    for answer in answers {
        if answer.stdout.is_empty() {
            let failure = Failure {
                said: format!("it ended without a word ({})", answer.status),
                file: None,
                line: None,
            };
            return Ok(Err(failed(tree, question, &python, &failure)));
        }
        texts.push(String::from_utf8(answer.stdout).context("Python's answer is not UTF-8")?);
    }
    let parsed = description::parse(&texts[0]).context("Python's answer cannot be read")?;
    let description = match parsed {
        Ok(description) => description,
        Err(failure) => return Ok(Err(failed(tree, question, &python, &failure))),
    };
    if texts[0] != texts[1] {
        return Ok(Err(unsteady(question, &texts[0], &texts[1])));
    }
    Ok(Ok(description))
}

fn start(
    python: &Interpreter,
    harness: &Path,
    root: &Path,
    seed: &str,
    asked: &str,
) -> anyhow::Result<Child> {
    let kept = KEPT
        .iter()
        .filter_map(|name| Some((*name, env::var_os(name)?)));
    let mut child = Command::new(&python.program)
        .arg(harness)
        .arg("describe")
        .current_dir(root)
        .env_clear()
        .envs(kept)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("PYTHONHASHSEED", seed)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", python.program.display()))?;
    question::tell(&mut child, asked).context("cannot ask Python")?;
    Ok(child)
}

/// The user's module failed: a finding on the line that did.
fn failed(
    tree: &mut SourceTree,
    question: &Question<'_>,
    python: &Interpreter,
    failure: &Failure,
) -> Diagnostic {
    let message = format!("the flow file fails when Python runs it: {}", failure.said);
    let mut finding = Diagnostic::new(Code::FC0026, Severity::Error, message);
    let place = failure.file.as_deref().zip(failure.line);
    let place = place.and_then(|(path, line)| {
        let file = file_of(tree, question.root, path)?;
        Some(line_of(tree, file, line))
    });
    if let Some(span) = place {
        finding = finding.label(span, "while this line was run");
    }
    let program = python.program.display();
    let help = if failure.said.starts_with("ModuleNotFoundError") {
        format!("install the module for {program}, or name another Python by `--python PROGRAM`")
    } else {
        "mend the file, or write the values that cannot be read as literals".to_owned()
    };
    because(finding.help(help), question)
}

/// Says why Python was asked at all.
fn because(finding: Diagnostic, question: &Question<'_>) -> Diagnostic {
    match question.because {
        Some(span) => finding.label(span, "Python was asked because of this"),
        None => finding,
    }
}

fn unsteady(question: &Question<'_>, first: &str, second: &str) -> Diagnostic {
    let values = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let path = difference(&values(first), &values(second)).unwrap_or_default();
    let message = "Python makes another flow of the file each time it runs it";
    let finding = Diagnostic::new(Code::FC0027, Severity::Error, message)
        .note(format!("what differs: {path}"))
        .help("let the class depend on its files alone: not on the time, on random numbers, or on the order of a set");
    because(finding, question)
}

/// Where two answers differ first, as in `steps start 0 arguments times`.
fn difference(first: &Value, second: &Value) -> Option<String> {
    if first == second {
        return None;
    }
    let deeper = match (first, second) {
        (Value::Object(a), Value::Object(b)) => a.iter().find_map(|(name, value)| {
            let inner = difference(value, b.get(name)?)?;
            Some(format!("{name} {inner}"))
        }),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(at, (a, b))| Some(format!("{at} {}", difference(a, b)?)))
        }
        _ => Some(format!("{first} and {second}")),
    };
    Some(deeper.unwrap_or_else(|| "which entries there are".to_owned()))
}

fn file_of(tree: &mut SourceTree, root: &Path, path: &str) -> Option<FileId> {
    let known = tree.files().find(|(_, file)| file.path == path);
    if let Some((id, _)) = known {
        return Some(id);
    }
    let place: PathBuf = root.join(path);
    let text = fs::read_to_string(place).ok()?;
    Some(tree.add(path, text))
}

/// A line without its indentation.
fn line_of(tree: &SourceTree, file: FileId, line: u32) -> Span {
    let text = &tree.file(file).text;
    let index = line.saturating_sub(1) as usize;
    let before: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
    let line = text[before..].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    let start = (before + indent) as u32;
    Span {
        file,
        start,
        end: start + line.trim().len() as u32,
    }
}
