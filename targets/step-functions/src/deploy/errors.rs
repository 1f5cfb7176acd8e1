//! Errors of the AWS clients, in the words of [`DeployError`].

use std::error::Error;
use std::fmt::Debug;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use flowc_target::deploy::DeployError;

/// What was asked for, so that an error can say it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    service: &'static str,
    verb: &'static str,
    permission: &'static str,
    object: String,
    missing: String,
}

impl Request {
    /// Says what to do where something is not there.
    pub(super) fn or_missing(self, missing: String) -> Self {
        Self { missing, ..self }
    }

    /// `verb` as in "cannot update", `permission` as IAM names the action.
    pub(super) fn new(
        service: &'static str,
        verb: &'static str,
        permission: &'static str,
        object: impl Into<String>,
    ) -> Self {
        Self {
            service,
            verb,
            permission,
            object: object.into(),
            missing: "deploy the flow first: flowc deploy FLOW --target step-functions".to_owned(),
        }
    }
}

/// Codes by which services say that credentials are wrong or too old.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes by which they say that somebody may not do this.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
];

/// Codes by which they say that something is not there.
pub(super) const MISSING: &[&str] = &[
    "ExecutionDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
];

/// Codes by which they say that a request is wrong in itself.
const REFUSED: &[&str] = &[
    "ClientException",
    "InvalidArn",
    "InvalidDefinition",
    "InvalidEventPatternException",
    "InvalidExecutionInput",
    "InvalidName",
    "LimitExceededException",
    "ManagedRuleException",
    "ServiceQuotaExceededException",
    "StateMachineDeleting",
    "StateMachineLimitExceeded",
    "TooManyTags",
    "ValidationException",
];

const HELP_CREDENTIALS: &str = "log in (`aws sso login`), choose a profile of yours with AWS_PROFILE, or set AWS_ACCESS_KEY_ID";

/// The error in our words.
pub(super) fn explain<E, R>(error: SdkError<E, R>, request: &Request) -> DeployError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let message = error.message().unwrap_or_default().to_owned();
    let Request {
        service,
        verb,
        permission,
        object,
        missing,
    } = request.clone();
    if CREDENTIALS.contains(&code.as_str()) || has_no_credentials(&error) {
        return DeployError::Credentials {
            service,
            help: HELP_CREDENTIALS.to_owned(),
            source: Box::new(error),
        };
    }
    if matches!(
        error,
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_)
    ) {
        return DeployError::Unreachable {
            service,
            endpoint: std::env::var("AWS_ENDPOINT_URL")
                .unwrap_or_else(|_| "its endpoint".to_owned()),
            source: Box::new(error),
        };
    }
    if is_about_role(&message) {
        return DeployError::Refused {
            object,
            help: message,
        };
    }
    if DENIED.contains(&code.as_str()) {
        return DeployError::Denied {
            permission: denied_action(&message).unwrap_or(permission).to_owned(),
            object,
            source: Box::new(error),
        };
    }
    if MISSING.contains(&code.as_str()) {
        return DeployError::Missing {
            object,
            help: missing,
        };
    }
    if REFUSED.contains(&code.as_str()) {
        return DeployError::Refused {
            object,
            help: message,
        };
    }
    DeployError::Other {
        action: verb,
        object,
        source: Box::new(error),
    }
}

/// Whether the service says that the thing is not there.
pub(super) fn is_missing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code().is_some_and(|code| MISSING.contains(&code))
}

/// Says what to do where a service cannot act as a role: it is not there, or does not trust the service.
pub(super) fn explain_role(error: DeployError, what_to_do: impl FnOnce() -> String) -> DeployError {
    match error {
        DeployError::Refused { object, help } if is_about_role(&help) => DeployError::Refused {
            object,
            help: what_to_do(),
        },
        DeployError::Unreachable { .. }
        | DeployError::Credentials { .. }
        | DeployError::Denied { .. }
        | DeployError::Elsewhere { .. }
        | DeployError::Foreign { .. }
        | DeployError::Missing { .. }
        | DeployError::Refused { .. }
        | DeployError::Timeout { .. }
        | DeployError::Other { .. } => error,
    }
}

fn is_about_role(message: &str) -> bool {
    message.contains("authorized to assume the provided role")
        || message.contains("cannot be assumed by principal")
        || message.contains("must allow AWS EventBridge Scheduler to assume the role")
}

/// The action in `User: … is not authorized to perform: states:CreateStateMachine on resource: …`.
fn denied_action(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    rest.split_whitespace().next()
}

fn has_no_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::denied_action;

    #[test]
    fn the_action_is_read_from_what_iam_says() {
        let message =
            "User: arn:aws:iam::1:user/a is not authorized to perform: iam:PassRole on resource: x";
        assert_eq!(denied_action(message), Some("iam:PassRole"));
        assert_eq!(denied_action("no"), None);
    }
}
