//! What is wrong with a run on this machine, in the form of the compiler's findings.

use flowc_core::diag::{Code, Diagnostic, Diagnostics, Severity, render};
use flowc_core::ir::plan::{Plan, PlanStep};
use flowc_core::source::SourceTree;

use crate::run::ended::shortened;
use crate::{Outcome, output};

/// Shows findings of a command in the form of the compiler's.
pub(crate) struct Findings<'a> {
    pub(crate) tree: &'a SourceTree,
}

impl Findings<'_> {
    pub(crate) fn show(&self, found: &Diagnostics) {
        if !found.is_empty() {
            output::remark(&render::text(self.tree, found, output::colour()));
        }
    }

    pub(crate) fn show_one(&self, found: Diagnostic) {
        let mut all = Diagnostics::default();
        all.push(found);
        self.show(&all);
    }

    /// Shows why nothing was run.
    pub(crate) fn refuse(&self, found: Diagnostic) -> Outcome {
        self.show_one(found);
        Outcome::Trouble
    }
}

pub(crate) fn no_python(said: String) -> Diagnostic {
    Diagnostic::new(Code::FC4004, Severity::Error, said)
        .help("install Python 3.8 or later, activate a virtual environment, or name one by `--python PROGRAM`")
}

/// `--pdb` where it cannot be.
pub(crate) fn no_debugger(said: &str) -> Diagnostic {
    Diagnostic::new(Code::FC4028, Severity::Error, said)
        .help("debug one task at a time, in a terminal: `flowc run FLOW --pdb`")
}

pub(crate) fn no_store(place: &str, said: String) -> Diagnostic {
    let help = if place.contains("://") {
        "or keep the run's data in a folder: `--store DIR`"
    } else {
        "name a store that you may write to: `--store DIR` or `--store s3://BUCKET/PREFIX`"
    };
    Diagnostic::new(Code::FC4005, Severity::Error, said).help(help)
}

pub(crate) fn too_wide(plan: &Plan, step: &str, task: &str, count: u32) -> Diagnostic {
    let message =
        format!("foreach of `{step}` has {count} elements, more than --max-num-splits allows");
    let found = plan.steps.iter().find(|(_, known)| known.name == step);
    let diagnostic = match found {
        Some((_, known)) => Diagnostic::error(
            Code::FC4006,
            message,
            known.span,
            format!("fans out in task `{task}`"),
        ),
        None => Diagnostic::new(Code::FC4006, Severity::Error, message),
    };
    diagnostic.help(format!("if that is meant, add `--max-num-splits {count}`"))
}

/// Steps that ask for an orchestrator's machines, which `flowc run` does not start.
pub(crate) fn run_here(plan: &Plan) -> Option<Diagnostic> {
    let decorated = |step: &PlanStep| {
        let batch = step.batch.as_ref().map(|_| "@batch");
        batch.or(step.kubernetes.as_ref().map(|_| "@kubernetes"))
    };
    let mut steps = plan.steps.iter();
    let mut asking = steps
        .by_ref()
        .filter_map(|(_, step)| Some((step, decorated(step)?)));
    let (first, decorator) = asking.next()?;
    let others: Vec<String> = asking
        .map(|(step, decorator)| format!("`{}` (`{decorator}`)", step.name))
        .collect();
    let message = match others.len() {
        0 => format!(
            "step `{}` asks for another machine and runs on this one",
            first.name
        ),
        more => format!(
            "{} steps that ask for another machine run on this one",
            more + 1
        ),
    };
    let label = format!("`{decorator}` submits nothing on this machine");
    let mut found = Diagnostic::warning(Code::FC4008, message, first.span, label);
    if !others.is_empty() {
        found = found.note(format!("likewise {}", shortened(&others)));
    }
    let found =
        found.note("what they ask for, such as an image, CPUs, memory or GPUs, is not provided");
    Some(found.help(
        "to run them where they ask to run, deploy the flow: `flowc deploy FLOW --target TARGET`",
    ))
}

pub(crate) fn service_warning(url: &str) -> Diagnostic {
    let service = match url {
        "" => "Metaflow's service".to_owned(),
        url => format!("Metaflow's service at {url}"),
    };
    let message = format!("{service} is not told about this run");
    Diagnostic::new(Code::FC4007, Severity::Warning, message)
        .note("the run is entered in the local metadata tree only")
}
