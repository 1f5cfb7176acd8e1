//! Clients with the credentials that users of `aws` have, and who they belong to.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use flowc_target::Profile;
use flowc_target::deploy::DeployError;

use super::errors::{Request, explain};

/// What talks to the services that a flow needs.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) states: aws_sdk_sfn::Client,
    pub(super) batch: aws_sdk_batch::Client,
    pub(super) scheduler: aws_sdk_scheduler::Client,
    pub(super) events: aws_sdk_eventbridge::Client,
    /// Who deploys, as [`flowc_target::deploy::OWNER_KEY`] says it.
    pub(super) owner: String,
}

impl Clients {
    /// Asks for the account at once: nothing is read or written in the wrong one.
    pub(super) async fn connect(profile: &Profile) -> Result<Self, DeployError> {
        // ARNs in the bundle hold the profile's region, so it wins over the environment's.
        let region = Region::new(profile.step_functions.region.value.clone());
        let config = configuration(Some(region)).await?;
        let identity = aws_sdk_sts::Client::new(&config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| {
                let object = "the caller's identity";
                explain(
                    error,
                    &Request::new("AWS", "read", "sts:GetCallerIdentity", object),
                )
            })?;
        let (expected, found) = (&profile.step_functions.account, identity.account());
        if found != Some(expected.as_str()) {
            return Err(DeployError::Elsewhere {
                what: "account",
                expected: expected.value.clone(),
                found: found.unwrap_or("none").to_owned(),
            });
        }
        Ok(Self {
            states: aws_sdk_sfn::Client::new(&config),
            batch: aws_sdk_batch::Client::new(&config),
            scheduler: aws_sdk_scheduler::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            owner: without_session(identity.arn().unwrap_or_default()),
        })
    }
}

/// Credentials, region and endpoint as `aws` itself would find them; `region` wins over the one that is found.
///
/// Fails if an endpoint is no URL, of which the SDK would make a panic or a riddle.
pub async fn configuration(region: Option<Region>) -> Result<SdkConfig, DeployError> {
    // The SDK's default TLS stack needs a C tool chain; this is the one that everything else here uses.
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client);
    if let Some(region) = region {
        loader = loader.region(region);
    }
    let config = loader.load().await;
    // Clients of services read these themselves, so they are not all in `config`.
    // A variable of another name may hold anything, also what is no text.
    for (name, url) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("AWS_ENDPOINT_URL") {
            check_endpoint(&name, &url.to_string_lossy())?;
        }
    }
    if let Some(url) = config.endpoint_url() {
        check_endpoint("endpoint_url", url)?;
    }
    Ok(config)
}

fn check_endpoint(name: &str, url: &str) -> Result<(), DeployError> {
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) {
        return Ok(());
    }
    Err(DeployError::Refused {
        object: format!("{name}=\"{url}\""),
        help: "it is no URL: unset it, or give one that begins with https:// or http://".to_owned(),
    })
}

/// A role's session is another one each time; who may act for the role is the account's business.
fn without_session(arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((start, rest)) => {
            let role = rest.split('/').next().unwrap_or(rest);
            format!("{start}:assumed-role/{role}")
        }
        None => arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_endpoint, without_session};

    #[test]
    fn endpoints_are_urls() {
        for url in [
            "http://127.0.0.1:5000",
            "https://vpce-1.sfn.eu-west-1.vpce.amazonaws.com/",
        ] {
            assert!(check_endpoint("AWS_ENDPOINT_URL_SFN", url).is_ok());
        }
        for wrong in ["", "localhost:5000", "https://", "http:///x"] {
            let error = check_endpoint("AWS_ENDPOINT_URL", wrong).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("AWS_ENDPOINT_URL=\"{wrong}\" is refused")
            );
        }
    }

    #[test]
    fn an_identity_outlives_its_session() {
        for (arn, owner) in [
            (
                "arn:aws:sts::123456789012:assumed-role/deployers/ann@example.org",
                "arn:aws:sts::123456789012:assumed-role/deployers",
            ),
            (
                "arn:aws:iam::123456789012:user/teams/ann",
                "arn:aws:iam::123456789012:user/teams/ann",
            ),
        ] {
            assert_eq!(without_session(arn), owner);
        }
    }
}
