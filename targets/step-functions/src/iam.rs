//! `iam.json`: the least that the flow's roles need.
//!
//! A role that the profile names is not described: whoever made it decides what it may do.

use flowc_core::ir::plan::{Node, Plan, Region, Trigger};
use flowc_target::Options;
use flowc_target::profile::RemoteStore;
use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use crate::names::{self, Place};
use crate::trust::{self, Trusted};
use crate::{overlap, secrets};

/// What the policies depend on besides the plan.
pub(crate) struct Facts<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a Options,
    pub(crate) place: &'a Place<'a>,
    pub(crate) store: RemoteStore<'a>,
    /// Queues that steps name themselves.
    pub(crate) queues: &'a [String],
}

/// The roles that the flow brings along; `None` if the profile names them all.
pub(crate) fn roles(facts: &Facts<'_>) -> Option<Value> {
    let profile = &facts.options.profile.step_functions;
    let mut roles = Map::new();
    let mut add = |purpose: &str, trusted: &Trusted, statements: Vec<Value>| {
        let role = json!({
            "RoleArn": facts.place.role(facts.plan, purpose),
            "AssumeRolePolicyDocument": document(&[trusted.statement()]),
            "PolicyDocument": document(&statements),
        });
        roles.insert(purpose.to_owned(), role);
    };
    if profile.state_machine_role.is_none() {
        add("states", &trust::machine(facts), state_machine(facts));
    }
    if profile.job_role.is_none() {
        add("job", &trust::tasks(facts.place), job(facts));
    }
    if facts.plan.schedule.is_some() && profile.scheduler_role.is_none() {
        let machine = machine_arn(facts);
        let statements = vec![allow(&["states:StartExecution"], &[machine])];
        add("schedule", &trust::schedules(facts.place), statements);
    }
    if facts.plan.triggers.is_some() && profile.events_role.is_none() {
        let machine = machine_arn(facts);
        let statements = vec![allow(&["states:StartExecution"], &[machine])];
        add("events", &trust::rule(facts), statements);
    }
    (!roles.is_empty()).then(|| Value::Object(roles))
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(actions: &[&str], resources: &[String]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

fn machine_arn(facts: &Facts<'_>) -> String {
    facts
        .place
        .states("stateMachine", &names::state_machine_name(facts.plan))
}

fn state_machine(facts: &Facts<'_>) -> Vec<Value> {
    let place = facts.place;
    let profile = &facts.options.profile.step_functions;
    let object = |key: &str| {
        let key = facts.store.key(&format!("{}/{key}", facts.plan.flow));
        place.object(facts.store.bucket, &key)
    };
    let definitions = format!(
        "job-definition/{}*",
        names::job_definition_prefix(facts.plan)
    );
    let mut submit = vec![place.arn("batch", &definitions)];
    let queues = std::iter::once(&profile.job_queue.value).chain(facts.queues);
    let queues: IndexSet<_> = queues.map(|queue| place.queue(queue)).collect();
    submit.extend(queues);
    // How `.sync` hears that a job ended (Step Functions, "IAM policies for integrated services").
    let rule = place.arn("events", "rule/StepFunctionsGetEventsForBatchJobsRule");
    let mut statements = vec![
        allow(&["batch:SubmitJob"], &submit),
        // Batch has no permissions by resource for these two.
        allow(
            &["batch:DescribeJobs", "batch:TerminateJob"],
            &["*".to_owned()],
        ),
        allow(
            &["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            &[rule],
        ),
        allow(&["s3:PutObject"], &[object("input/*")]),
    ];
    if overlap::is_skipped(facts.plan, &facts.options.profile) {
        statements.push(allow(&["states:ListExecutions"], &[machine_arn(facts)]));
    }
    let mut read = Vec::new();
    if has_foreach(&facts.plan.root) {
        read.push(object("*/split.json"));
    }
    if facts.plan.steps.iter().any(|(_, step)| step.is_switch()) {
        read.push(object("*/choice.json"));
    }
    if !read.is_empty() {
        statements.push(allow(&["s3:GetObject"], &read));
    }
    if has_foreach(&facts.plan.root) {
        let name = names::state_machine_name(facts.plan);
        let executions = [
            place.states("execution", &format!("{name}:*")),
            place.states("execution", &format!("{name}/*")),
        ];
        // A distributed map starts its children as executions of the same machine.
        statements.push(allow(&["states:StartExecution"], &[machine_arn(facts)]));
        statements.push(allow(
            &[
                "states:DescribeExecution",
                "states:StopExecution",
                "states:RedriveExecution",
            ],
            &executions,
        ));
    }
    statements
}

fn job(facts: &Facts<'_>) -> Vec<Value> {
    let objects = facts.store.key(&format!("{}/*", facts.plan.flow));
    let mut statements = vec![
        allow(
            &["s3:GetObject", "s3:PutObject"],
            &[facts.place.object(facts.store.bucket, &objects)],
        ),
        // Without it S3 answers 403 instead of 404 for an object that is not there, and a missing `commit` could not be told
        // from a denied one (Amazon S3, "GetObject", permissions).
        allow(
            &["s3:ListBucket"],
            &[facts.place.object(facts.store.bucket, "")],
        ),
    ];
    let others = other_flows(facts.plan);
    if !others.is_empty() {
        let runs = others.iter().map(|flow| {
            let key = facts.store.key(&format!("{flow}/*"));
            facts.place.object(facts.store.bucket, &key)
        });
        statements.push(allow(&["s3:GetObject"], &runs.collect::<Vec<_>>()));
    }
    let needs = secrets::needs(facts.plan, &facts.options.profile, facts.place);
    for (action, resources) in [
        ("secretsmanager:GetSecretValue", needs.secrets),
        ("sts:AssumeRole", needs.roles),
    ] {
        if !resources.is_empty() {
            let resources: Vec<_> = resources.into_iter().collect();
            statements.push(allow(&[action], &resources));
        }
    }
    statements
}

/// The flows whose runs start this one: `current.trigger.run` reads what such a run left in the store, which keeps flows
/// apart by their names alone.
fn other_flows(plan: &Plan) -> IndexSet<&str> {
    let triggers = plan.triggers.iter().flat_map(|triggers| &triggers.on);
    let named = triggers.filter_map(|trigger| match trigger {
        Trigger::Run { flow, .. } => Some(flow.as_str()),
        Trigger::Event { .. } => None,
    });
    named.filter(|flow| *flow != plan.flow).collect()
}

fn has_foreach(region: &Region) -> bool {
    region.nodes.iter().any(|node| match node {
        Node::Step(_) => false,
        Node::Parallel { branches, .. } => branches.iter().any(has_foreach),
        Node::Map { .. } => true,
    })
}
