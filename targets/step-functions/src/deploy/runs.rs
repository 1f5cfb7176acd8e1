//! Runs: executions of the state machine.

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::ExecutionStatus;
use flowc_core::ir::plan::Plan;
use flowc_protocol::identity::run_id;
use flowc_protocol::json_text::Members;
use flowc_target::Profile;
use flowc_target::deploy::{DeployError, FLOW_KEY, FlowRef, Phase, Run, RunState};

use super::clients::Clients;
use super::errors::{Request, explain, is_missing};
use super::{machine, troubles};
use crate::names::{self, Place};

/// Names of state machines that may have been cut are longer than this, in bytes.
const UNCUT_MAX: usize = 60;

/// A state machine of the flow.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) arn: String,
    pub(super) name: String,
}

/// The flow's state machines: the one that a plan names, else all that carry the flow's tag.
///
/// Without a plan there may be several, since `@project` puts a prefix in front of the name.
pub(super) async fn machines(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
) -> Result<Vec<Machine>, DeployError> {
    if let Some(plan) = flow.plan {
        let found = planned(profile, plan);
        let exists = machine::describe(clients, &found.arn).await?.is_some();
        return Ok(if exists { vec![found] } else { Vec::new() });
    }
    let mut pages = clients
        .states
        .list_state_machines()
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(listed) = pages.next().await {
        let listed = listed.map_err(|error| {
            let permission = "states:ListStateMachines";
            explain(
                error,
                &Request::new("Step Functions", "list", permission, "state machines"),
            )
        })?;
        let (arn, name) = (listed.state_machine_arn(), listed.name());
        // Tags cost a request each; names end with the flow's name, unless they were cut, and then they are long.
        let may_be = name.ends_with(flow.flow) || name.len() > UNCUT_MAX;
        if may_be
            && machine::tags(clients, arn)
                .await?
                .get(FLOW_KEY)
                .map(String::as_str)
                == Some(flow.flow)
        {
            found.push(Machine {
                arn: arn.to_owned(),
                name: name.to_owned(),
            });
        }
    }
    Ok(found)
}

fn planned(profile: &Profile, plan: &Plan) -> Machine {
    let name = names::state_machine_name(plan);
    Machine {
        arn: Place::new(&profile.step_functions).states("stateMachine", &name),
        name,
    }
}

/// Starts an execution of what the alias points to. Its name is ours, so that asking twice starts one.
pub(super) async fn trigger(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
    parameters: &Members,
) -> Result<Run, DeployError> {
    let machine = match flow.plan {
        Some(plan) => planned(profile, plan),
        None => only(machines(clients, profile, flow).await?, flow.flow)?,
    };
    let input = serde_json::to_string(parameters).map_err(|error| DeployError::Other {
        action: "write",
        object: "the parameters".to_owned(),
        source: Box::new(error),
    })?;
    let started = clients
        .states
        .start_execution()
        .state_machine_arn(Place::new(&profile.step_functions).alias(&machine.name))
        .name(uuid::Uuid::new_v4().to_string())
        .input(input)
        .send()
        .await
        .map_err(|error| {
            let object = machine::name(&machine.name);
            explain(
                error,
                &Request::new("Step Functions", "start", "states:StartExecution", object),
            )
        })?;
    Ok(run(started.execution_arn()))
}

fn only(mut machines: Vec<Machine>, flow: &str) -> Result<Machine, DeployError> {
    match (machines.pop(), machines.pop()) {
        (Some(machine), None) => Ok(machine),
        (None, _) => Err(DeployError::Missing {
            object: format!("a state machine of {flow}"),
            help: "deploy the flow first: flowc deploy FLOW --target step-functions".to_owned(),
        }),
        (Some(one), Some(other)) => Err(DeployError::Refused {
            object: flow.to_owned(),
            help: format!(
                "it is deployed more than once ({}, {}): name the flow's file",
                one.name, other.name
            ),
        }),
    }
}

/// The run that an execution is.
fn run(arn: &str) -> Run {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    Run {
        // Names of executions are never empty.
        id: run_id(&format!("sfn:{name}")).unwrap_or_else(|| name.to_owned()),
        native: arn.to_owned(),
    }
}

/// The newest executions of the flow.
pub(super) async fn newest(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
    limit: usize,
) -> Result<Vec<RunState>, DeployError> {
    let mut found = Vec::new();
    for machine in machines(clients, profile, flow).await? {
        let mut pages = clients
            .states
            .list_executions()
            .state_machine_arn(&machine.arn)
            .into_paginator()
            .items()
            .send();
        let mut left = limit;
        while left > 0
            && let Some(execution) = pages.next().await
        {
            let execution = execution.map_err(|error| {
                let object = machine::name(&machine.name);
                let permission = "states:ListExecutions";
                explain(
                    error,
                    &Request::new("Step Functions", "list runs of", permission, object),
                )
            })?;
            found.push(RunState {
                run: run(execution.execution_arn()),
                phase: phase(execution.status()),
                started_ms: milliseconds(Some(execution.start_date())),
                ended_ms: milliseconds(execution.stop_date()),
                reason: None,
                troubles: Vec::new(),
                page: Some(page(profile, execution.execution_arn())),
            });
            left -= 1;
        }
    }
    found.sort_by_key(|state| std::cmp::Reverse(state.started_ms));
    found.truncate(limit);
    Ok(found)
}

/// The execution with this run id, with its troubles.
pub(super) async fn state(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
    run: &str,
) -> Result<Option<RunState>, DeployError> {
    let Some(execution) = find(clients, profile, flow, run).await? else {
        return Ok(None);
    };
    let mut state = described(profile, &execution);
    state.troubles = troubles::of(clients, flow.plan, &execution).await?;
    Ok(Some(state))
}

/// The same without its history, which is long.
pub(super) async fn outline(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
    run: &str,
) -> Result<Option<RunState>, DeployError> {
    let found = find(clients, profile, flow, run).await?;
    Ok(found.map(|execution| described(profile, &execution)))
}

/// Ends the execution, which terminates its jobs and the children of its maps.
pub(super) async fn stop(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
    run: &str,
) -> Result<Option<RunState>, DeployError> {
    let Some(execution) = find(clients, profile, flow, run).await? else {
        return Ok(None);
    };
    let state = described(profile, &execution);
    if !state.phase.is_end() {
        clients
            .states
            .stop_execution()
            .execution_arn(execution.execution_arn())
            .error("Stopped")
            .cause(format!("flowc stop, by {}", clients.owner))
            .send()
            .await
            .map_err(|error| {
                let object = format!("run {run}");
                explain(
                    error,
                    &Request::new("Step Functions", "stop", "states:StopExecution", object),
                )
            })?;
    }
    Ok(Some(state))
}

async fn find(
    clients: &Clients,
    profile: &Profile,
    flow: FlowRef<'_>,
    run: &str,
) -> Result<Option<DescribeExecutionOutput>, DeployError> {
    let place = Place::new(&profile.step_functions);
    let machines = machines(clients, profile, flow).await?;
    if let Some(name) = run.strip_prefix("sfn-") {
        for machine in &machines {
            let arn = place.states("execution", &format!("{}:{name}", machine.name));
            if let Some(found) = describe(clients, &arn).await? {
                return Ok(Some(found));
            }
        }
    }
    // A name that somebody gave by hand may hold characters that a run id does not.
    for state in newest(clients, profile, flow, usize::MAX).await? {
        if state.run.id == run {
            return describe(clients, &state.run.native).await;
        }
    }
    Ok(None)
}

/// An execution, or a child of a distributed map.
pub(super) async fn describe(
    clients: &Clients,
    arn: &str,
) -> Result<Option<DescribeExecutionOutput>, DeployError> {
    let described = clients
        .states
        .describe_execution()
        .execution_arn(arn)
        .send()
        .await;
    match described {
        Ok(execution) => Ok(Some(execution)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => {
            let request = Request::new("Step Functions", "read", "states:DescribeExecution", arn);
            Err(explain(error, &request))
        }
    }
}

fn described(profile: &Profile, execution: &DescribeExecutionOutput) -> RunState {
    RunState {
        run: run(execution.execution_arn()),
        phase: phase(execution.status()),
        started_ms: milliseconds(Some(execution.start_date())),
        ended_ms: milliseconds(execution.stop_date()),
        reason: troubles::reason(execution.error(), execution.cause()),
        troubles: Vec::new(),
        page: Some(page(profile, execution.execution_arn())),
    }
}

fn phase(status: &ExecutionStatus) -> Phase {
    match status.as_str() {
        "SUCCEEDED" => Phase::Succeeded,
        "ABORTED" => Phase::Stopped,
        "FAILED" | "TIMED_OUT" => Phase::Failed,
        "PENDING_REDRIVE" => Phase::Pending,
        // Also what a newer API may say: nothing tells that it has ended.
        _ => Phase::Running,
    }
}

fn milliseconds(moment: Option<&DateTime>) -> Option<i64> {
    moment?.to_millis().ok()
}

fn page(profile: &Profile, arn: &str) -> String {
    let region = &profile.step_functions.region.value;
    let domain = match Place::new(&profile.step_functions).partition() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{region}.{domain}/states/home?region={region}#/v2/executions/details/{arn}")
}
