//! The cluster and namespace that a profile names, and the few requests that we make there.

use std::fmt::Write as _;
use std::io::ErrorKind;

use flowc_target::Profile;
use flowc_target::deploy::DeployError;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    Preconditions, ValidationDirective,
};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::Request;
use kube::{Client, Config};
use serde_json::Value;

use super::bundle::Manifest;
use super::errors::{Doing, no_client, no_config};
use super::kind::{Kind, workflow};

/// Who applies what we send; the API server keeps note of the fields.
const MANAGER: &str = "flowc";

/// Objects of a list that come at a time: Workflows are large.
const PAGE: u32 = 100;

/// A connection.
pub(super) struct Cluster {
    client: Client,
    endpoint: String,
    pub(super) namespace: String,
}

/// The API server reads what is applied as YAML, which has no bare control characters; JSON asks only for the first 32 to
/// be escaped.
fn readable_as_yaml(json: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(json);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(
            character,
            '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        ) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped.into_bytes()
}

/// Whether a request is only to be checked by the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Apply {
    DryRun,
    Really,
}

impl Cluster {
    /// As kubectl does: `KUBECONFIG` or `~/.kube/config`, in a pod its service account; the profile's context if it names one.
    pub(super) async fn connect(profile: &Profile) -> Result<Self, DeployError> {
        let wanted = profile.argo.context.as_ref();
        let wanted = wanted.map(|context| context.value.clone());
        let config = match Kubeconfig::read() {
            Ok(kubeconfig) => from_kubeconfig(kubeconfig, wanted).await?,
            Err(error) => in_cluster(error, wanted)?,
        };
        let endpoint = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(no_client)?;
        Ok(Self {
            client,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            namespace: profile.argo.namespace.value.clone(),
        })
    }

    /// The user name by which the cluster knows us.
    pub(super) async fn identity(&self) -> Result<String, DeployError> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let review = api
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await
            .map_err(|error| {
                let doing = Doing {
                    verb: "create",
                    resource: "selfsubjectreviews.authentication.k8s.io",
                    object: "the question who we are",
                    endpoint: &self.endpoint,
                };
                doing.error(error)
            })?;
        let user = review.status.and_then(|status| status.user_info);
        Ok(user.and_then(|user| user.username).unwrap_or_default())
    }

    pub(super) async fn get(&self, kind: Kind, name: &str) -> Result<Option<Value>, DeployError> {
        self.get_of(&kind.resource(), name).await
    }

    pub(super) async fn get_workflow(&self, name: &str) -> Result<Option<Value>, DeployError> {
        self.get_of(&workflow(), name).await
    }

    async fn get_of(
        &self,
        resource: &ApiResource,
        name: &str,
    ) -> Result<Option<Value>, DeployError> {
        // `get_opt` would also take a missing resource definition for a missing object.
        match self.api(resource).get(name).await {
            Ok(object) => Ok(Some(value(&object))),
            Err(kube::Error::Api(status)) if is_missing_object(&status) => Ok(None),
            Err(error) => Err(self.error(error, "get", resource, name)),
        }
    }

    /// Server-side apply with strict validation; the answer is the whole object.
    pub(super) async fn apply(
        &self,
        manifest: &Manifest,
        apply: Apply,
    ) -> Result<Value, kube::Error> {
        let mut params = PatchParams::apply(MANAGER).force();
        params.field_validation = Some(ValidationDirective::Strict);
        params.dry_run = apply == Apply::DryRun;
        let patch = Patch::Apply(&manifest.object);
        let api = self.api(&manifest.kind.resource());
        let request = Request::new(api.resource_url())
            .patch(&manifest.name, &params, &patch)
            .map_err(kube::Error::BuildRequest)?;
        let object: DynamicObject = self
            .client
            .request(request.map(|json| readable_as_yaml(&json)))
            .await?;
        Ok(value(&object))
    }

    pub(super) fn apply_error(&self, manifest: &Manifest, error: kube::Error) -> DeployError {
        self.error(error, "patch", &manifest.kind.resource(), &manifest.name)
    }

    /// Deletes the very object that was looked at.
    pub(super) async fn delete(
        &self,
        kind: Kind,
        name: &str,
        uid: Option<&str>,
    ) -> Result<(), DeployError> {
        let params = DeleteParams {
            propagation_policy: Some(kind.propagation()),
            preconditions: uid.map(|uid| Preconditions {
                uid: Some(uid.to_owned()),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        let resource = kind.resource();
        match self.api(&resource).delete(name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if is_missing_object(&status) => Ok(()),
            Err(error) => Err(self.error(error, "delete", &resource, name)),
        }
    }

    /// The objects of a kind with these labels.
    pub(super) async fn list(&self, kind: Kind, labels: &str) -> Result<Vec<Value>, DeployError> {
        let mut objects = Vec::new();
        self.each(&kind.resource(), labels, |object| objects.push(object))
            .await?;
        Ok(objects)
    }

    /// Calls `look` with each Workflow that has these labels; they are large, so none is kept here.
    pub(super) async fn each_workflow(
        &self,
        labels: &str,
        look: impl FnMut(Value),
    ) -> Result<(), DeployError> {
        self.each(&workflow(), labels, look).await
    }

    async fn each(
        &self,
        resource: &ApiResource,
        labels: &str,
        mut look: impl FnMut(Value),
    ) -> Result<(), DeployError> {
        let mut params = ListParams::default().labels(labels).limit(PAGE);
        loop {
            let page = self
                .api(resource)
                .list(&params)
                .await
                .map_err(|error| self.error(error, "list", resource, &self.namespace))?;
            page.items.iter().for_each(|object| look(value(object)));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(()),
            }
        }
    }

    pub(super) async fn create_workflow(&self, object: &Value) -> Result<Value, DeployError> {
        let resource = workflow();
        let error = |error| {
            let name = object["metadata"]["generateName"].as_str();
            self.error(error, "create", &resource, name.unwrap_or_default())
        };
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let object = serde_json::from_value::<DynamicObject>(object.clone())
            .map_err(|mistake| error(kube::Error::SerdeError(mistake)))?;
        let created = self.api(&resource).create(&params, &object).await;
        created.map(|object| value(&object)).map_err(error)
    }

    pub(super) async fn patch_workflow(
        &self,
        name: &str,
        patch: &Value,
    ) -> Result<(), DeployError> {
        let resource = workflow();
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.api(&resource)
            .patch(name, &params, &Patch::Merge(patch))
            .await
            .map(|_| ())
            .map_err(|error| self.error(error, "patch", &resource, name))
    }

    /// The pods of a Workflow; none if we may not look at pods, which a user of Argo need not be allowed to.
    pub(super) async fn pods(&self, workflow: &str) -> Result<Vec<Pod>, DeployError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let labels = format!("workflows.argoproj.io/workflow={workflow}");
        match api.list(&ListParams::default().labels(&labels)).await {
            Ok(pods) => Ok(pods.items),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(Vec::new()),
            Err(error) => {
                let doing = Doing {
                    verb: "list",
                    resource: "pods",
                    object: &format!("the pods of {workflow}"),
                    endpoint: &self.endpoint,
                };
                Err(doing.error(error))
            }
        }
    }

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, resource)
    }

    fn error(
        &self,
        error: kube::Error,
        verb: &'static str,
        resource: &ApiResource,
        name: &str,
    ) -> DeployError {
        let full = if resource.group.is_empty() {
            resource.plural.clone()
        } else {
            format!("{}.{}", resource.plural, resource.group)
        };
        let doing = Doing {
            verb,
            resource: &full,
            object: &format!("{} {}/{name}", resource.kind, self.namespace),
            endpoint: &self.endpoint,
        };
        doing.error(error)
    }
}

async fn from_kubeconfig(
    kubeconfig: Kubeconfig,
    wanted: Option<String>,
) -> Result<Config, DeployError> {
    let current = kubeconfig.current_context.clone();
    if let Some(wanted) = &wanted {
        let mut known = kubeconfig.contexts.iter();
        if !known.any(|context| context.name == *wanted) {
            return Err(elsewhere(
                wanted,
                current.as_deref().unwrap_or("a kubeconfig without it"),
            ));
        }
    }
    let options = KubeConfigOptions {
        context: wanted,
        ..KubeConfigOptions::default()
    };
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(no_config)
}

fn in_cluster(error: KubeconfigError, wanted: Option<String>) -> Result<Config, DeployError> {
    // A file that is there and cannot be read is not passed over.
    let absent = if let KubeconfigError::ReadConfig(why, _) = &error {
        why.kind() == ErrorKind::NotFound
    } else {
        matches!(error, KubeconfigError::FindPath)
    };
    match (absent.then(Config::incluster), wanted) {
        (Some(Ok(_)), Some(wanted)) => Err(elsewhere(&wanted, "the cluster in which flowc runs")),
        (Some(Ok(config)), None) => Ok(config),
        (Some(Err(_)) | None, _) => Err(no_config(error)),
    }
}

fn elsewhere(expected: &str, found: &str) -> DeployError {
    DeployError::Elsewhere {
        what: "context",
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// A missing object has a name; a missing resource definition, or namespace, has none or is another kind.
fn is_missing_object(status: &kube::core::Status) -> bool {
    status.code == 404
        && status
            .details
            .as_ref()
            .is_some_and(|details| !details.name.is_empty() && details.kind != "namespaces")
}

fn value(object: &DynamicObject) -> Value {
    // What came as JSON goes back to JSON.
    serde_json::to_value(object).unwrap_or(Value::Null)
}
