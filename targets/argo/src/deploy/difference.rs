//! What differs between two versions of an object, in a few words.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// At most this many places are named.
const SHOWN: usize = 4;

/// What the API server keeps about an object; it says nothing of what the object means.
const KEPT_BY_SERVER: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
];

/// `None` if both mean the same, else the places that differ: `spec.schedules, templates.train.container.image and 2 more`.
pub(super) fn difference(live: &Value, wanted: &Value) -> Option<String> {
    let (live, wanted) = (meaning(live), meaning(wanted));
    let mut places = Vec::new();
    compare(&live, &wanted, &mut Vec::new(), &mut places);
    if places.is_empty() {
        return None;
    }
    let more = places.len().saturating_sub(SHOWN);
    places.truncate(SHOWN);
    let shown = places.join(", ");
    Some(match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    })
}

/// The object without what the server and controllers write into it.
fn meaning(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.shift_remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| !KEPT_BY_SERVER.contains(&key.as_str()));
    }
    object
}

fn compare(one: &Value, two: &Value, path: &mut Vec<String>, places: &mut Vec<String>) {
    if one == two {
        return;
    }
    match (one, two) {
        (Value::Object(one), Value::Object(two)) => members(one, two, path, places),
        (Value::Array(one), Value::Array(two)) => {
            // Order matters in some lists of Argo's, so lists of the same names in another order still differ.
            let before = places.len();
            if let (Some(one), Some(two)) = (by_name(one), by_name(two)) {
                members(&one, &two, path, places);
            }
            if places.len() == before {
                places.push(path.join("."));
            }
        }
        _ => places.push(path.join(".")),
    }
}

fn members(
    one: &Map<String, Value>,
    two: &Map<String, Value>,
    path: &mut Vec<String>,
    places: &mut Vec<String>,
) {
    let keys: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    for key in keys {
        path.push(key.clone());
        let place = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
        compare(&place(one), &place(two), path, places);
        path.pop();
    }
}

/// A list of objects that have names, as `templates` and `env`.
fn by_name(list: &[Value]) -> Option<Map<String, Value>> {
    list.iter()
        .map(|item| Some((item["name"].as_str()?.to_owned(), item.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_keeps_is_no_difference() {
        let live = json!({"metadata": {"name": "f", "uid": "1", "resourceVersion": "7", "managedFields": []}, "status": {"active": []}});
        let wanted =
            json!({"metadata": {"name": "f", "resourceVersion": "8", "managedFields": [{}]}});
        assert_eq!(difference(&live, &wanted), None);
    }

    #[test]
    fn places_are_named() {
        let object = |image: &str, names: &[&str]| {
            let list: Vec<_> = names
                .iter()
                .map(|name| json!({"name": name, "container": {"image": image}}))
                .collect();
            json!({"metadata": {}, "spec": {"templates": list}})
        };
        let one = object("a", &["x", "y"]);
        assert_eq!(
            difference(&one, &object("b", &["x", "y"])).unwrap(),
            "spec.templates.x.container.image, spec.templates.y.container.image"
        );
        assert_eq!(
            difference(&one, &object("a", &["x"])).unwrap(),
            "spec.templates.y"
        );
        assert_eq!(
            difference(&one, &object("a", &["y", "x"])).unwrap(),
            "spec.templates"
        );
        let many = json!({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "metadata": {}});
        assert_eq!(
            difference(&json!({"metadata": {}}), &many).unwrap(),
            "a, b, c, d and 1 more"
        );
    }
}
