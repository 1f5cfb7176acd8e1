//! The part of the Amazon States Language that we print; field order is the output's order.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

/// States with the one that is entered first; a whole machine, a branch, or the body of a map.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Scope {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processor_config: Option<ProcessorConfig>,
    pub(crate) start_at: String,
    pub(crate) states: IndexMap<String, State>,
}

/// How the iterations of a map run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProcessorConfig {
    pub(crate) mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) execution_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "Type")]
pub(crate) enum State {
    Task(Box<Task>),
    Parallel(Box<Parallel>),
    Map(Box<Map>),
    Choice(Choice),
    Succeed {},
    Fail(Fail),
}

impl State {
    /// Where the run goes on if the state fails for good. A choice that fails does so for want of data that fits, and states
    /// that end the run do not fail.
    pub(crate) fn catch(&mut self, next: &str) {
        let catch = match self {
            State::Task(task) => &mut task.catch,
            State::Parallel(parallel) => &mut parallel.catch,
            State::Map(map) => &mut map.catch,
            State::Choice(_) | State::Succeed {} | State::Fail(_) => return,
        };
        catch.push(Catcher::new(next));
    }

    /// Lets the run go on where it would have ended; what flows on is nothing, as it was what left.
    pub(crate) fn go_on(&mut self, next: &str) {
        let then = match self {
            State::Task(task) => &mut task.then,
            State::Parallel(parallel) => &mut parallel.then,
            State::Map(map) => &mut map.then,
            State::Choice(_) | State::Succeed {} | State::Fail(_) => return,
        };
        if matches!(then, Then::End(_)) {
            *then = Then::Next(next.to_owned());
        }
    }
}

/// The end of a run that has failed, in `JSONata`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Fail {
    pub(crate) query_language: &'static str,
    pub(crate) error: &'static str,
    pub(crate) cause: &'static str,
}

/// Where a state goes on that failed. The data is the error then: `{"Error": …, "Cause": …}`, in `JSONPath` and `JSONata` alike.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Catcher {
    pub(crate) error_equals: [&'static str; 1],
    /// Other data, of a state in `JSONata` mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Value>,
    pub(crate) next: String,
}

impl Catcher {
    /// Of every error that can be caught.
    pub(crate) fn new(next: &str) -> Self {
        Self {
            error_equals: ["States.ALL"],
            output: None,
            next: next.to_owned(),
        }
    }
}

/// A call of a service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Task {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query_language: Option<&'static str>,
    pub(crate) resource: String,
    /// Of a state in `JSONPath` mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<Value>,
    /// Of a state in `JSONata` mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) retry: Vec<Retrier>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) catch: Vec<Catcher>,
    #[serde(flatten)]
    pub(crate) result: ResultRule,
    #[serde(flatten)]
    pub(crate) then: Then,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Parallel {
    pub(crate) branches: Vec<Scope>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) catch: Vec<Catcher>,
    #[serde(flatten)]
    pub(crate) result: ResultRule,
    #[serde(flatten)]
    pub(crate) then: Then,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Map {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item_reader: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) items_path: Option<&'static str>,
    pub(crate) item_selector: Value,
    pub(crate) max_concurrency: u32,
    pub(crate) item_processor: Scope,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) catch: Vec<Catcher>,
    #[serde(flatten)]
    pub(crate) result: ResultRule,
    #[serde(flatten)]
    pub(crate) then: Then,
}

/// Where to go on; without a default, data that fits no case ends the execution with an error.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Choice {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query_language: Option<&'static str>,
    pub(crate) choices: Vec<Case>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Case {
    #[serde(flatten)]
    pub(crate) test: Test,
    pub(crate) next: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Test {
    /// In `JSONata`.
    #[serde(rename_all = "PascalCase")]
    Condition { condition: &'static str },
    /// In `JSONPath`.
    #[serde(rename_all = "PascalCase")]
    Equals {
        variable: &'static str,
        string_equals: String,
    },
}

/// What becomes of a state's result; the data that flows on never grows with a fan-out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResultRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_selector: Option<Value>,
    /// `Some(Null)` passes the input on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_path: Option<Value>,
    /// `Some(Null)` passes `{}` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_path: Option<Value>,
    /// Of a state in `JSONata` mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Value>,
}

/// Where the run goes on.
#[derive(Clone, Debug, Serialize)]
pub(crate) enum Then {
    Next(String),
    End(bool),
}

impl Then {
    /// Drops a state's result: its input goes on to the next state, and nothing leaves the scope after the last.
    pub(crate) fn without_result(&self) -> ResultRule {
        match self {
            Then::Next(_) => ResultRule {
                result_path: Some(Value::Null),
                ..ResultRule::default()
            },
            Then::End(_) => ResultRule {
                output_path: Some(Value::Null),
                ..ResultRule::default()
            },
        }
    }
}

/// When a failed state is tried again; what is absent has Step Functions' default: 1 second, doubled each time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Retrier {
    pub(crate) error_equals: Vec<&'static str>,
    /// At least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interval_seconds: Option<u32>,
    pub(crate) max_attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter_strategy: Option<&'static str>,
}

/// Waits ever longer, up to about 17 minutes in all, with jitter: for services that are busy.
pub(crate) fn patience(errors: &[&'static str]) -> Retrier {
    Retrier {
        error_equals: errors.to_vec(),
        interval_seconds: None,
        max_attempts: 10,
        backoff_rate: None,
        jitter_strategy: Some("FULL"),
    }
}
