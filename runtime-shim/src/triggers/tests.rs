use serde_json::json;

use super::*;

fn manifest(triggers: &Value) -> Manifest {
    serde_json::from_value(json!({
        "protocol": 1, "flow": "F", "file": "flow.py", "start": "start", "end": "end",
        "parameters": [], "steps": {}, "graph_info": {}, "triggers": triggers,
    }))
    .unwrap()
}

/// What comes of the triggers' payloads, by number; there is nothing in the store.
async fn causes(triggers: &Value, said: &[(usize, Value)]) -> Result<Causes, TaskError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let mut causes = Causes::default();
    for (number, said) in said {
        causes
            .take(&store, &manifest(triggers), *number, &said.clone().into())
            .await?;
    }
    Ok(causes)
}

async fn bridge(triggers: &Value, input: &Value) -> Result<(bool, Causes), TaskError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let mut causes = Causes::default();
    let input = JsonText::from(input.clone()).members().unwrap();
    let is = causes
        .take_event_bridge(&store, &manifest(triggers), &input)
        .await?;
    Ok((is, causes))
}

fn event(name: &str, parameters: &Value) -> Value {
    json!({"type": "event", "name": name, "parameters": parameters})
}

#[tokio::test]
async fn fields_go_to_parameters_and_the_rest_is_left() {
    let on = json!([event(
        "new",
        &json!({"alpha": "x", "beta": "y", "gone": "z"})
    )]);
    let payload =
        json!({"name": "new", "id": 7, "timestamp": 1_700_000_000, "x": "{{a}}", "y": [1, null]});
    let causes = causes(&on, &[(0, payload)]).await.unwrap();
    assert_eq!(
        serde_json::to_value(causes.parameters).unwrap(),
        json!({"alpha": "{{a}}", "beta": [1, null]})
    );
    assert_eq!(causes.origins["alpha"], "field `x` of the event `new`");
    assert_eq!(
        serde_json::to_value(causes.started).unwrap(),
        json!([{"timestamp": 1_700_000_000, "id": "7", "name": "new", "type": "event"}])
    );
}

#[tokio::test]
async fn the_latest_comes_first_and_what_has_no_time_last() {
    let names = ["a", "b", "c", "d"];
    let on: Value = names.iter().map(|name| event(name, &json!({}))).collect();
    let said = [
        (0, json!({})),
        (1, json!({"timestamp": 5})),
        (2, json!({"timestamp": "1970-01-01T00:00:09.5Z"})),
        (3, json!({"timestamp": 5})),
    ];
    let causes = causes(&on, &said).await.unwrap();
    let order: Vec<_> = causes.started.iter().map(|one| &*one.name).collect();
    assert_eq!(order, ["c", "b", "d", "a"]);
}

#[tokio::test]
async fn what_cannot_be_is_named() {
    let on =
        json!([event("new", &json!({})), {"type": "run", "name": "metaflow.G.end", "flow": "G"}]);
    for (number, said, words) in [
        (0, json!([1]), ["`new`", "no JSON object"]),
        (0, json!("text"), ["`new`", "no JSON object"]),
        (1, json!({"run": "G/17"}), ["`G`", "G/17"]),
        (1, json!({"runs": "argo:x"}), ["`G`", "argo:NAME"]),
        (1, json!(17), ["`G`", "17"]),
        (1, json!("argo:x"), ["G/argo-x", "same store"]),
        (2, json!({}), ["trigger 2", "has 2"]),
    ] {
        let error = causes(&on, &[(number, said)]).await.unwrap_err();
        assert_eq!(error.exit, Exit::Configuration);
        for word in words {
            assert!(error.message.contains(word), "`{word}`: {error}");
        }
    }
}

#[tokio::test]
async fn a_value_is_what_the_event_said_to_its_last_digit() {
    let on = json!([event("new", &json!({"alpha": "x"}))]);
    let x = r#"{"b": [1e400, 12345678901234567890123, 0.10], "a": "\ud800"}"#;
    let text = format!(r#"{{"id": 123456789012345678901234, "x": {x}}}"#);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let mut causes = Causes::default();
    let said = JsonText::new(&text).unwrap();
    causes.take(&store, &manifest(&on), 0, &said).await.unwrap();
    assert_eq!(causes.parameters["alpha"].text(), x);
    let id = causes.started[0].id.as_deref();
    assert_eq!(id, Some("123456789012345678901234"));
}

#[tokio::test]
async fn an_event_of_event_bridge_is_known_by_its_members() {
    let on = json!([event("new", &json!({"alpha": "x"}))]);
    let input = json!({
        "version": "0", "id": "e-1", "detail-type": "new", "source": "shop", "time": "2026-01-31T12:00:00Z",
        "detail": {"x": "$.y", "id": "theirs"},
    });
    let (is, causes) = bridge(&on, &input).await.unwrap();
    assert!(is);
    assert_eq!(causes.parameters["alpha"].text(), "\"$.y\"");
    let one = &causes.started[0];
    assert_eq!((one.id.as_deref(), one.name.as_str()), (Some("e-1"), "new"));
    assert_eq!(one.timestamp, Some(1_769_860_800.into()));

    let (is, causes) = bridge(&on, &json!({"alpha": 3})).await.unwrap();
    assert!(!is && causes == Causes::default());
    for (input, word) in [
        (
            json!({"detail-type": "old", "source": "s", "detail": {}}),
            "`old`",
        ),
        (
            json!({"detail-type": "new", "source": "s", "detail": 3}),
            "no JSON object",
        ),
    ] {
        let error = bridge(&on, &input).await.unwrap_err();
        assert!(error.message.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_run_of_step_functions_is_known_by_its_name_or_its_input() {
    let on = json!([{"type": "run", "name": "metaflow.G.end", "flow": "G"}]);
    let input = |status: &str, input: &str| {
        json!({
            "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "detail": {"status": status, "name": "n-1", "input": input},
        })
    };
    for (status, of, word) in [
        ("FAILED", "{}", "FAILED"),
        // Nothing of these is in the store.
        ("SUCCEEDED", "{}", "G/sfn-n-1 "),
        ("SUCCEEDED", "no JSON", "G/sfn-n-1 "),
        ("SUCCEEDED", "{\"flowc_run\": \"id:17\"}", "G/17 "),
    ] {
        let error = bridge(&on, &input(status, of)).await.unwrap_err();
        assert!(error.message.contains(word), "{error}");
    }
}

#[test]
fn a_number_that_is_no_time_is_dropped() {
    for (time, expect) in [
        (json!(1_700_000_000), Some(Number::from(1_700_000_000))),
        (json!(0.5), Number::from_f64(0.5)),
        // Milliseconds.
        (json!(1_700_000_000_000_i64), None),
        (json!(1e300), None),
        (json!(null), None),
        (json!("soon"), None),
    ] {
        assert_eq!(seconds(&time), expect, "{time}");
    }
}

#[test]
fn times_are_read_as_rfc_3339_writes_them() {
    for (text, expect) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2000-02-29T23:59:59Z", Some(951_868_799)),
        ("2026-01-31T12:00:00.25Z", Some(1_769_860_800)),
        ("2026-01-31T13:30:00+01:30", Some(1_769_860_800)),
        ("2026-01-31 11:00:00-01:00", Some(1_769_860_800)),
        ("1969-12-31T23:59:59Z", Some(-1)),
        ("", None),
        ("now", None),
        ("2026-01-31", None),
        ("2026-13-31T12:00:00Z", None),
        ("2026-01-31T12:00:00", None),
        ("2026-01-31T12:00:00+0100", None),
        ("2026-01-31Tü2:00:00Z", None),
        ("2026-01-31T12:00:00.5+1é:0", None),
    ] {
        assert_eq!(rfc3339(text), expect, "{text}");
    }
}
