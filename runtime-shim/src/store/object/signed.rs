//! Signed requests to AWS for what is no object of a store.

use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, ReqwestConnector};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::answer::describe;
use super::client::{self, Patience};

/// Pauses before further tries, where a service did not answer or was busy.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// A way to AWS: a connection and the credentials that the process has.
pub(crate) struct Aws {
    http: HttpClient,
    credentials: AwsCredentialProvider,
}

/// A request: one `POST`.
pub(crate) struct Call<'a> {
    /// Whole URL.
    pub(crate) url: &'a str,
    /// The service's name in signatures.
    pub(crate) service: &'static str,
    /// Its region.
    pub(crate) region: &'a str,
    /// `Content-Type`.
    pub(crate) content: &'static str,
    /// `X-Amz-Target`, for services that speak JSON.
    pub(crate) target: Option<&'static str>,
    /// What is sent.
    pub(crate) body: String,
}

/// What the service said, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Credentials that were lent by an answer.
pub(crate) struct Lent {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

impl Aws {
    /// By the settings of a store, or else by the environment: variables, a web identity, a container's or a machine's role.
    pub(crate) fn new(region: &str, settings: &[(String, String)]) -> Result<Self, String> {
        super::install_tls();
        let options = client::options(Patience::Task)?;
        let failed = |error: object_store::Error| describe(&error);
        let http = ReqwestConnector::default()
            .connect(&options)
            .map_err(failed)?;
        let mut builder = AmazonS3Builder::from_env()
            // Only its credentials are wanted.
            .with_bucket_name("none")
            .with_client_options(options)
            .with_retry(Patience::Task.retries());
        for (name, value) in settings {
            builder = builder.with_config(name.parse().map_err(failed)?, value);
        }
        let store = builder.with_region(region).build().map_err(failed)?;
        Ok(Self {
            http,
            credentials: store.credentials().clone(),
        })
    }

    /// Sends a request with the credentials of the process, or with lent ones.
    pub(crate) async fn post(&self, call: &Call<'_>, lent: Option<Lent>) -> Result<Answer, String> {
        let own;
        let borrowed;
        let credential = if let Some(lent) = lent {
            borrowed = AwsCredential {
                key_id: lent.key,
                secret_key: lent.secret,
                token: Some(lent.token),
            };
            &borrowed
        } else {
            let found = self.credentials.get_credential().await;
            own = found
                .map_err(|error| format!("no AWS credentials were found: {}", describe(&error)))?;
            &*own
        };
        let mut pauses = PAUSES.into_iter();
        loop {
            let answer = self.send(call, credential).await;
            let is_busy = match &answer {
                Ok(answer) => {
                    answer.status >= 500
                        || answer.status == 429
                        || answer.body.contains("ThrottlingException")
                }
                Err(_) => true,
            };
            let Some(pause) = pauses.next().filter(|_| is_busy) else {
                return answer.map_err(|error| {
                    let reason = innermost(&error);
                    format!("{} does not answer: {reason}", call.url)
                });
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn send(
        &self,
        call: &Call<'_>,
        credential: &AwsCredential,
    ) -> Result<Answer, Unanswered> {
        let mut request = HttpRequest::new(call.body.clone().into());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = call.url.parse().map_err(|_| Unanswered::Url)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(call.content));
        if let Some(target) = call.target {
            headers.insert("x-amz-target", HeaderValue::from_static(target));
        }
        AwsAuthorizer::new(credential, call.service, call.region)
            .try_authorize(&mut request, None)?;
        let response = self.http.execute(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().bytes().await?;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("this is no URL")]
    Url,
    #[error("the request cannot be signed")]
    Sign(#[from] object_store::Error),
    #[error("the request failed")]
    Http(#[from] HttpError),
}

/// The cause behind all wrappings, which names the trouble (`connection refused`).
fn innermost(error: &Unanswered) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(cause) = inner.source() {
        inner = cause;
    }
    inner.to_string()
}
