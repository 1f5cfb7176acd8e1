//! The kinds of objects that we read and write.

use kube::api::ApiResource;

/// A kind that a bundle may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ServiceAccount,
    Role,
    RoleBinding,
    WorkflowTemplate,
    CronWorkflow,
}

impl Kind {
    /// In the order in which they are applied: what a new version needs comes first, what starts it by itself comes last.
    /// A run keeps the template that it started with, so at any point in between either the old or the new one runs.
    pub(super) const ALL: [Kind; 5] = [
        Kind::ServiceAccount,
        Kind::Role,
        Kind::RoleBinding,
        Kind::WorkflowTemplate,
        Kind::CronWorkflow,
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
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::ServiceAccount => "ServiceAccount",
            Kind::Role => "Role",
            Kind::RoleBinding => "RoleBinding",
            Kind::WorkflowTemplate => "WorkflowTemplate",
            Kind::CronWorkflow => "CronWorkflow",
        }
    }

    /// Whether pods of running Workflows need it.
    pub(super) fn serves_pods(self) -> bool {
        match self {
            Kind::ServiceAccount | Kind::Role | Kind::RoleBinding => true,
            Kind::WorkflowTemplate | Kind::CronWorkflow => false,
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
