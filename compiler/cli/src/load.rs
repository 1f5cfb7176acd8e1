//! From the command line's `FLOW` to a plan, and from the plan to a bundle.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;
use flowc_core::diag::{Diagnostics, render};
use flowc_core::front::python;
use flowc_core::ir::flow::Flow;
use flowc_core::ir::plan::Plan;
use flowc_core::lower;
use flowc_core::source::{FileId, SourceTree};
use flowc_target::profile::{self, Config};
use flowc_target::{
    BranchChoice, BundleFile, Options, Placeholder, Profile, Target, ir, manifest, project,
};

use crate::commands::check::MessageFormat;
use crate::describe::{self, Given, Question};
use crate::output;
use crate::packing::Packed;
use crate::sources::{self, FlowArgument};
use crate::surroundings::Surroundings;

/// An orchestrator as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetName {
    /// AWS Step Functions with AWS Batch
    StepFunctions,
    /// Argo Workflows
    Argo,
    /// Apache Airflow
    Airflow,
    /// All of them
    All,
}

/// Every back end; a new one is one line here.
static TARGETS: &[(TargetName, &dyn Target)] = &[
    (
        TargetName::StepFunctions,
        &flowc_step_functions::StepFunctions,
    ),
    (TargetName::Argo, &flowc_argo::Argo),
    (TargetName::Airflow, &flowc_airflow::Airflow),
];

/// The back ends behind the names, each once, in the order of the list above.
pub(crate) fn targets(names: &[TargetName]) -> Vec<&'static dyn Target> {
    let chosen = |name: &TargetName| names.contains(name) || names.contains(&TargetName::All);
    TARGETS
        .iter()
        .filter(|(name, _)| chosen(name))
        .map(|(_, target)| *target)
        .collect()
}

/// A flow on its way through the compiler, with all that was found so far.
pub(crate) struct Compilation {
    /// Sources, for showing findings.
    pub(crate) tree: SourceTree,
    /// The checked flow; `None` exactly if there are errors.
    pub(crate) plan: Option<Plan>,
    /// Everything found so far.
    pub(crate) diagnostics: Diagnostics,
    argument: FlowArgument,
    /// `flowc.toml`, once it was read.
    config: Option<Config>,
}

/// Options that say on which branch of its project a flow is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BranchArgs {
    /// Branch of the flow's project [default: that of the profile; on this machine the user's own]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The production branch of the flow's project, or with --branch one of its production branches
    #[arg(long)]
    production: bool,
}

impl BranchArgs {
    /// As the rest of the compiler takes it.
    pub(crate) fn choice(&self) -> BranchChoice {
        BranchChoice {
            branch: self.branch.clone(),
            production: self.production,
        }
    }
}

/// What a target needs besides the plan.
pub(crate) struct Prepared {
    /// Profile and package digest.
    pub(crate) options: Options,
    /// The code package.
    pub(crate) packed: Packed,
}

impl Compilation {
    /// Reads and checks a flow; an error is one of the world, mistakes in the flow are among the diagnostics.
    pub(crate) fn load(flow: &str) -> anyhow::Result<Self> {
        Self::load_with(flow, &Given::default())
    }

    /// As [`Compilation::load`], with what is given for what only Python can tell.
    pub(crate) fn load_with(flow: &str, given: &Given) -> anyhow::Result<Self> {
        let argument = FlowArgument::parse(flow);
        let text = argument.read()?;
        let mut tree = SourceTree::default();
        tree.show_below(argument.shown_below());
        let file = tree.add(argument.file_name(), text);
        let mut config = None;
        let (flow, mut diagnostics) = read(&mut tree, file, &argument, given, &mut config)?;
        let mut plan = None;
        if let Some(mut flow) = flow {
            diagnostics.extend(python::attach(&mut tree, &mut flow, &given.attached));
            let (checked, found) = lower::plan(&tree, &flow);
            diagnostics.extend(found);
            plan = checked.filter(|_| !diagnostics.has_errors());
        }
        diagnostics.sort();
        Ok(Self {
            tree,
            plan,
            diagnostics,
            argument,
            config,
        })
    }

    /// The flow's file and folder, as typed.
    pub(crate) fn argument(&self) -> &FlowArgument {
        &self.argument
    }

    /// Reads `flowc.toml`; mistakes in it are among the diagnostics.
    pub(crate) fn settings(&mut self) -> anyhow::Result<Config> {
        if let Some(config) = &self.config {
            return Ok(config.clone());
        }
        let (config, found) = settings_at(&self.argument.root(), &mut self.tree)?;
        self.diagnostics.extend(found);
        self.config = Some(config.clone());
        Ok(config)
    }

    /// Puts the flow onto a branch of its project, by options and, for a deployment, the profile.
    pub(crate) fn choose_branch(&mut self, options: &BranchChoice, profile: Option<&Profile>) {
        if let Some(plan) = &mut self.plan {
            self.diagnostics
                .extend(project::choose(plan, options, profile));
        }
    }

    /// Chooses the profile and makes the code package; `None` if there are errors.
    pub(crate) fn prepare(
        &mut self,
        profile: Option<&str>,
        branch: &BranchChoice,
    ) -> anyhow::Result<Option<Prepared>> {
        let config = self.settings()?;
        let profile = match config.profile(profile) {
            Ok(profile) => profile,
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                return Ok(None);
            }
        };
        self.choose_branch(branch, Some(&profile));
        let Some(plan) = self
            .plan
            .as_ref()
            .filter(|_| !self.diagnostics.has_errors())
        else {
            return Ok(None);
        };
        let manifest = manifest::manifest(plan, profile.empty_foreach);
        let Some(packed) = self.pack(&config, &profile, &manifest)? else {
            return Ok(None);
        };
        let sha256 = &packed.package.sha256;
        Ok(Some(Prepared {
            options: Options {
                package: flowc_protocol::identity::package_name(&manifest.flow, sha256),
                profile,
            },
            packed,
        }))
    }

    /// Emits one bundle with `flow.ir.json`; `None` if the target found errors, which join the others.
    pub(crate) fn emit(
        &mut self,
        target: &dyn Target,
        prepared: &Prepared,
    ) -> Option<Vec<BundleFile>> {
        let plan = self.plan.as_ref()?;
        let (files, found) = target.emit(plan, &prepared.options);
        self.diagnostics.extend(found);
        let mut files = files?;
        files.push(ir::flow_ir(plan));
        Some(files)
    }

    /// Shows everything found, in the form asked for.
    pub(crate) fn report(&self, format: MessageFormat) -> anyhow::Result<()> {
        match format {
            MessageFormat::Text => {
                output::remark(&render::text(
                    &self.tree,
                    &self.diagnostics,
                    output::colour(),
                ));
            }
            MessageFormat::Json => output::data(&render::json(&self.tree, &self.diagnostics))?,
            MessageFormat::Github => output::data(&render::github(&self.tree, &self.diagnostics))?,
        }
        Ok(())
    }
}

/// Reads a flow, and asks Python where that is needed and allowed.
fn read(
    tree: &mut SourceTree,
    file: FileId,
    argument: &FlowArgument,
    given: &Given,
    config: &mut Option<Config>,
) -> anyhow::Result<(Option<Flow>, Diagnostics)> {
    // Base classes may be in other files; one that cannot be read is none.
    let root = argument.root();
    let on_disk = |path: &str| fs::read_to_string(root.join(path)).ok();
    let class = argument.class.as_deref();
    let reading = python::read(tree, file, class, None, &mut |path| on_disk(path));
    let mut found = reading.found;
    let needed = !reading.unknown.is_empty() || given.has_configs();
    if !needed || found.has_errors() {
        if given.statically {
            found.extend(forbidden(&reading.unknown));
        }
        return Ok((reading.flow, found));
    }
    if given.statically {
        if given.has_configs() {
            anyhow::bail!(
                "--static and a configuration exclude each other: only Python can read it"
            );
        }
        found.extend(forbidden(&reading.unknown));
        return Ok((reading.flow, found));
    }
    let (settings, mistakes) = settings_at(&root, tree)?;
    found.extend(mistakes);
    let settings = config.insert(settings);
    let profile = match &given.surroundings {
        Surroundings::Containers(name) => settings.profile(name.as_deref()).ok(),
        Surroundings::Here => None,
    };
    if found.has_errors() {
        return Ok((None, found));
    }
    let first = reading.unknown.iter().next();
    let question = Question {
        root: &root,
        file: &argument.file_name(),
        class: class.or(reading.class.as_deref()),
        is_named: class.is_some(),
        because: first.and_then(|finding| Some(finding.labels.first()?.span)),
        limits: settings.describe,
        profile: profile.as_ref(),
    };
    let answer = match describe::describe(&question, given)? {
        Ok(answer) => answer,
        Err(finding) => {
            found.push(finding);
            return Ok((None, found));
        }
    };
    let description = answer.outcome.as_ref().ok();
    let reading = description.map(|description| {
        let mut fetch = |path: &str| {
            let outside = || description.sources.get(path).cloned();
            on_disk(path).or_else(outside)
        };
        let class = Some(description.flow.as_str());
        python::read(tree, file, class, Some(description), &mut fetch)
    });
    let flow = reading.as_ref().and_then(|reading| reading.flow.as_ref());
    let refusals = describe::refusals(tree, &question, given, &answer, flow);
    match reading {
        Some(reading) if refusals.is_empty() => Ok((reading.flow, reading.found)),
        _ => {
            for refusal in refusals {
                found.push(refusal);
            }
            Ok((None, found))
        }
    }
}

/// What only Python can tell, where it must not be asked.
fn forbidden(unknown: &Diagnostics) -> Diagnostics {
    let mut all = Diagnostics::default();
    for finding in unknown.iter() {
        all.push(finding.clone().note("`--static` forbids asking Python"));
    }
    all
}

/// The profile of the nearest `flowc.toml` above a folder; `None` after its mistakes were shown, of which a placeholder
/// for a setting that is `needed` is one.
pub(crate) fn profile_at(
    root: &Path,
    name: Option<&str>,
    needed: &[Placeholder],
) -> anyhow::Result<Option<Profile>> {
    let mut tree = SourceTree::default();
    let (config, mut diagnostics) = settings_at(root, &mut tree)?;
    let profile = match config.profile(name) {
        Ok(profile) => {
            diagnostics.extend(profile.left_open(needed));
            Some(profile)
        }
        Err(found) => {
            diagnostics.push(*found);
            None
        }
    };
    diagnostics.sort();
    output::remark(&render::text(&tree, &diagnostics, output::colour()));
    Ok(profile.filter(|_| !diagnostics.has_errors()))
}

/// Reads the nearest `flowc.toml` above a folder into `tree`.
pub(crate) fn settings_at(
    root: &Path,
    tree: &mut SourceTree,
) -> anyhow::Result<(Config, Diagnostics)> {
    let Some(path) = sources::nearest_settings(root)? else {
        return Ok((Config::default(), Diagnostics::default()));
    };
    let shown = path.display();
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
    // Shown relative to the folder, like every other file of the tree.
    let name = path
        .strip_prefix(root)
        .unwrap_or(&path)
        .to_string_lossy()
        .replace('\\', "/");
    let file = tree.add(name, text);
    Ok(profile::read(tree, file))
}
