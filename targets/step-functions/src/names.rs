//! Names and ARNs of the objects that belong to a flow.

use flowc_core::ir::plan::Plan;
use flowc_target::profile::StepFunctionsProfile;
use flowc_target::{Case, NameRule};

/// State machine names: 1 to 80 of letters, digits, `-` and `_` (Step Functions, `CreateStateMachine`).
const STATE_MACHINE: NameRule = NameRule {
    what: "state machine",
    max: 80,
    case: Case::Any,
    inner: "-_",
    underscore: '_',
    reserved: &[],
    reserved_prefix: "",
};

/// State names: 1 to 80 characters. Ours leave room for the suffixes of states that no step stands for.
pub(crate) const STATE: NameRule = NameRule {
    what: "state",
    max: 68,
    ..STATE_MACHINE
};

/// Job and job definition names: 1 to 128 of letters, digits, `-` and `_` (Batch, `RegisterJobDefinition`).
/// Ours leave room for `flowc-` and a digest.
pub(crate) const JOB: NameRule = NameRule {
    what: "job",
    max: 100,
    ..STATE_MACHINE
};

/// Role names: at most 64 (IAM, `CreateRole`); schedules: at most 64 (EventBridge Scheduler, `CreateSchedule`);
/// rules: at most 64 of letters, digits, `.`, `-` and `_` (EventBridge, `PutRule`). Ours leave room for `flowc-` and the role's purpose.
const SHORT: NameRule = NameRule {
    what: "role",
    max: 48,
    ..STATE_MACHINE
};

/// Alias of the version that is live: what starts a run starts this one.
pub(crate) const ALIAS: &str = "live";

/// What a flow's objects are called: the flow's name, with its project's and branch's in front.
/// None of them holds a hyphen, so that no two flows share a name.
fn base(plan: &Plan) -> String {
    match &plan.project {
        Some(project) => project.flow_name(&plan.flow).replace('.', "-"),
        None => plan.flow.clone(),
    }
}

/// Name of the flow's state machine.
pub fn state_machine_name(plan: &Plan) -> String {
    STATE_MACHINE.legal(&base(plan))
}

/// Name of the state machine of another flow, by its name with project and branch in front, as `shop.prod.TrainFlow`.
pub(crate) fn state_machine_of(flow: &str) -> String {
    STATE_MACHINE.legal(&flow.replace('.', "-"))
}

/// Name of the flow's schedule.
pub fn schedule_name(plan: &Plan) -> String {
    schedule_name_of(&base(plan))
}

/// Name of the rule by which events start the flow.
pub(crate) fn rule_name(plan: &Plan) -> String {
    schedule_name(plan)
}

/// Name of the schedule of a flow, and of its rule, by the name of its state machine: where that was not shortened, they agree.
pub(crate) fn schedule_name_of(machine: &str) -> String {
    format!("flowc-{}", SHORT.legal(machine))
}

/// Start of the names of the flow's job definitions, before the digest.
pub(crate) fn job_definition_prefix(plan: &Plan) -> String {
    format!("flowc-{}-", JOB.legal(&base(plan)))
}

/// Name of a job, shown in Batch's console; no identity.
pub(crate) fn job_name(plan: &Plan, step: &str) -> String {
    JOB.legal(&format!("{}-{step}", plan.flow))
}

/// Where in AWS the flow lives.
pub(crate) struct Place<'a> {
    profile: &'a StepFunctionsProfile,
}

impl<'a> Place<'a> {
    pub(crate) fn new(profile: &'a StepFunctionsProfile) -> Self {
        Self { profile }
    }

    /// The profile's account, 12 digits.
    pub(crate) fn account(&self) -> &str {
        &self.profile.account
    }

    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub(crate) fn partition(&self) -> &'static str {
        let region = self.profile.region.as_str();
        if region.starts_with("cn-") {
            "aws-cn"
        } else if region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }

    /// ARN of something in the profile's region and account.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        let (region, account) = (&*self.profile.region, &*self.profile.account);
        format!(
            "arn:{}:{service}:{region}:{account}:{resource}",
            self.partition()
        )
    }

    /// ARN of a secret of the profile's account, without the characters that end it.
    pub(crate) fn secret(&self, region: &str, name: &str) -> String {
        let (partition, account) = (self.partition(), &*self.profile.account);
        format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}")
    }

    /// ARN of a service integration of Step Functions.
    pub(crate) fn integration(&self, name: &str) -> String {
        format!("arn:{}:states:::{name}", self.partition())
    }

    /// ARN of an object or a pattern of objects in a bucket; of the bucket itself if the key is empty.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> String {
        let slash = if key.is_empty() { "" } else { "/" };
        format!("arn:{}:s3:::{bucket}{slash}{key}", self.partition())
    }

    /// ARN of the state machine, or of its executions with `execution`.
    pub(crate) fn states(&self, kind: &str, name: &str) -> String {
        self.arn("states", &format!("{kind}:{name}"))
    }

    /// ARN of the version of a state machine that is live.
    pub(crate) fn alias(&self, name: &str) -> String {
        self.states("stateMachine", &format!("{name}:{ALIAS}"))
    }

    /// ARN of the job queue, whether the profile or step names it or its ARN.
    pub(crate) fn queue(&self, queue: &str) -> String {
        if queue.starts_with("arn:") {
            queue.to_owned()
        } else {
            self.arn("batch", &format!("job-queue/{queue}"))
        }
    }

    /// ARN of one of the flow's own roles: `states`, `job`, `schedule` or `events`.
    pub(crate) fn role(&self, plan: &Plan, purpose: &str) -> String {
        let (partition, account) = (self.partition(), &*self.profile.account);
        let flow = SHORT.legal(&base(plan));
        format!("arn:{partition}:iam::{account}:role/flowc-{flow}-{purpose}")
    }
}

#[cfg(test)]
mod tests {
    use flowc_target::testing::{linear, plan};

    use super::*;

    fn named(project: &str, branch: &str) -> String {
        let decorator = format!("@project(name='{project}', {branch})\nclass F(");
        state_machine_name(&plan(&linear(2).replace("class F(", &decorator)))
    }

    #[test]
    fn branches_have_names_of_their_own() {
        assert_eq!(named("shop", "production=True"), "shop-prod-F");
        let long = "x".repeat(128);
        let names = [
            named("shop", "branch='next'"),
            named("shop", "branch='next', production=True"),
            named("shop", "branch='prod'"),
            named("shop_prod", "production=True"),
            named("shop", "branch='prod', production=True"),
            named("shop", "branch='_'"),
            named("shop_", "branch='_x'"),
            named("shop", "branch='x_'"),
            named("shop", "branch='x'"),
            named(&long, &format!("branch='{long}'")),
            named(&long, &format!("branch='{long}', production=True")),
        ];
        for (place, name) in names.iter().enumerate() {
            assert!(STATE_MACHINE.holds(name), "{name}");
            assert!(!names[..place].contains(name), "{name}");
        }
        assert_eq!(names[0], "shop-test-next-F");
    }
}
