//! The kinds of objects that we read and write.

use kube::api::{ApiResource, PropagationPolicy};

/// A kind that a bundle may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ServiceAccount,
    Role,
    RoleBinding,
    WorkflowTemplate,
    CronWorkflow,
    EventSource,
    Sensor,
}

impl Kind {
    /// In the order in which they are applied: what a new version needs comes first, what starts it by itself comes last.
    /// A run keeps the template that it started with, so at any point in between either the old or the new one runs.
    pub(super) const ALL: [Kind; 7] = [
        Kind::ServiceAccount,
        Kind::Role,
        Kind::RoleBinding,
        Kind::WorkflowTemplate,
        Kind::CronWorkflow,
        Kind::EventSource,
        Kind::Sensor,
    ];

    pub(super) fn parse(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| {
            let resource = known.resource();
            resource.api_version == api_version && resource.kind == kind
        })
    }

    pub(super) fn resource(self) -> ApiResource {
        match self {
            Kind::ServiceAccount => resource("", "v1", "ServiceAccount", "serviceaccounts"),
            Kind::Role => resource(RBAC, "v1", "Role", "roles"),
            Kind::RoleBinding => resource(RBAC, "v1", "RoleBinding", "rolebindings"),
            Kind::WorkflowTemplate => argo("WorkflowTemplate", "workflowtemplates"),
            Kind::CronWorkflow => argo("CronWorkflow", "cronworkflows"),
            Kind::EventSource => argo("EventSource", "eventsources"),
            Kind::Sensor => argo("Sensor", "sensors"),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::ServiceAccount => "ServiceAccount",
            Kind::Role => "Role",
            Kind::RoleBinding => "RoleBinding",
            Kind::WorkflowTemplate => "WorkflowTemplate",
            Kind::CronWorkflow => "CronWorkflow",
            Kind::EventSource => "EventSource",
            Kind::Sensor => "Sensor",
        }
    }

    /// Whether pods of running Workflows need it.
    pub(super) fn serves_pods(self) -> bool {
        match self {
            Kind::ServiceAccount | Kind::Role | Kind::RoleBinding => true,
            Kind::WorkflowTemplate | Kind::CronWorkflow | Kind::EventSource | Kind::Sensor => false,
        }
    }

    /// Whether it is of Argo Events, which need not be there.
    pub(super) fn is_of_events(self) -> bool {
        matches!(self, Kind::EventSource | Kind::Sensor)
    }

    /// What happens to what an object owns when it goes: Workflows that a schedule started stay; the pods by which
    /// Argo Events does its work go too.
    pub(super) fn propagation(self) -> PropagationPolicy {
        if self.is_of_events() {
            PropagationPolicy::Background
        } else {
            PropagationPolicy::Orphan
        }
    }
}

/// Runs.
pub(super) fn workflow() -> ApiResource {
    argo("Workflow", "workflows")
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn argo(kind: &str, plural: &str) -> ApiResource {
    resource("argoproj.io", "v1alpha1", kind, plural)
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
