//! What differs between two definitions, in a few words.

use indexmap::IndexMap;
use serde_json::Value;

/// Names shown of one kind of difference.
const SHOWN: usize = 3;

/// Differences between two state machines, by state: `train changed; score added`; empty if they are the same.
pub(super) fn machines(live: &str, wanted: &str) -> Option<String> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let (live, wanted) = (parse(live), parse(wanted));
    if live == wanted {
        return None;
    }
    let (mut before, mut after) = (IndexMap::new(), IndexMap::new());
    flatten(&live, &mut before);
    flatten(&wanted, &mut after);
    let names = |chosen: &dyn Fn(&str) -> bool, of: &IndexMap<String, Value>| {
        let names = of.keys().filter(|name| chosen(name));
        names.cloned().collect::<Vec<_>>()
    };
    let groups = [
        (
            names(
                &|name| before.get(name).is_some_and(|state| state != &after[name]),
                &after,
            ),
            "changed",
        ),
        (names(&|name| !before.contains_key(name), &after), "added"),
        (names(&|name| !after.contains_key(name), &before), "removed"),
    ];
    let parts: Vec<_> = groups
        .iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, verb)| format!("{} {verb}", list(names)))
        .collect();
    Some(if parts.is_empty() {
        "definition".to_owned()
    } else {
        parts.join("; ")
    })
}

/// States by name, each without the states inside it; names are unique in a machine.
fn flatten(scope: &Value, states: &mut IndexMap<String, Value>) {
    let Some(members) = scope["States"].as_object() else {
        return;
    };
    for (name, state) in members {
        let mut own = state.clone();
        if let Some(branches) = own.get_mut("Branches").and_then(Value::as_array_mut) {
            for branch in branches {
                flatten(branch, states);
                *branch = branch["StartAt"].clone();
            }
        }
        if let Some(body) = own.get_mut("ItemProcessor") {
            flatten(body, states);
            if let Some(body) = body.as_object_mut() {
                body.remove("States");
            }
        }
        states.insert(name.clone(), own);
    }
}

fn list(names: &[String]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::machines;

    fn machine(states: &str) -> String {
        format!(r#"{{"StartAt": "a", "States": {{{states}}}}}"#)
    }

    #[test]
    fn differences_are_told_by_state() {
        let step =
            |name: &str, job: &str| format!(r#""{name}": {{"Type": "Task", "Job": "{job}"}}"#);
        let inside = |step: &str| {
            format!(
                r#""m": {{"Type": "Map", "ItemProcessor": {{"StartAt": "i", "States": {{{step}}}}}}}"#
            )
        };
        let before = machine(&format!(
            "{},{},{}",
            step("a", "1"),
            step("b", "1"),
            inside(&step("i", "1"))
        ));
        let after = machine(&format!(
            "{},{},{}",
            step("a", "2"),
            step("c", "1"),
            inside(&step("i", "2"))
        ));
        assert_eq!(machines(&before, &before), None);
        assert_eq!(
            machines(&before, &after).as_deref(),
            Some("a, i changed; c added; b removed")
        );
        let spaced = before.replace(": ", ":   ");
        assert_eq!(machines(&before, &spaced), None);
    }
}
