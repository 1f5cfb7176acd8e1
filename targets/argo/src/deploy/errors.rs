//! From what the client says to what the user can do about it.

use flowc_target::deploy::DeployError;
use kube::config::KubeconfigError;
use kube::core::Status;

const SERVICE: &str = "Kubernetes";

/// What was being done when an error came.
#[derive(Clone, Copy)]
pub(super) struct Doing<'a> {
    /// A verb of Kubernetes' permissions: `get`, `patch`.
    pub(super) verb: &'static str,
    /// `workflowtemplates.argoproj.io`.
    pub(super) resource: &'a str,
    /// `WorkflowTemplate ml/trainflow`.
    pub(super) object: &'a str,
    /// The server, as the profile reaches it.
    pub(super) endpoint: &'a str,
}

impl Doing<'_> {
    pub(super) fn error(self, error: kube::Error) -> DeployError {
        if let kube::Error::Api(status) = error {
            return self.status(*status);
        }
        if matches!(error, kube::Error::Auth(_)) {
            return DeployError::Credentials {
                service: SERVICE,
                help: LOG_IN.to_owned(),
                source: Box::new(error),
            };
        }
        if matches!(
            error,
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::HttpError(_)
        ) {
            return DeployError::Unreachable {
                service: SERVICE,
                endpoint: self.endpoint.to_owned(),
                source: Box::new(error),
            };
        }
        self.other(error)
    }

    fn status(self, status: Status) -> DeployError {
        let object = self.object.to_owned();
        match status.code {
            401 => DeployError::Credentials {
                service: SERVICE,
                help: LOG_IN.to_owned(),
                source: Box::new(kube::Error::Api(status.boxed())),
            },
            403 => DeployError::Denied {
                permission: permission(&status.message)
                    .unwrap_or_else(|| format!("{} {}", self.verb, self.resource)),
                object,
                source: Box::new(kube::Error::Api(status.boxed())),
            },
            404 => self.missing(&status),
            // Unknown fields and values that the schema refuses; the API server names the path.
            // 413 and etcd's own words on size come for objects over 1.5 MiB.
            400 | 413 | 422 => DeployError::Refused {
                object,
                help: status.message,
            },
            // What server-side apply cannot merge with the schema is an internal error up to Kubernetes 1.35.
            500 if status
                .message
                .contains("failed to create typed patch object") =>
            {
                DeployError::Refused {
                    object,
                    help: status.message,
                }
            }
            500 if status.message.contains("request is too large") => DeployError::Refused {
                object,
                help: format!("{}; etcd takes objects of up to 1.5 MiB", status.message),
            },
            _ => self.other(kube::Error::Api(status.boxed())),
        }
    }

    fn missing(self, status: &Status) -> DeployError {
        let details = status.details.as_ref();
        let kind = details.map_or("", |details| details.kind.as_str());
        let name = details.map_or("", |details| details.name.as_str());
        if kind == "namespaces" {
            return DeployError::Missing {
                object: format!("the namespace {name}"),
                help: format!(
                    "create it with `kubectl create namespace {name}`, or name another in flowc.toml: `[profile.….argo] namespace`"
                ),
            };
        }
        // The whole path is unknown if no custom resource definition made it.
        if name.is_empty() && self.resource.ends_with(".argoproj.io") {
            let is_of_events = ["sensors.", "eventsources."]
                .iter()
                .any(|start| self.resource.starts_with(start));
            let program = if is_of_events {
                "Argo Events 1.9"
            } else {
                "Argo Workflows 3.6"
            };
            return DeployError::Missing {
                object: format!("the resource {}", self.resource),
                help: format!(
                    "install {program} or newer in the cluster at {}, or choose another context",
                    self.endpoint
                ),
            };
        }
        DeployError::Missing {
            object: self.object.to_owned(),
            help: "deploy the flow first: `flowc deploy FLOW --target argo`".to_owned(),
        }
    }

    fn other(self, error: kube::Error) -> DeployError {
        DeployError::Other {
            action: self.verb,
            object: self.object.to_owned(),
            source: Box::new(error),
        }
    }
}

const LOG_IN: &str =
    "log in as for kubectl; `kubectl auth whoami` tells whether the cluster knows you";

/// The permission that Kubernetes misses, from its message:
/// `User "u" cannot patch resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "n"`.
fn permission(message: &str) -> Option<String> {
    let (verb, rest) = message.split_once(" cannot ")?.1.split_once(' ')?;
    let (resource, rest) = rest.strip_prefix("resource \"")?.split_once('"')?;
    let group = rest
        .strip_prefix(" in API group \"")
        .and_then(|rest| rest.split_once('"'))
        .map(|(group, _)| group)
        .filter(|group| !group.is_empty());
    Some(match group {
        Some(group) => format!("{verb} {resource}.{group}"),
        None => format!("{verb} {resource}"),
    })
}

/// There is no usable kubeconfig.
pub(super) fn no_config(error: KubeconfigError) -> DeployError {
    DeployError::Credentials {
        service: SERVICE,
        help: "set KUBECONFIG, or write ~/.kube/config, as for kubectl".to_owned(),
        source: Box::new(error),
    }
}

/// The client could not be made: certificates or plugins of the kubeconfig.
pub(super) fn no_client(error: kube::Error) -> DeployError {
    DeployError::Credentials {
        service: SERVICE,
        help: LOG_IN.to_owned(),
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doing() -> Doing<'static> {
        Doing {
            verb: "patch",
            resource: "workflowtemplates.argoproj.io",
            object: "WorkflowTemplate ml/f",
            endpoint: "https://cluster",
        }
    }

    fn status(code: u16, message: &str, details: &str) -> DeployError {
        let text = format!(
            r#"{{"code": {code}, "message": {}, "details": {details}}}"#,
            serde_json::to_string(message).unwrap()
        );
        let status: Status = serde_json::from_str(&text).unwrap();
        doing().error(kube::Error::Api(status.boxed()))
    }

    #[test]
    fn a_missing_permission_is_named() {
        let message = "workflowtemplates.argoproj.io \"f\" is forbidden: User \"u\" cannot patch resource \"workflowtemplates\" in API group \"argoproj.io\" in the namespace \"ml\"";
        let error = status(403, message, "{}");
        assert_eq!(
            error.to_string(),
            "not allowed: patch workflowtemplates.argoproj.io on WorkflowTemplate ml/f"
        );
        let core = "pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace \"ml\"";
        assert!(status(403, core, "{}").to_string().contains(": list pods "));
        // Words that we do not know, as of an admission plugin.
        let error = status(403, "no", "{}");
        assert!(error.to_string().contains(": patch workflowtemplates"));
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        let namespace = status(404, "x", r#"{"kind": "namespaces", "name": "ml"}"#);
        assert_eq!(namespace.to_string(), "the namespace ml does not exist");
        let crd = status(
            404,
            "the server could not find the requested resource",
            "{}",
        );
        assert!(crd.help().unwrap().contains("install Argo"), "{crd}");
        let object = status(404, "x", r#"{"kind": "workflowtemplates", "name": "f"}"#);
        assert_eq!(object.to_string(), "WorkflowTemplate ml/f does not exist");
    }

    #[test]
    fn what_the_schema_refuses_is_shown() {
        let said = ".spec.entripoint: field not declared in schema";
        for (code, message) in [
            (400, said.to_owned()),
            (422, said.to_owned()),
            (500, format!("failed to create typed patch object: {said}")),
        ] {
            let error = status(code, &message, "{}");
            assert_eq!(error.to_string(), "WorkflowTemplate ml/f is refused");
            assert!(error.help().unwrap().contains("entripoint"));
        }
    }
}
