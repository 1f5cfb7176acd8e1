//! What a flow wants called once its run is over.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::{env, io};

use flowc_core::ir::plan::Plan;
use flowc_local::run::Run;
use flowc_local::schedule::Ending;
use flowc_task::harness;
use serde_json::json;

use crate::output;
use crate::place::variable;
use crate::question;
use crate::run::session::cache;

/// Where hooks run.
pub(crate) struct Hooks<'a> {
    pub(crate) plan: &'a Plan,
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
        // Metaflow calls them from the class upwards, and after an interruption too.
        let is_done = matches!(run.ending, Ending::Done);
        let functions = self.plan.exit_hooks.iter().rev().flat_map(|hook| {
            if is_done {
                &hook.on_success
            } else {
                &hook.on_error
            }
        });
        for function in functions {
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
        let harness = harness::install(&cache(&variable))?;
        let mut command = Command::new(self.python);
        command
            .arg(harness)
            .arg("hook")
            .stdin(Stdio::piped())
            .env("METAFLOW_USER", self.user)
            .env("METAFLOW_DEFAULT_METADATA", "local");
        // The client looks for a folder of this name.
        let is_named = self.metadata.file_name() == Some(".metaflow".as_ref());
        if let Some(above) = self.metadata.parent().filter(|_| is_named) {
            let above = env::current_dir()?.join(above);
            command.env("METAFLOW_DATASTORE_SYSROOT_LOCAL", above);
        }
        let mut child = command.spawn()?;
        let asked = json!({
            "file": self.code.join(&self.plan.file),
            "function": function,
            "run": format!("{}/{run}", self.plan.flow),
        });
        question::tell(&mut child, &asked.to_string())?;
        child.wait()
    }
}
