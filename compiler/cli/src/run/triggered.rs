//! `--trigger FLOW/RUN`: runs that are to have started this one, as Metaflow's option says them.

use flowc_core::diag::{Code, Diagnostic, Severity};
use flowc_core::ir::plan::{Plan, Trigger};
use flowc_protocol::trigger::Started;
use flowc_task::store::Store;
use flowc_task::triggers;

use crate::run::session::Machine;

/// What they are to the run, the latest first; the finding that says why one of them cannot be.
pub(crate) fn find(
    machine: &Machine,
    plan: &Plan,
    given: &[String],
) -> anyhow::Result<Result<Vec<Started>, Box<Diagnostic>>> {
    if given.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let on = plan.triggers.as_ref().and_then(|all| all.on.first());
    if !matches!(on, Some(Trigger::Run { .. })) {
        let message = format!("`--trigger`: no run starts {}", plan.flow);
        let label = "has no `@trigger_on_finish`";
        let finding = Diagnostic::error(Code::FC4027, message, plan.span, label);
        return Ok(Err(Box::new(finding.help(
            "write `@trigger_on_finish(flow=\"...\")` above the class, or leave `--trigger` out",
        ))));
    }
    machine.runtime.block_on(read(&machine.store, given))
}

async fn read(
    store: &Store,
    given: &[String],
) -> anyhow::Result<Result<Vec<Started>, Box<Diagnostic>>> {
    let mut all = Vec::new();
    for name in given {
        let refuse = |message: String, help: &str| {
            let finding = Diagnostic::new(Code::FC4027, Severity::Error, message);
            Ok(Err(Box::new(finding.help(help))))
        };
        let refuse_name = || {
            refuse(
                format!("`--trigger {name}` does not name a run"),
                "write FLOW/RUN, as in `--trigger TrainFlow/1732190000000000`",
            )
        };
        let parts: Vec<&str> = name.split('/').collect();
        let is_legal = |part: &&str| !part.is_empty() && !part.starts_with(['.', '_']);
        let [flow, run] = parts[..] else {
            return refuse_name();
        };
        if !parts.iter().all(is_legal) {
            return refuse_name();
        }
        match triggers::finished(store, flow, run).await? {
            Some(finished) => all.push(finished),
            None if store
                .list(&format!("{flow}/{run}"))
                .await?
                .folders
                .is_empty() =>
            {
                return refuse(
                    format!("there is no run `{name}` in {}", store.url()),
                    "name the store of both flows by `--store`",
                );
            }
            None => {
                return refuse(
                    format!("the run {name} has not ended well"),
                    "a run that failed or goes on starts no other; name one whose last step has a result",
                );
            }
        }
    }
    all.sort_by_key(|finished| std::cmp::Reverse(finished.at_ms));
    let started = all.iter().flat_map(|finished| {
        let own = finished.started();
        // As in Metaflow, a last step of another name is known by the common one too.
        let common = format!("metaflow.{}.end", finished.flow);
        let alias = (own.name != common).then(|| Started {
            name: common,
            ..own.clone()
        });
        std::iter::once(own).chain(alias)
    });
    Ok(Ok(started.collect()))
}
