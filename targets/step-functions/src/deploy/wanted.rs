//! The bundle, read back: what was reviewed is what is deployed.

use flowc_target::deploy::{DeployError, Deployment, FLOW_KEY, OWNER_KEY};
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::definition::JobDefinition;
use crate::names::{self, Place};
use crate::schedule::ScheduleRequest;
use crate::triggers::TriggerRequests;

/// What is to be live.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The flow's name.
    pub(super) flow: String,
    /// Name of the state machine.
    pub(super) machine: String,
    pub(super) machine_arn: String,
    pub(super) alias_arn: String,
    /// Exactly the file's text.
    pub(super) definition: String,
    /// Role of the state machine.
    pub(super) role: String,
    pub(super) job_definitions: Vec<JobDefinition>,
    /// Name that the schedule has, whether there is one or not.
    pub(super) schedule_name: String,
    pub(super) schedule: Option<ScheduleRequest>,
    /// Name that the rule has, whether there is one or not.
    pub(super) rule_name: String,
    pub(super) triggers: Option<TriggerRequests>,
    /// The profile's labels.
    pub(super) labels: IndexMap<String, String>,
    /// Whether the bundle describes roles.
    pub(super) describes_roles: bool,
}

impl Wanted {
    pub(super) fn read(deployment: &Deployment<'_>) -> Result<Self, DeployError> {
        let profile = &deployment.options.profile;
        let place = Place::new(&profile.step_functions);
        let machine = names::state_machine_name(deployment.plan);
        let text = |path: &str| {
            let file = deployment.files.iter().find(|file| file.path == path);
            file.map(|file| file.text.as_str())
        };
        let required = |path: &str| {
            text(path).ok_or_else(|| DeployError::Refused {
                object: path.to_owned(),
                help: "the bundle lacks it; compile again".to_owned(),
            })
        };
        let roles: Option<Value> = text("iam.json")
            .map(|text| parse("iam.json", text))
            .transpose()?;
        let own_role = roles
            .as_ref()
            .and_then(|roles| roles["states"]["RoleArn"].as_str());
        let role = match (&profile.step_functions.state_machine_role, own_role) {
            (Some(role), _) => role.value.clone(),
            (None, Some(role)) => role.to_owned(),
            (None, None) => place.role(deployment.plan, "states"),
        };
        Ok(Self {
            flow: deployment.plan.flow.clone(),
            machine_arn: place.states("stateMachine", &machine),
            alias_arn: place.alias(&machine),
            machine,
            definition: required("state-machine.asl.json")?.to_owned(),
            role,
            job_definitions: parse("job-definitions.json", required("job-definitions.json")?)?,
            schedule_name: names::schedule_name(deployment.plan),
            schedule: text("schedule.json")
                .map(|text| parse("schedule.json", text))
                .transpose()?,
            rule_name: names::rule_name(deployment.plan),
            triggers: text("events.json")
                .map(|text| parse("events.json", text))
                .transpose()?,
            labels: profile
                .labels
                .iter()
                .map(|(name, value)| (name.clone(), value.value.clone()))
                .collect(),
            describes_roles: roles.is_some(),
        })
    }

    /// Tags of everything that takes tags.
    pub(super) fn tags(&self, owner: &str) -> IndexMap<String, String> {
        let mut tags = self.labels.clone();
        tags.insert(FLOW_KEY.to_owned(), self.flow.clone());
        tags.insert(OWNER_KEY.to_owned(), owner.to_owned());
        tags
    }
}

fn parse<T: DeserializeOwned>(path: &str, text: &str) -> Result<T, DeployError> {
    serde_json::from_str(text).map_err(|error| DeployError::Refused {
        object: path.to_owned(),
        help: format!("the bundle's file cannot be read: {error}"),
    })
}

/// Names of the job definitions that a state machine submits, each once.
pub(super) fn job_definitions_of(definition: &str) -> Vec<String> {
    fn collect(value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (key, inner) in members {
                    if key != "JobDefinition" {
                        collect(inner, names);
                    } else if let Some(name) = inner.as_str()
                        && !names.iter().any(|known| known == name)
                    {
                        names.push(name.to_owned());
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut names = Vec::new();
    // A definition that AWS took is JSON.
    if let Ok(value) = serde_json::from_str(definition) {
        collect(&value, &mut names);
    }
    names
}
