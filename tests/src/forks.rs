//! Python scripts that run one after the other in forks of one interpreter, `tests/beds/metaflow/forks.py`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::{Output, repo_root};

/// An interpreter that has imported what its scripts need; it ends with this value.
#[derive(Debug)]
pub struct Forks {
    child: Child,
    pipes: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Forks {
    /// Starts the interpreter, which imports the modules; the command sets its environment and folder.
    #[track_caller]
    pub fn start(mut python: Command, modules: &[&str]) -> Self {
        let mut child = python
            .arg(repo_root().join("tests/beds/metaflow/forks.py"))
            .args(modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("cannot start {python:?}: {why}"));
        let pipes = child.stdin.take().zip(child.stdout.take());
        Self {
            child,
            pipes: Mutex::new(pipes.map(|(input, output)| (input, BufReader::new(output)))),
        }
    }

    /// Runs a script of the repository to its end.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let mut asked = vec![json!(repo_root().join(script))];
        asked.extend(arguments.iter().map(|argument| json!(argument)));
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = pipes.as_mut().expect("both ends are pipes");
        let mut line = String::new();
        writeln!(input, "{}", Value::from(asked))
            .and_then(|()| output.read_line(&mut line))
            .expect("the interpreter lives");
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|why| panic!("{script}: {why}: the interpreter said {line:?}"));
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        Output {
            code: told["code"].as_i64().and_then(|code| code.try_into().ok()),
            stdout: text("stdout"),
            stderr: text("stderr"),
        }
    }
}

impl Drop for Forks {
    fn drop(&mut self) {
        // The end of its input ends it.
        *self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.child.wait();
    }
}
