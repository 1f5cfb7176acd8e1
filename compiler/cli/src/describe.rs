//! Asks Python once for what cannot be read of a flow: the harness executes the file in an environment of its own.
//!
//! Two interpreters are asked side by side, with different hash seeds: an answer that depends on more than the files is none.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, bail};
use flowc_core::diag::{Code, Diagnostic, Severity};
use flowc_core::front::python::description::{self, Description, Failure};
use flowc_core::ir::flow::Flow;
use flowc_core::source::{FileId, SourceTree, Span};
use flowc_local::interpreter::{self, Interpreter};
use flowc_target::Profile;
use flowc_target::profile::DescribeLimits;
use flowc_task::harness;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::output::ignore_broken_pipe;
use crate::place::variable;
use crate::run::session::cache;
use crate::surroundings::{Places, Surroundings, Variable};

/// What the answer depends on besides the flow's files.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Given {
    /// Value of a configuration, read from a file (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "PATH"], action = clap::ArgAction::Append)]
    config: Vec<String>,
    /// Value of a configuration (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "JSON"], action = clap::ArgAction::Append)]
    config_value: Vec<String>,
    /// What Metaflow's variable says of configurations: an object of their values, which Python reads.
    #[arg(skip)]
    config_values: Option<String>,
    /// Put a decorator onto every step that has none of its name, as in retry:times=2 (repeatable)
    #[arg(long = "with", value_name = "DECORATOR")]
    pub(crate) attached: Vec<String>,
    /// The Python that is asked what cannot be read of the flow [default: `FLOWC_PYTHON`, the active virtual environment, python3]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) python: Option<OsString>,
    /// Fail where only Python could tell, and do not ask it
    #[arg(skip)]
    pub(crate) statically: bool,
    /// Whose environment the flow file sees
    #[arg(skip)]
    pub(crate) surroundings: Surroundings,
}

impl Given {
    /// As the words of `flowc run` give it: pairs of a name and a path, pairs of a name and a text, the text of the variable
    /// for values, and decorators.
    pub(crate) fn new(
        config: Vec<String>,
        config_value: Vec<String>,
        config_values: Option<String>,
        attached: Vec<String>,
        python: Option<OsString>,
    ) -> Self {
        Self {
            config,
            config_value,
            config_values,
            attached,
            python,
            ..Self::default()
        }
    }

    /// The same for a bundle of the profile of this name, which depends on nothing of this machine.
    pub(crate) fn in_containers(&self, profile: Option<&str>) -> Self {
        Self {
            surroundings: Surroundings::Containers(profile.map(str::to_owned)),
            ..self.clone()
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
        !self.config.is_empty() || !self.config_value.is_empty() || self.config_values.is_some()
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
            // As Python opens a text file, and so as Metaflow and the file of `default` are read.
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
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
    /// Name of the class, as far as it can be read.
    pub(crate) class: Option<&'a str>,
    /// Whether the class was named beside the file.
    pub(crate) is_named: bool,
    /// Where something cannot be read.
    pub(crate) because: Option<Span>,
    /// What Python may take.
    pub(crate) limits: DescribeLimits,
    /// What the containers have, where it is asked for a bundle.
    pub(crate) profile: Option<&'a Profile>,
}

/// What Python said.
pub(crate) struct Answer {
    /// What it makes of the file, or why it cannot be executed.
    pub(crate) outcome: Result<Description, Failure>,
    /// The environment variables that this comes from, where a bundle is to be made of it.
    pub(crate) variables: Vec<Variable>,
    /// Who was asked.
    python: Interpreter,
}

/// How an execution ended besides its answer; what `Executions.execute` of `describe.py` says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ended {
    /// The limit that it crossed.
    limit: Option<String>,
    /// How it ended without an answer.
    status: Option<String>,
    variables: Vec<Variable>,
}

/// The answer, or a finding that says why there is none; an error is one of the world.
pub(crate) fn describe(
    question: &Question<'_>,
    given: &Given,
) -> anyhow::Result<Result<Answer, Diagnostic>> {
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
    let limits = question.limits;
    let mib = |number: u32| u64::from(number) << 20;
    let mut asked = json!({
        "root": root,
        "file": question.file,
        "flow": question.class,
        "named": question.is_named,
        "configs": given.configs()?,
        "attached": given.attached,
        "config_values": given.config_values,
        "limits": {
            "timeout_s": limits.timeout_s,
            "memory_bytes": mib(limits.memory_mib),
            "answer_bytes": mib(limits.answer_mib),
        },
    });
    let start = |seed: &str, asked: &Value| {
        let mut command = Command::new(&python.program);
        given
            .surroundings
            .enter(&mut command, seed, question.profile);
        command.arg(&harness).arg("describe").current_dir(&root);
        Asked::start(command, asked)
            .with_context(|| format!("cannot start {}", python.program.display()))
    };
    let second = start("2", &asked)?;
    asked["surroundings"] = given.surroundings.question(question.profile);
    let first = start("1", &asked)?;
    let mut answers = Vec::new();
    let mut variables = Vec::new();
    for asked in [first, second] {
        let (ended, text) = asked.hear()?;
        if let Some(limit) = &ended.limit {
            return Ok(Err(because(too_much(limit, limits), question)));
        }
        variables.extend(ended.variables);
        answers.push(text.ok_or(ended.status));
    }
    let (first, second) = match <[_; 2]>::try_from(answers) {
        Ok([Ok(first), Ok(second)]) => (first, second),
        Ok([Err(status), _] | [_, Err(status)]) => {
            let status = status.unwrap_or_default();
            let failure = Failure {
                said: format!("it ended without a word ({status})"),
                file: None,
                line: None,
            };
            return Ok(Ok(Answer {
                outcome: Err(failure),
                variables,
                python,
            }));
        }
        Err(_) => bail!("Python did not answer twice"),
    };
    let outcome = description::parse(&first).context("Python's answer cannot be read")?;
    if outcome.is_ok() && !is_same(&first, &second) {
        return Ok(Err(unsteady(question, &first, &second)));
    }
    Ok(Ok(Answer {
        outcome,
        variables,
        python,
    }))
}

/// Whether two answers are one. Pickles, which never reach a bundle, need not be: the order of a set in an object is one of its run.
fn is_same(first: &str, second: &str) -> bool {
    let values = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let without = |text: &str| {
        let mut answer = values(text);
        let configs = answer.get_mut("configs").and_then(Value::as_object_mut);
        for config in configs.into_iter().flat_map(Map::values_mut) {
            if config["form"] == "pickle" {
                config["text"] = Value::Null;
            }
        }
        answer.to_string()
    };
    first == second || without(first) == without(second)
}

/// A Python that was asked.
struct Asked {
    process: Child,
    /// Kept open until the answer is there: it tells the other side that somebody waits for it.
    lifeline: Option<ChildStdin>,
}

impl Asked {
    fn start(mut command: Command, asked: &Value) -> io::Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C on the terminal is for flowc alone, whose end is theirs.
            .process_group(0)
            .spawn()?;
        let mut lifeline = process.stdin.take();
        if let Some(stdin) = &mut lifeline {
            ignore_broken_pipe(stdin.write_all(format!("{asked}\n").as_bytes()))?;
        }
        Ok(Self { process, lifeline })
    }

    /// How it ended, and the text of its answer if there is one.
    fn hear(self) -> anyhow::Result<(Ended, Option<String>)> {
        let Self { process, lifeline } = self;
        let output = process
            .wait_with_output()
            .context("cannot hear what Python answers")?;
        drop(lifeline);
        let said = String::from_utf8(output.stdout).context("Python's answer is not UTF-8")?;
        let Some((ended, text)) = said.split_once('\n') else {
            let status = Some(output.status.to_string());
            return Ok((
                Ended {
                    status,
                    ..Ended::default()
                },
                None,
            ));
        };
        let ended: Ended = serde_json::from_str(ended).context("Python's answer cannot be read")?;
        let is_answer = ended.status.is_none() && ended.limit.is_none();
        Ok((ended, is_answer.then(|| text.to_owned())))
    }
}

/// Python crossed a limit.
fn too_much(limit: &str, limits: DescribeLimits) -> Diagnostic {
    let DescribeLimits {
        timeout_s,
        memory_mib,
        answer_mib,
    } = limits;
    let (message, help, key) = match limit {
        "timeout" => (
            format!("the flow file takes longer than {timeout_s} s when Python runs it"),
            "keep what takes long or waits for others inside of steps",
            "timeout_s",
        ),
        "memory" => (
            format!("the flow file takes more than {memory_mib} MiB of memory when Python runs it"),
            "load what is large inside of steps",
            "memory_mib",
        ),
        _ => (
            format!("Python's description of the flow is larger than {answer_mib} MiB"),
            "let steps read large values from files, rather than configurations and attributes",
            "answer_mib",
        ),
    };
    Diagnostic::new(Code::FC0035, Severity::Error, message).help(format!(
        "{help}, or raise `{key}` under `[describe]` in flowc.toml"
    ))
}

/// What is said of an answer that no flow can be made of: a file that fails, and each variable that it comes from.
pub(crate) fn refusals(
    tree: &mut SourceTree,
    question: &Question<'_>,
    given: &Given,
    answer: &Answer,
    flow: Option<&Flow>,
) -> Vec<Diagnostic> {
    let failure = answer.outcome.as_ref().err();
    if let (Some(failure), true) = (failure, answer.variables.is_empty()) {
        return vec![failed(tree, question, &answer.python, failure)];
    }
    let places = Places {
        description: answer.outcome.as_ref().ok(),
        flow,
        failure,
        because: question.because,
    };
    let mut found = Vec::new();
    for variable in &answer.variables {
        let read = variable.read_at().and_then(|(path, line)| {
            let file = file_of(tree, question.root, path)?;
            Some(line_of(tree, file, line))
        });
        found.push(variable.refuse(&given.surroundings, &places, tree, read));
    }
    found
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
