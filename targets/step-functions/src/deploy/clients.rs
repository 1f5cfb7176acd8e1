//! Clients with the credentials that users of `aws` have, and who they belong to.

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
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
    /// Who deploys, as [`flowc_target::deploy::OWNER_KEY`] says it.
    pub(super) owner: String,
}

impl Clients {
    /// Asks for the account at once: nothing is read or written in the wrong one.
    pub(super) async fn connect(profile: &Profile) -> Result<Self, DeployError> {
        let config = config(profile).await;
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
            owner: without_session(identity.arn().unwrap_or_default()),
        })
    }
}

/// Credentials, region and endpoint as `aws` itself would find them.
pub fn configuration() -> ConfigLoader {
    // The SDK's default TLS stack needs a C tool chain; this is the one that everything else here uses.
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(client)
}

async fn config(profile: &Profile) -> SdkConfig {
    // ARNs in the bundle hold the profile's region, so it wins over the environment's.
    configuration()
        .region(Region::new(profile.step_functions.region.value.clone()))
        .load()
        .await
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
    use super::without_session;

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
