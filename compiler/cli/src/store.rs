//! The store that a profile names, opened with the credentials that users of its cloud have.
//!
//! `object_store` knows AWS's variables, but no shared profiles, SSO or roles to assume: those are resolved here and
//! handed over. Tasks of this machine read their secrets with the same.

use std::env;

use anyhow::{Context, bail};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use flowc_protocol::manifest::Manifest;
use flowc_task::secrets::Vault;
use flowc_task::store::Store;

/// Names of settings in `object_store`.
const ENDPOINT: &str = "aws_endpoint";
const ENCRYPTION: &str = "aws_server_side_encryption";
const AZURE_ENDPOINT: &str = "azure_storage_endpoint";
const AZURE_ACCOUNT: &str = "azure_storage_account_name";

/// A setting of a bucket's client that counts where the cloud's own settings say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// Of the URLs that it is for.
    scheme: &'static str,
    name: &'static str,
    value: String,
    /// Variables of the cloud that win over it.
    unless: &'static [&'static str],
}

/// What Metaflow is configured for, by its names of settings without `METAFLOW_`.
pub(crate) fn of_metaflow(get: impl Fn(&str) -> Option<String>) -> Vec<Fallback> {
    let setting = |scheme, name, unless, value: Option<String>| {
        value.map(|value| Fallback {
            scheme,
            name,
            value,
            unless,
        })
    };
    let blobs = get("AZURE_STORAGE_BLOB_SERVICE_ENDPOINT");
    let blobs = blobs.map(|url| url.trim_end_matches('/').to_owned());
    let account = blobs.as_deref().and_then(account_of);
    let all = [
        setting(
            "s3",
            ENDPOINT,
            &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"],
            get("S3_ENDPOINT_URL"),
        ),
        setting(
            "s3",
            ENCRYPTION,
            &["AWS_SERVER_SIDE_ENCRYPTION"],
            get("S3_SERVER_SIDE_ENCRYPTION"),
        ),
        setting(
            "az",
            AZURE_ENDPOINT,
            &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
            blobs,
        ),
        setting(
            "az",
            AZURE_ACCOUNT,
            &["AZURE_STORAGE_ACCOUNT_NAME"],
            account,
        ),
    ];
    all.into_iter().flatten().collect()
}

/// The account of an endpoint of Azure's blobs: `https://ACCOUNT.blob.core.windows.net`, or of an emulator
/// `http://HOST:PORT/ACCOUNT`.
fn account_of(endpoint: &str) -> Option<String> {
    let (_, place) = endpoint.split_once("://")?;
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let account = match host.split_once(".blob.") {
        Some((account, _)) => account,
        None => path.split('/').next().unwrap_or_default(),
    };
    Some(account.to_owned()).filter(|account| !account.is_empty())
}

/// Opens the store at a URL or local path.
pub(crate) async fn open(url: &str) -> anyhow::Result<Store> {
    open_at(url, &[]).await
}

/// As [`open`], with what Metaflow is configured for.
pub(crate) async fn open_at(url: &str, fallbacks: &[Fallback]) -> anyhow::Result<Store> {
    let scheme = match url.split_once("://").map_or("", |(scheme, _)| scheme) {
        "s3a" => "s3",
        "azure" => "az",
        other => other,
    };
    let mut settings = if scheme == "s3" && env::var_os("AWS_ACCESS_KEY_ID").is_none() {
        settings()
            .await
            .with_context(|| format!("cannot open the store {url}"))?
    } else {
        Vec::new()
    };
    for fallback in fallbacks.iter().filter(|one| one.scheme == scheme) {
        let is_told = fallback.unless.iter().any(|name| is_set(name))
            || settings.iter().any(|(name, _)| name == fallback.name);
        if !is_told {
            settings.push((fallback.name.to_owned(), fallback.value.clone()));
        }
    }
    let names_account = settings.iter().any(|(name, _)| name == AZURE_ACCOUNT)
        || is_set("AZURE_STORAGE_ACCOUNT_NAME")
        || is_set("AZURE_STORAGE_USE_EMULATOR");
    if scheme == "az" && !names_account {
        bail!(
            "cannot open the store {url}: no storage account is named; set AZURE_STORAGE_ACCOUNT_NAME or METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT"
        );
    }
    Store::open_with(url, &settings).with_context(|| format!("cannot open the store {url}"))
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metaflows_settings_are_those_of_the_buckets_clients() {
        let set = |pairs: &'static [(&str, &str)]| {
            let get = |name: &str| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let all = of_metaflow(get).into_iter();
            all.map(|one| (one.scheme, one.name, one.value))
                .collect::<Vec<_>>()
        };
        let blobs = |url: &str, account: &str| {
            vec![
                ("az", AZURE_ENDPOINT, url.to_owned()),
                ("az", AZURE_ACCOUNT, account.to_owned()),
            ]
        };
        assert_eq!(
            set(&[(
                "AZURE_STORAGE_BLOB_SERVICE_ENDPOINT",
                "https://ann.blob.core.windows.net/"
            )]),
            blobs("https://ann.blob.core.windows.net", "ann")
        );
        assert_eq!(
            set(&[(
                "AZURE_STORAGE_BLOB_SERVICE_ENDPOINT",
                "http://127.0.0.1:10000/devstoreaccount1"
            )]),
            blobs(
                "http://127.0.0.1:10000/devstoreaccount1",
                "devstoreaccount1"
            )
        );
        assert_eq!(account_of("http://127.0.0.1:10000"), None);
        assert_eq!(
            set(&[
                ("S3_ENDPOINT_URL", "http://minio:9000"),
                ("S3_SERVER_SIDE_ENCRYPTION", "aws:kms")
            ]),
            [
                ("s3", ENDPOINT, "http://minio:9000".to_owned()),
                ("s3", ENCRYPTION, "aws:kms".to_owned()),
            ]
        );
    }
}
