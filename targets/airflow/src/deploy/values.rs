//! Whether the parameters of a run fit into the variable in which the first task's pod gets them.

use flowc_protocol::json_text::{JsonText, Members};
use flowc_target::deploy::DeployError;
use serde_json::{Map, Value};

use crate::params::RESUME;
use crate::size::{LIMIT, encoded};

/// Refuses parameters with which no pod would start. `given` wins over `defaults`, as in Airflow.
pub(super) fn check(
    object: &str,
    defaults: &Map<String, Value>,
    given: &Members,
) -> Result<(), DeployError> {
    let mut all = defaults.clone();
    // A number's own length is near enough to that of its digits.
    let value = |given: &JsonText| given.value().unwrap_or_else(|| given.text().into());
    all.extend(
        given
            .iter()
            .map(|(name, given)| (name.clone(), value(given))),
    );
    all.remove(RESUME);
    let size = encoded(&all);
    if size <= LIMIT {
        return Ok(());
    }
    Err(DeployError::Refused {
        object: format!("the parameters of {object}"),
        help: format!(
            "with their defaults they are {size} bytes long as they are handed on, and a pod can be given {LIMIT}; \
             put large values into a file or the store, and give its address"
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let defaults = map(json!({"flowc_run": "", "text": "x".repeat(200_000)}));
        let longest = 98_289 - r#"{"text": ""}"#.len();
        let given = |value: Value| JsonText::from(value).members().unwrap();
        let fits = given(json!({"text": "x".repeat(longest)}));
        assert!(check("DAG X", &defaults, &fits).is_ok());
        let longer = given(json!({"text": "x".repeat(longest + 1)}));
        assert!(check("DAG X", &defaults, &longer).is_err());
        assert!(check("DAG X", &defaults, &Members::new()).is_err());
    }
}
