//! Airflow's REST API: v2 of Airflow 3, v1 of Airflow 2.
//!
//! Who asks is told as Airflow's own clients are: `AIRFLOW_TOKEN`, or `AIRFLOW_USERNAME` and `AIRFLOW_PASSWORD`, in the
//! environment. Neither ever stands in a file of flowc or in an error's text.

use std::env;
use std::time::Duration;

use flowc_protocol::json_text::JsonText;
use flowc_target::deploy::{BoxError, DeployError};
use reqwest::header::ACCEPT;
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};

/// Pauses before a request is tried again that found a server busy or restarting.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Which of the two APIs it is; their paths below it are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Airflow 2: `/api/v1`.
    Two,
    /// Airflow 3: `/api/v2`.
    Three,
}

/// A server and who asks.
pub(super) struct Api {
    client: Client,
    root: Url,
    generation: Generation,
    login: Login,
    identity: Option<String>,
}

enum Login {
    Open,
    Token(String),
    Password(String, String),
}

/// What a request is about, for errors: a permission's name and an object's.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// As Airflow's own words for permissions: `edit DAGs`.
    pub(super) permission: &'static str,
    /// `DAG X`.
    pub(super) object: &'a str,
}

impl Api {
    /// Finds out which API there is and logs in.
    pub(super) async fn connect(url: &str) -> Result<Self, DeployError> {
        flowc_task::store::install_tls();
        let unreachable = |source: BoxError| DeployError::Unreachable {
            service: "Airflow",
            endpoint: url.to_owned(),
            source,
        };
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_mins(1))
            .build()
            .map_err(|error| unreachable(error.into()))?;
        let root = Url::parse(url).map_err(|error| unreachable(error.into()))?;
        let mut api = Self {
            client,
            root,
            generation: Generation::Three,
            login: Login::Open,
            identity: None,
        };
        api.generation = api.find_generation().await?;
        api.log_in().await?;
        Ok(api)
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// Airflow's name of who asks, if it can be known.
    pub(super) fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// A page of the user interface.
    pub(super) fn page(&self, segments: &[&str]) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// An address of the API; segments may hold any character.
    pub(super) fn path(&self, segments: &[&str]) -> Url {
        let version = match self.generation {
            Generation::Two => "v1",
            Generation::Three => "v2",
        };
        let all: Vec<_> = ["api", version].iter().chain(segments).copied().collect();
        self.page(&all)
    }

    /// The answer to a GET; `None` where there is no such thing.
    pub(super) async fn get(
        &self,
        url: Url,
        about: About<'_>,
    ) -> Result<Option<Value>, DeployError> {
        self.request(Method::GET, url, None, about).await
    }

    /// Any other request; `None` where there is no such thing.
    pub(super) async fn request(
        &self,
        method: Method,
        url: Url,
        body: Option<&JsonText>,
        about: About<'_>,
    ) -> Result<Option<Value>, DeployError> {
        let (status, text) = self.send(&method, &url, body).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if status.is_success() {
            return Ok(Some(serde_json::from_str(&text).unwrap_or(Value::Null)));
        }
        Err(self.refusal(&method, status, &text, about))
    }

    fn refusal(
        &self,
        method: &Method,
        status: StatusCode,
        text: &str,
        about: About<'_>,
    ) -> DeployError {
        let object = about.object.to_owned();
        let said = detail(text);
        let source = format!("{status}: {said}").into();
        match status {
            StatusCode::UNAUTHORIZED => self.bad_credentials(source),
            StatusCode::FORBIDDEN => DeployError::Denied {
                permission: about.permission.to_owned(),
                object,
                source,
            },
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                DeployError::Refused {
                    object,
                    help: format!("Airflow says: {said}"),
                }
            }
            _ => DeployError::Other {
                action: if method == Method::GET {
                    "read"
                } else {
                    "change"
                },
                object,
                source,
            },
        }
    }

    fn bad_credentials(&self, source: BoxError) -> DeployError {
        let help = match self.login {
            Login::Open => {
                "set AIRFLOW_USERNAME and AIRFLOW_PASSWORD, or AIRFLOW_TOKEN, in the environment"
            }
            Login::Token(_) => "AIRFLOW_TOKEN may have expired: get a new one",
            Login::Password(..) => "check AIRFLOW_USERNAME and AIRFLOW_PASSWORD",
        };
        DeployError::Credentials {
            service: "Airflow",
            help: help.to_owned(),
            source,
        }
    }

    /// Sends it, and again while the server is busy or restarting. A request that may have been carried out is only
    /// repeated if that does no harm.
    async fn send(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&JsonText>,
    ) -> Result<(StatusCode, String), DeployError> {
        let mut pauses = PAUSES.iter();
        loop {
            let mut request = self.client.request(method.clone(), url.clone());
            // Airflow 2 gives logs as plain text to who takes anything.
            request = request.header(ACCEPT, "application/json");
            request = match &self.login {
                Login::Open => request,
                Login::Token(token) => request.bearer_auth(token),
                Login::Password(user, password) => request.basic_auth(user, Some(password)),
            };
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = async {
                let answer = request.send().await?;
                Ok::<_, reqwest::Error>((answer.status(), answer.text().await?))
            };
            let answer = answer.await;
            let (again, carried_out) = match &answer {
                // Airflow 2 answers 500 for a DAG that is listed and not serialised yet.
                Ok((status, _)) => (
                    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504),
                    !matches!(status.as_u16(), 429 | 503),
                ),
                Err(error) => (true, !error.is_connect()),
            };
            let harmless = !carried_out || method == Method::GET;
            if again
                && harmless
                && let Some(pause) = pauses.next()
            {
                tokio::time::sleep(*pause).await;
                continue;
            }
            return answer.map_err(|error| DeployError::Unreachable {
                service: "Airflow",
                endpoint: self.root.to_string(),
                source: error.without_url().into(),
            });
        }
    }

    /// The version is told to anybody, by both APIs.
    async fn find_generation(&mut self) -> Result<Generation, DeployError> {
        let mut said = String::new();
        for generation in [Generation::Three, Generation::Two] {
            self.generation = generation;
            let (status, text) = self
                .send(&Method::GET, &self.path(&["version"]), None)
                .await?;
            let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            if status.is_success() && answer["version"].is_string() {
                return Ok(generation);
            }
            // Airflow 2 may ask for a login first; something else in front of it would ask for its own.
            if generation == Generation::Two && status == StatusCode::UNAUTHORIZED {
                return Ok(generation);
            }
            said = format!("{status} for /api/v1/version and /api/v2/version");
        }
        Err(DeployError::Unreachable {
            service: "Airflow",
            endpoint: self.root.to_string(),
            source: said.into(),
        })
    }

    async fn log_in(&mut self) -> Result<(), DeployError> {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(token) = variable("AIRFLOW_TOKEN") {
            self.identity = subject(&token);
            self.login = Login::Token(token);
            return Ok(());
        }
        let password = variable("AIRFLOW_PASSWORD").unwrap_or_default();
        match (variable("AIRFLOW_USERNAME"), self.generation) {
            (Some(user), Generation::Two) => {
                self.identity = Some(user.clone());
                self.login = Login::Password(user, password);
            }
            (None, Generation::Two) => {}
            (Some(user), Generation::Three) => {
                let body = json!({"username": user, "password": password}).into();
                let token = self.token(Method::POST, Some(&body)).await?;
                self.identity = Some(user);
                self.login = Login::Token(token);
            }
            // A server that lets everybody in gives a token to whoever asks.
            (None, Generation::Three) => {
                let token = self.token(Method::GET, None).await?;
                self.identity = subject(&token);
                self.login = Login::Token(token);
            }
        }
        Ok(())
    }

    async fn token(&self, method: Method, body: Option<&JsonText>) -> Result<String, DeployError> {
        let url = self.page(&["auth", "token"]);
        let (status, text) = self.send(&method, &url, body).await?;
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        match answer["access_token"].as_str() {
            Some(token) if status.is_success() => Ok(token.to_owned()),
            _ => {
                let source = format!("{status} for /auth/token: {}", detail(&text)).into();
                let help = match body {
                    Some(_) => "check AIRFLOW_USERNAME and AIRFLOW_PASSWORD",
                    None => {
                        "set AIRFLOW_USERNAME and AIRFLOW_PASSWORD, or AIRFLOW_TOKEN, in the environment"
                    }
                };
                Err(DeployError::Credentials {
                    service: "Airflow",
                    help: help.to_owned(),
                    source,
                })
            }
        }
    }
}

/// Whom a token is for, by its own claim. It is only shown and compared; the server is who checks tokens.
fn subject(token: &str) -> Option<String> {
    use base64::Engine as _;
    let claims = token.split('.').nth(1)?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims.trim_end_matches('='))
        .ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    ["preferred_username", "email", "sub"]
        .iter()
        .find_map(|claim| claims[claim].as_str())
        .map(str::to_owned)
}

/// What an answer says, on one line of bounded length.
fn detail(text: &str) -> String {
    let answer: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let said = match &answer["detail"] {
        Value::String(said) => said.clone(),
        Value::Array(problems) => {
            let one = |problem: &Value| problem["msg"].as_str().map(str::to_owned);
            problems
                .iter()
                .filter_map(one)
                .collect::<Vec<_>>()
                .join("; ")
        }
        Value::Object(problem) => problem
            .get("message")
            .or(problem.get("reason"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    };
    let said = if said.is_empty() {
        answer["title"].as_str().unwrap_or(text).to_owned()
    } else {
        said
    };
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_in_a_line() {
        for (text, expect) in [
            (r#"{"detail": "not found"}"#, "not found"),
            (r#"{"detail": [{"msg": "a"}, {"msg": "b"}]}"#, "a; b"),
            (r#"{"detail": {"reason": "r"}}"#, "r"),
            (r#"{"title": "Bad Request", "status": 400}"#, "Bad Request"),
            ("<html>\n<p>gate", "<html> <p>gate"),
        ] {
            assert_eq!(detail(text), expect);
        }
    }

    #[test]
    fn a_token_names_its_subject() {
        // {"sub":"ada"} between a header and a signature that nobody looks at.
        assert_eq!(subject("x.eyJzdWIiOiJhZGEifQ.y").as_deref(), Some("ada"));
        assert_eq!(subject("opaque"), None);
    }
}
