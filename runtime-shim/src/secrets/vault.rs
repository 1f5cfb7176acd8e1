//! AWS Secrets Manager, asked by the shim itself.

use std::fmt;
use std::sync::Arc;

use flowc_protocol::conversation::SecretWanted;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::store::{Aws, Call, Lent, element};

/// What Metaflow says where nothing tells the region.
const NO_REGION: &str = "Default region is not specified for AWS Secrets Manager. Please set METAFLOW_AWS_SECRETS_MANAGER_DEFAULT_REGION";

/// Where secrets come from, and with whose credentials.
#[derive(Clone, Default)]
pub struct Vault {
    settings: Arc<[(String, String)]>,
}

/// They may be credentials.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// With credentials, region and endpoint by their names in `object_store`, on top of the environment's.
    #[must_use]
    pub fn new(settings: Vec<(String, String)>) -> Self {
        Self {
            settings: settings.into(),
        }
    }

    /// What the harness is answered: `name` and `text` or `base64`, or `failed` with the reason.
    pub(crate) async fn answer(&self, wanted: &SecretWanted) -> Value {
        match self.fetch(wanted).await {
            Ok(answer) => answer,
            Err(reason) => json!({"op": "ok", "failed": reason}),
        }
    }

    async fn fetch(&self, wanted: &SecretWanted) -> Result<Value, String> {
        let region = wanted.region.clone().or_else(|| self.region());
        let region = region.ok_or_else(|| NO_REGION.to_owned())?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if region.is_empty() || !region.chars().all(is_part) {
            return Err(format!("`{region}` is no region of AWS"));
        }
        let aws = Aws::new(&region, &self.settings)?;
        let lent = match &wanted.role {
            Some(role) => Some(self.assume(&aws, &region, role).await?),
            None => None,
        };
        let call = Call {
            url: &self.endpoint("secretsmanager", "SECRETS_MANAGER", &region),
            service: "secretsmanager",
            region: &region,
            content: "application/x-amz-json-1.1",
            target: Some("secretsmanager.GetSecretValue"),
            body: json!({"SecretId": wanted.id}).to_string(),
        };
        let answer = aws.post(&call, lent).await?;
        // Errors of this parser may quote what they read.
        let said: Option<Value> = serde_json::from_str(&answer.body).ok();
        let text = |name: &str| said.as_ref()?.get(name)?.as_str();
        if answer.status != 200 {
            let action = "secretsmanager:GetSecretValue";
            return Err(refusal(&answer.body, "GetSecretValue", action));
        }
        let mut told = json!({"op": "ok"});
        let fields = [
            ("name", "Name"),
            ("text", "SecretString"),
            ("base64", "SecretBinary"),
        ];
        for (name, field) in fields {
            if let Some(value) = text(field) {
                told[name] = Value::from(value);
            }
        }
        Ok(told)
    }

    /// Credentials of a role.
    async fn assume(&self, aws: &Aws, region: &str, role: &str) -> Result<Lent, String> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "AssumeRole")
            .append_pair("Version", "2011-06-15")
            .append_pair("RoleArn", role)
            .append_pair("RoleSessionName", "flowc")
            .finish();
        let call = Call {
            url: &format!("{}/", self.endpoint("sts", "STS", region)),
            service: "sts",
            region,
            content: "application/x-www-form-urlencoded",
            target: None,
            body,
        };
        let answer = aws.post(&call, None).await?;
        let text = |name| element(&answer.body, name).map(|text| text.trim().to_owned());
        if answer.status == 200
            && let (Some(key), Some(secret), Some(token)) = (
                text("AccessKeyId"),
                text("SecretAccessKey"),
                text("SessionToken"),
            )
        {
            return Ok(Lent { key, secret, token });
        }
        Err(refusal(&answer.body, "AssumeRole", "sts:AssumeRole"))
    }

    fn setting(&self, name: &str) -> Option<String> {
        let mut settings = self.settings.iter();
        let found = settings.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn region(&self) -> Option<String> {
        variable("AWS_REGION")
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(|| self.setting("aws_region"))
    }

    /// As AWS's own clients find it.
    fn endpoint(&self, service: &str, variable_part: &str, region: &str) -> String {
        let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let ignored = ignored.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let configured = || {
            variable(&format!("AWS_ENDPOINT_URL_{variable_part}"))
                .or_else(|| variable("AWS_ENDPOINT_URL"))
                .or_else(|| self.setting("aws_endpoint"))
        };
        let url = Some(()).filter(|()| !ignored).and_then(|()| configured());
        let url = url.unwrap_or_else(|| {
            let china = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://{service}.{region}.amazonaws.com{china}")
        });
        url.trim_end_matches('/').to_owned()
    }
}

/// A refusal in the words of AWS's client for Python, and what to do where that is known.
fn refusal(body: &str, operation: &str, action: &str) -> String {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let text = |names: &[&str], tag: &str| {
        let texts = names
            .iter()
            .find_map(|name| json.as_ref()?.get(name)?.as_str());
        texts.or_else(|| element(body, tag)).map(str::to_owned)
    };
    let code = text(&["__type"], "Code").unwrap_or_else(|| "UnknownError".to_owned());
    let code = code.rsplit('#').next().unwrap_or(&code);
    let message = text(&["message", "Message"], "Message");
    let message = message.unwrap_or_else(|| "Unknown".to_owned());
    let said = format!(
        "An error occurred ({code}) when calling the {operation} operation: {}",
        message.trim_end_matches('.')
    );
    let next = match code {
        "ResourceNotFoundException" => {
            "; create it, or look at its name, the region and the account"
        }
        "AccessDeniedException" | "AccessDenied" => {
            return format!("{said}; allow {action} to the role that the task runs with");
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => "; the task's AWS credentials are not accepted",
        _ => "",
    };
    format!("{said}{next}")
}

/// A variable of this process that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        assert_eq!(
            refusal(
                r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"not authorized."}"#,
                "GetSecretValue",
                "secretsmanager:GetSecretValue"
            ),
            "An error occurred (AccessDeniedException) when calling the GetSecretValue operation: not authorized; allow secretsmanager:GetSecretValue to the role that the task runs with"
        );
        assert_eq!(
            refusal(
                "<ErrorResponse><Error><Code>Odd</Code><Message>why.</Message></Error></ErrorResponse>",
                "AssumeRole",
                "sts:AssumeRole"
            ),
            "An error occurred (Odd) when calling the AssumeRole operation: why"
        );
        assert_eq!(
            refusal("<html>", "AssumeRole", "sts:AssumeRole"),
            "An error occurred (UnknownError) when calling the AssumeRole operation: Unknown"
        );
    }

    #[test]
    fn what_a_vault_knows_is_not_shown() {
        let vault = Vault::new(vec![("aws_secret_access_key".into(), "hush".into())]);
        assert_eq!(format!("{vault:?}"), "Vault { .. }");
    }
}
