//! What `@secrets` needs of the job's role and environment: references alone are in the bundle, and the task fetches
//! their values itself.

use flowc_core::ir::plan::{Plan, PlanStep, SecretBackend, SecretSource, Secrets};
use flowc_target::profile::Profile;
use indexmap::IndexSet;

use crate::names::Place;

/// The variable by which a task knows the region of a source that names none, as in Metaflow.
pub(crate) const REGION: &str = "METAFLOW_AWS_SECRETS_MANAGER_DEFAULT_REGION";

/// Variables that name a role, the first one that is set counts.
const ROLES: [&str; 2] = [
    "METAFLOW_DEFAULT_SECRETS_ROLE",
    "METAFLOW_AWS_SECRETS_MANAGER_DEFAULT_ROLE",
];

/// What the steps read that have the flow's own job role.
#[derive(Default)]
pub(crate) struct Needs {
    /// ARNs of secrets, or patterns of them.
    pub(crate) secrets: IndexSet<String>,
    /// ARNs of the roles with which the others are read.
    pub(crate) roles: IndexSet<String>,
}

/// What the flow's own job role has to allow.
pub(crate) fn needs(plan: &Plan, profile: &Profile, place: &Place<'_>) -> Needs {
    let mut needs = Needs::default();
    for (_, step) in plan.steps.iter().filter(|(_, step)| !has_own_role(step)) {
        for (secrets, source) in of_aws(step) {
            let role = source.role.as_deref().or(secrets.role.as_deref());
            let role = role.or_else(|| ROLES.iter().find_map(|name| setting(profile, name)));
            if let Some(role) = role {
                needs.roles.insert(role.to_owned());
            } else {
                needs.secrets.extend(patterns(source, profile, place));
            }
        }
    }
    needs
}

/// The region that the job definitions tell, where they have to.
pub(crate) fn region(plan: &Plan, profile: &Profile) -> Option<String> {
    let mut steps = plan.steps.iter();
    let any = steps.any(|(_, step)| of_aws(step).next().is_some());
    let is_told = setting(profile, REGION).is_some();
    (any && !is_told).then(|| profile.step_functions.region.value.clone())
}

/// Sources that are, or may be, in AWS Secrets Manager.
fn of_aws(step: &PlanStep) -> impl Iterator<Item = (&Secrets, &SecretSource)> {
    let secrets = step.secrets.iter();
    let sources = secrets.flat_map(|secrets| secrets.sources.iter().map(move |one| (secrets, one)));
    sources.filter(|(_, source)| source.backend != Some(SecretBackend::Inline))
}

/// Whoever made the role that a step names decides what it may do.
fn has_own_role(step: &PlanStep) -> bool {
    let batch = step.batch.as_ref();
    batch.is_some_and(|batch| batch.values.contains_key("iam_role"))
}

fn setting<'p>(profile: &'p Profile, name: &str) -> Option<&'p str> {
    Some(profile.env.get(name)?.value.as_str()).filter(|value| !value.is_empty())
}

/// ARNs end in a hyphen and six characters that Secrets Manager draws, which callers may leave out
/// (AWS Secrets Manager, `GetSecretValue`, `SecretId`).
fn patterns(source: &SecretSource, profile: &Profile, place: &Place<'_>) -> Vec<String> {
    let arn = if source.id.starts_with("arn:") {
        source.id.clone()
    } else {
        let written = source.options.get("region");
        let written = written.and_then(flowc_target::literal::as_text);
        let region = written.or_else(|| setting(profile, REGION));
        let region = region.unwrap_or(&profile.step_functions.region);
        place.secret(region, &source.id)
    };
    let drawn = arn.rsplit_once('-').map(|(_, last)| last);
    let is_whole = source.id.starts_with("arn:")
        && drawn.is_some_and(|last| last.len() == 6 && last.chars().all(char::is_alphanumeric));
    let pattern = format!("{arn}-??????");
    if is_whole {
        // Or its name ends so by chance.
        vec![arn, pattern]
    } else {
        vec![pattern]
    }
}
