//! The table of flows that both programs ran.

use std::collections::BTreeMap;

use flowc_tests::report;
use serde_json::{Value, json};

use crate::bed::{Bed, Case};

/// What was compared of a flow.
pub(crate) struct Compared {
    /// The run of flowc.
    pub(crate) run: String,
    /// Artifacts of each of the two runs.
    pub(crate) artifacts: u64,
}

/// One entry for each flow, and what went wrong.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) lines: Vec<String>,
    pub(crate) wrong: Vec<String>,
}

impl Table {
    /// Runs the flow with both programs and compares what they left, and what the official client sees of it.
    pub(crate) fn compare(&mut self, bed: &Bed, case: &Case) -> Compared {
        let (left, right) = (bed.run_metaflow(case), bed.run_flowc(case));
        let found = bed.compare(case, &left, &right);
        let mut by_value = BTreeMap::<&str, usize>::new();
        for name in found["equal_by_value"].as_array().into_iter().flatten() {
            // `train[1].model`: each artifact once, however many tasks of its step have it.
            let name = name.as_str().unwrap();
            *by_value
                .entry(name.rsplit_once('.').unwrap().1)
                .or_default() += 1;
        }
        let title = format!("{} {}", case.name, case.arguments.join(" "));
        self.lines.push(format!(
            "{title:.60}\n    metaflow {left}, flowc {right}: {} tasks, {} artifacts",
            found["tasks"], found["artifacts"],
        ));
        let by_value: Vec<_> = by_value
            .iter()
            .map(|(name, tasks)| format!("{name} ({tasks})"))
            .collect();
        if !by_value.is_empty() {
            self.lines.push(format!(
                "    equal by value, in so many tasks: {}",
                by_value.join(", ")
            ));
        }
        let artifacts = found["artifacts"].as_u64().unwrap_or(0);
        if artifacts == 0 || found["equal"] != json!(true) {
            self.wrong
                .push(format!("{title}: {:#}", found["different"]));
        }
        let peer = bed.describe(&format!("{}/{left}", case.class));
        let ours = bed.describe(&format!("{}/{right}", case.class));
        for key in [
            "latest_run",
            "latest_successful_run",
            "successful",
            "finished",
        ] {
            if ours[key] != json!(true) {
                self.wrong
                    .push(format!("{title}: the client says {key} = {}", ours[key]));
            }
        }
        differences(
            "",
            &without_latest(peer),
            &without_latest(ours),
            &mut |what| {
                self.wrong
                    .push(format!("{title}: the client sees another {what}"));
            },
        );
        Compared {
            run: right,
            artifacts,
        }
    }

    /// Shows the table; fails if anything differed.
    pub(crate) fn finish(self, title: &str) {
        report(&format!("{title}\n{}", self.lines.join("\n")));
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

/// Metaflow's run was the latest before flowc's.
fn without_latest(mut description: Value) -> Value {
    let object = description.as_object_mut().unwrap();
    object.retain(|key, _| !key.starts_with("latest_"));
    description
}

/// Names each leaf that differs, Metaflow's value first.
fn differences(path: &str, left: &Value, right: &Value, found: &mut impl FnMut(String)) {
    let (Some(left_map), Some(right_map)) = (left.as_object(), right.as_object()) else {
        if left != right {
            found(format!("{path}: {left} and {right}"));
        }
        return;
    };
    for key in left_map
        .keys()
        .chain(right_map.keys().filter(|key| !left_map.contains_key(*key)))
    {
        differences(&format!("{path}.{key}"), &left[key], &right[key], found);
    }
}
