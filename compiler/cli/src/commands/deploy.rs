//! `flowc deploy`: compiles a flow, puts its code into the store and makes the orchestrator run this version.

use anyhow::Context;
use flowc_protocol::identity::package_key;
use flowc_target::BundleFile;
use flowc_target::deploy::{Action, Change, Deployment, Foreign, Operator};
use flowc_task::package;
use serde_json::json;

use crate::describe::Given;
use crate::load::{BranchArgs, Compilation, Prepared};
use crate::operate::{self, Console, Orchestrator, Where};
use crate::{Outcome, output, store};

use super::check::MessageFormat;

/// Arguments of `flowc deploy`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flowc deploy flow.py --target argo
  flowc deploy flow.py --target step-functions --profile production --dry-run    shows what would change
  flowc deploy flow.py --target airflow --json                                   for scripts")]
pub(crate) struct Args {
    /// The flow's file, `flow.py` or `flow.py:ClassName`
    flow: String,
    #[command(flatten)]
    place: Where,
    /// Show what would change; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Overwrite what somebody else deployed under these names
    #[arg(long)]
    take_over: bool,
    /// Write what changed as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    branch: BranchArgs,
    #[command(flatten)]
    given: Given,
}

/// Deploys the flow.
pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let given = args.given.in_containers(args.place.profile.as_deref());
    let mut compilation = Compilation::load_with(&args.flow, &given)?;
    let prepared = compilation.prepare(args.place.profile.as_deref(), &args.branch.choice())?;
    let files = prepared
        .as_ref()
        .and_then(|prepared| compilation.emit(args.place.target.target(), prepared));
    if let (Some(prepared), Some(plan)) = (&prepared, &compilation.plan) {
        let needed = args.place.target.target().placeholders(Some(plan));
        let open = prepared.options.profile.left_open(&needed);
        compilation.diagnostics.extend(open);
    }
    compilation.diagnostics.sort();
    compilation.report(MessageFormat::Text)?;
    let (Some(prepared), Some(mut files), Some(plan)) = (prepared, files, &compilation.plan) else {
        return Ok(Outcome::FlowFailed);
    };
    if compilation.diagnostics.has_errors() {
        return Ok(Outcome::FlowFailed);
    }
    // For policy tools, and nothing that an orchestrator takes.
    files.retain(|file: &BundleFile| file.path != flowc_protocol::flow_ir::FILE_NAME);
    let deployment = Deployment {
        plan,
        options: &prepared.options,
        files: &files,
        foreign: if args.take_over {
            Foreign::TakeOver
        } else {
            Foreign::Refuse
        },
    };
    let console = Console::new();
    let outcome = operate::block_on(deploy(args, deployment, &prepared, &console));
    console.finish();
    outcome
}

async fn deploy(
    args: &Args,
    deployment: Deployment<'_>,
    prepared: &Prepared,
    console: &Console,
) -> anyhow::Result<Outcome> {
    use flowc_target::deploy::Progress as _;
    let target = args.place.target;
    console.waiting(&format!("comparing with what {} has", target.title()));
    let operator = target.connect(&deployment.options.profile).await?;
    let changes = operator.changes(deployment).await?;
    if args.dry_run {
        console.finish();
        return show_plan(args, deployment, &changes);
    }
    console.waiting("putting the code package into the store");
    if let Err(error) = upload(prepared, &deployment.plan.flow).await {
        return Ok(operate::store_trouble(&error));
    }
    apply(&*operator, deployment, &changes, console).await?;
    console.finish();
    if args.json {
        output::data(&as_json(target, deployment, &changes))?;
        return Ok(Outcome::Fine);
    }
    let flow = &deployment.plan.flow;
    if changes.iter().all(|change| change.action == Action::Keep) {
        output::status(
            "Unchanged",
            format_args!("{flow} is deployed on {} as it is", target.title()),
        );
    } else {
        output::status(
            "Deployed",
            format_args!("{flow} on {}: {}", target.title(), counted(&changes)),
        );
    }
    Ok(Outcome::Fine)
}

async fn apply(
    operator: &dyn Operator,
    deployment: Deployment<'_>,
    changes: &[Change],
    console: &Console,
) -> anyhow::Result<()> {
    for change in changes {
        if change.action == Action::Keep {
            console.change(change);
        }
    }
    Ok(operator.apply(deployment, changes, console).await?)
}

/// Puts the code package into the store, unless it is there.
async fn upload(prepared: &Prepared, flow: &str) -> anyhow::Result<()> {
    let store = store::open(&prepared.options.profile.store).await?;
    let key = package_key(flow, &prepared.packed.package.sha256);
    if store.exists(&key).await? {
        return Ok(());
    }
    // A store that overwrites would lose results: it is tried before anything relies on it.
    store.probe().await?;
    package::put(&store, &key, &prepared.packed.package.tar)
        .await
        .with_context(|| format!("cannot write {}", store.locate(&key)))
}

fn show_plan(
    args: &Args,
    deployment: Deployment<'_>,
    changes: &[Change],
) -> anyhow::Result<Outcome> {
    if args.json {
        output::data(&as_json(args.place.target, deployment, changes))?;
        return Ok(Outcome::Fine);
    }
    output::data(&operate::listing(changes))?;
    if changes.iter().all(|change| change.action == Action::Keep) {
        output::status("Unchanged", "nothing would change");
    }
    Ok(Outcome::Fine)
}

/// `2 created, 1 updated`.
fn counted(changes: &[Change]) -> String {
    let words = [
        (Action::Create, "created"),
        (Action::Update, "updated"),
        (Action::Keep, "unchanged"),
        (Action::Delete, "deleted"),
    ];
    let counts = words.iter().filter_map(|(action, word)| {
        let count = changes
            .iter()
            .filter(|change| change.action == *action)
            .count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn as_json(target: Orchestrator, deployment: Deployment<'_>, changes: &[Change]) -> String {
    let changes: Vec<_> = changes.iter().map(operate::change_json).collect();
    let report = json!({
        "flow": deployment.plan.flow,
        "target": target.target().name(),
        "profile": deployment.options.profile.name,
        "package": deployment.options.package,
        "changes": changes,
    });
    format!("{report:#}\n")
}
