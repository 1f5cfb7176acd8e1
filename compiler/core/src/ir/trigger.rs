//! What starts runs besides people and schedules: events, and runs of other flows that finish.
//!
//! Rules and names are those of Metaflow: `metaflow/plugins/events_decorator.py`, `metaflow/plugins/namespaced_events.py`
//! and `_process_triggers` in `metaflow/plugins/argo/argo_workflows.py`, read at 2.19.39.

use indexmap::IndexMap;

use super::project::Project;
use crate::source::Span;

/// What stands before the project in the name of an event that is a project's own (`NAMESPACED_EVENTS_PREFIX`).
const NAMESPACED_PREFIX: &str = "mfns";

/// `@trigger` or `@trigger_on_finish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggers {
    /// At least one, in the order written, all of one kind: a run starts once all of them have come.
    pub on: Vec<Trigger>,
    /// When those that have come are forgotten although others are missing.
    pub reset: Option<Reset>,
    /// The decorator.
    pub span: Span,
}

/// One of the things that must happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// An event is published.
    Event {
        /// Its name.
        name: EventName,
        /// Field of the event's payload by the parameter that takes its value.
        parameters: IndexMap<String, String>,
        /// Where it is named.
        span: Span,
    },
    /// A run of another flow ends well.
    Run {
        /// The other flow's name, `[A-Za-z0-9_]+`.
        flow: String,
        /// The project that the other flow is in; without one the flow is in none.
        project: Option<ProjectBranch>,
        /// Where it is named.
        span: Span,
    },
}

/// Name of an event, `[A-Za-z0-9_.-]+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventName {
    /// As written.
    Plain(String),
    /// `namespaced_event_name("...")`: each branch of each project has an event of this name for itself.
    Namespaced(String),
}

/// Project and branch of another flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectBranch {
    /// The project.
    pub name: String,
    /// The branch, such as `prod` or `test.next`; the own one of the flow that is triggered if absent, which then is in a project.
    pub branch: Option<String>,
}

/// `options={"reset_at": {...}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Five fields, as in crontab.
    pub cron: String,
    /// IANA name; UTC if absent.
    pub timezone: Option<String>,
}

impl EventName {
    /// The name as the author wrote it.
    pub fn as_written(&self) -> &str {
        match self {
            Self::Plain(name) | Self::Namespaced(name) => name,
        }
    }

    /// The name under which the event is published; `own` is the project of the flow that is triggered.
    pub fn resolve(&self, own: Option<&Project>) -> String {
        match self {
            Self::Plain(name) => name.clone(),
            Self::Namespaced(name) => match own {
                Some(project) => format!("{NAMESPACED_PREFIX}.{}", project.flow_name(name)),
                None => format!("{NAMESPACED_PREFIX}.{name}"),
            },
        }
    }
}

impl Trigger {
    /// Name of the event: of a run that has finished, `metaflow.<flow>.end` with the project in front of the flow.
    pub fn event_name(&self, own: Option<&Project>) -> String {
        match self {
            Self::Event { name, .. } => name.resolve(own),
            Self::Run { flow, project, .. } => {
                format!("metaflow.{}.end", full_name(flow, project.as_ref(), own))
            }
        }
    }

    /// What tells the deployments of the other flow apart, `shop.prod.TrainFlow` or `TrainFlow`; `None` of an event.
    pub fn flow_name(&self, own: Option<&Project>) -> Option<String> {
        match self {
            Self::Event { .. } => None,
            Self::Run { flow, project, .. } => Some(full_name(flow, project.as_ref(), own)),
        }
    }

    /// Where it is named.
    pub fn span(&self) -> Span {
        match self {
            Self::Event { span, .. } | Self::Run { span, .. } => *span,
        }
    }
}

/// As [`Project::flow_name`], for a flow of another project or branch.
fn full_name(flow: &str, of: Option<&ProjectBranch>, own: Option<&Project>) -> String {
    let Some(ProjectBranch { name, branch }) = of else {
        return flow.to_owned();
    };
    let own = || own.and_then(Project::branch_name);
    match branch.clone().or_else(own) {
        Some(branch) => format!("{name}.{branch}.{flow}"),
        None => format!("{name}.{flow}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, SourceTree};

    #[test]
    fn names_are_those_of_metaflow() {
        let file: FileId = SourceTree::default().add("flow.py", "");
        let (start, end) = (0, 0);
        let span = Span { file, start, end };
        let own = Project {
            name: "shop".to_owned(),
            branch: Some("next".to_owned()),
            production: false,
            branch_span: None,
            production_span: None,
            span,
        };
        let plain = EventName::Plain("data.new".to_owned());
        let spaced = EventName::Namespaced("data.new".to_owned());
        assert_eq!(plain.resolve(Some(&own)), "data.new");
        assert_eq!(spaced.resolve(Some(&own)), "mfns.shop.test.next.data.new");
        assert_eq!(spaced.resolve(None), "mfns.data.new");
        let run = |name: Option<&str>, branch: Option<&str>| Trigger::Run {
            flow: "Train".to_owned(),
            project: name.map(|name| ProjectBranch {
                name: name.to_owned(),
                branch: branch.map(str::to_owned),
            }),
            span,
        };
        for (trigger, name) in [
            (run(None, None), "metaflow.Train.end"),
            (run(Some("shop"), None), "metaflow.shop.test.next.Train.end"),
            (run(Some("b"), Some("prod")), "metaflow.b.prod.Train.end"),
        ] {
            assert_eq!(trigger.event_name(Some(&own)), name);
            let flow = trigger.flow_name(Some(&own));
            assert_eq!(format!("metaflow.{}.end", flow.unwrap()), name);
        }
    }
}
