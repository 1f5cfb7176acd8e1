//! The store that a profile names, opened with the credentials that users of its cloud have.
//!
//! `object_store` knows AWS's variables, but no shared profiles, SSO or roles to assume: those are resolved here and
//! handed over. Tasks of this machine read their secrets with the same.

use std::env;

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use flowc_protocol::manifest::Manifest;
use flowc_task::secrets::Vault;
use flowc_task::store::Store;

/// Name of the endpoint in `object_store`.
const ENDPOINT: &str = "aws_endpoint";

/// Opens the store at a URL or local path.
pub(crate) async fn open(url: &str) -> anyhow::Result<Store> {
    open_at(url, None).await
}

/// As [`open`], with the endpoint of S3 that Metaflow is configured for; AWS's own settings win over it.
pub(crate) async fn open_at(url: &str, endpoint: Option<&str>) -> anyhow::Result<Store> {
    let mut settings = if url.starts_with("s3://") && env::var_os("AWS_ACCESS_KEY_ID").is_none() {
        settings()
            .await
            .with_context(|| format!("cannot open the store {url}"))?
    } else {
        Vec::new()
    };
    let is_told = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
        || settings.iter().any(|(name, _)| name == ENDPOINT);
    if let Some(endpoint) = endpoint
        && url.starts_with("s3://")
        && !is_told
    {
        settings.push((ENDPOINT.to_owned(), endpoint.to_owned()));
    }
    Store::open_with(url, &settings).with_context(|| format!("cannot open the store {url}"))
}

/// Where the tasks of a flow that run on this machine find their secrets.
pub(crate) async fn vault(manifest: &Manifest) -> Vault {
    let secrets = manifest.steps.values().flat_map(|step| &step.secrets);
    let mut sources = secrets.flat_map(|secrets| &secrets.sources);
    let asks_aws = sources.any(|source| source.backend.as_deref() != Some("inline"));
    if !asks_aws || env::var_os("AWS_ACCESS_KEY_ID").is_some() {
        return Vault::default();
    }
    // Without credentials here the task says so, if it needs them.
    Vault::new(settings().await.unwrap_or_default())
}

/// Credentials, region and endpoint as `aws` itself would take them, by their names in `object_store`.
async fn settings() -> anyhow::Result<Vec<(String, String)>> {
    let config = flowc_step_functions::deploy::configuration(None).await?;
    let credentials = credentials(config.credentials_provider())
        .await
        .context("no AWS credentials; log in (`aws sso login`) or set AWS_PROFILE")?;
    let mut settings = vec![
        ("aws_access_key_id", credentials.access_key_id().to_owned()),
        (
            "aws_secret_access_key",
            credentials.secret_access_key().to_owned(),
        ),
    ];
    if let Some(token) = credentials.session_token() {
        settings.push(("aws_session_token", token.to_owned()));
    }
    if let Some(region) = config.region() {
        settings.push(("aws_region", region.to_string()));
    }
    if let Some(endpoint) = config.endpoint_url() {
        settings.push((ENDPOINT, endpoint.to_owned()));
    }
    Ok(settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

async fn credentials(provider: Option<SharedCredentialsProvider>) -> anyhow::Result<Credentials> {
    let provider = provider.context("no provider of credentials is configured")?;
    Ok(provider.provide_credentials().await?)
}
