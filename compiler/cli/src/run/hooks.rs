//! What a flow wants called once its run is over.

use std::env;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use flowc_local::run::Run;
use flowc_local::schedule;
use flowc_protocol::manifest::Manifest;
use flowc_task::harness;
use flowc_task::hooks::{Caller, Ending, metadata_environment};
use flowc_task::launch::{Interpreter, Streams};

use crate::output;
use crate::place::variable;
use crate::run::session::cache;

/// Where hooks run.
pub(crate) struct Hooks<'a> {
    pub(crate) manifest: &'a Manifest,
    /// The interpreter of the run.
    pub(crate) python: &'a Path,
    /// Folder of the flow file, absolute.
    pub(crate) code: &'a Path,
    /// Root of the metadata tree, for Metaflow's client.
    pub(crate) metadata: &'a Path,
    /// Who runs the flow.
    pub(crate) user: &'a str,
}

impl Hooks<'_> {
    /// Calls the hooks one after the other, whatever becomes of each; the run's ending is not changed by them.
    pub(crate) fn call(&self, run: &Run) {
        // An interruption is an error, as in Metaflow.
        let ending = if matches!(run.ending, schedule::Ending::Done) {
            Ending::Success
        } else {
            Ending::Error
        };
        for function in ending.functions(self.manifest) {
            output::status("Hook", function);
            match self.start(function, &run.id) {
                Ok(status) if status.success() => {}
                Ok(status) => {
                    output::remark(&format!("the exit hook `{function}` failed ({status})\n"));
                }
                Err(error) => {
                    output::remark(&format!(
                        "cannot call the exit hook `{function}`: {error}\n"
                    ));
                }
            }
        }
    }

    fn start(&self, function: &str, run: &str) -> io::Result<ExitStatus> {
        let caller = Caller {
            interpreter: Interpreter {
                python: self.python.to_owned(),
                harness: harness::install(&cache(&variable))?,
                streams: Streams::Pipes,
            },
            file: self.code.join(&self.manifest.file),
            run: format!("{}/{run}", self.manifest.flow),
            cwd: None,
            environment: metadata_environment(&env::current_dir()?.join(self.metadata), self.user),
        };
        caller.start(function)?.wait()
    }
}
