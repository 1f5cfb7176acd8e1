//! The look of each form, and that user text stays text.

use super::{dot, json, mermaid, text};
use crate::front::python;
use crate::ir::dump::dump;
use crate::ir::plan::Plan;
use crate::source::SourceTree;

const SOURCE: &str = r#"
from metaflow import FlowSpec, Parameter, project, resources, retry, schedule, step


@project(name="demo")
@schedule(hourly=True)
class StatsFlow(FlowSpec):
    """Statistics per group.

    And a summary.
    """

    path = Parameter("path", default="a.csv", help="what to read")
    limit = Parameter("limit", type=int, required=False)

    @step
    def start(self):
        """Reads "the" <table> `x` #1 \\N 100%|."""
        self.next(self.left, self.right)

    @retry(times=2)
    @resources(cpu=0.5)
    @step
    def left(self):
        self.next(self.group, foreach="groups")

    @step
    def group(self):
        """One group."""
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.next(self.both)

    @step
    def right(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        """Joins."""
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    StatsFlow()
"#;

fn plan() -> Plan {
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", SOURCE);
    let (flow, found) = python::lower(&tree, file, None);
    assert!(found.is_empty(), "{found:#?}");
    let (plan, found) = crate::lower::plan(&tree, &flow.unwrap());
    assert!(found.is_empty(), "{found:#?}");
    plan.unwrap()
}

#[test]
fn text_is_an_outline() {
    insta::assert_snapshot!(text(&plan()), @r#"
    StatsFlow (flow.py)
      Statistics per group.

      And a summary.

      project demo
      schedule 0 * * * * (UTC)

    Parameters
      --path str = "a.csv"  what to read
      --limit int

    Steps
      start                       Reads "the" <table> `x` #1 \N 100%|.
      ├─ branch
      │  left                     @retry(times=2)  @resources(cpu=0.5)
      │  ├─ for each of `groups`
      │  │  group                 One group.
      │  └─▶ collect
      ├─ branch
      │  right
      └─▶ both                    Joins.
      end
    "#);
}

#[test]
fn mermaid_escapes_labels() {
    insta::assert_snapshot!(mermaid(&plan()), @r#"
    flowchart TD
        step_start["start<br>Reads #34;the#34; #60;table#62; #96;x#96; #35;1 #92;N 100#37;#124;."]
        step_left["left"]
        step_group["group<br>One group."]
        step_collect{{"collect"}}
        step_right["right"]
        step_both{{"both<br>Joins."}}
        step_end(["end"])
        step_start --> step_left
        step_start --> step_right
        step_left -->|"foreach groups"| step_group
        step_group --> step_collect
        step_collect --> step_both
        step_right --> step_both
        step_both --> step_end
    "#);
}

#[test]
fn dot_escapes_labels() {
    insta::assert_snapshot!(dot(&plan()), @r#"
    digraph "StatsFlow" {
        node [shape=box, fontname="Helvetica"];
        "start" [label="start\nReads \"the\" <table> `x` #1 \\N 100%|."];
        "left" [label="left"];
        "group" [label="group\nOne group."];
        "collect" [label="collect", shape=hexagon];
        "right" [label="right"];
        "both" [label="both\nJoins.", shape=hexagon];
        "end" [label="end", style=rounded];
        "start" -> "left";
        "start" -> "right";
        "left" -> "group" [label="foreach groups"];
        "group" -> "collect";
        "collect" -> "both";
        "right" -> "both";
        "both" -> "end";
    }
    "#);
}

#[test]
fn dump_says_everything() {
    insta::assert_snapshot!(dump(&plan()), @r#"
    flow StatsFlow in "flow.py"
    doc "Statistics per group.\n\nAnd a summary."
    project demo
    schedule "0 * * * *" in UTC
    parameter path: Str = "a.csv" help "what to read"
    parameter limit: Int
    imports FlowSpec Parameter project resources retry schedule step
    decorator project(name="demo")
    decorator schedule(hourly=True)

    step start at line 17: split joined by both
      next left right
      doc "Reads \"the\" <table> `x` #1 \\N 100%|."
      resources cpu 1000m memory 4096Mi

    step left at line 24: foreach "groups" joined by collect
      parents start
      next group
      retry 2 times after 120 s
      resources cpu 500m memory 4096Mi
      decorator retry(times=2)
      decorator resources(cpu=0.5)

    step group at line 28: linear
      parents left
      next collect
      inside foreach left
      doc "One group."
      resources cpu 1000m memory 4096Mi

    step collect at line 33: join of left
      parents group
      next both
      resources cpu 1000m memory 4096Mi

    step right at line 37: linear
      parents start
      next both
      resources cpu 1000m memory 4096Mi

    step both at line 41: join of start
      parents collect right
      next end
      doc "Joins."
      resources cpu 1000m memory 4096Mi

    step end at line 46: end
      parents both
      resources cpu 1000m memory 4096Mi

    regions
      start
      branch
        left
        map
          group
        collect
      branch
        right
      both
      end
    "#);
}

#[test]
fn json_can_be_read() {
    let value: serde_json::Value = serde_json::from_str(&json(&plan())).unwrap();
    assert_eq!(value["steps"][1]["variable"], "groups");
    assert_eq!(value["steps"][1]["join"], "collect");
    assert_eq!(value["steps"][0]["next"][1], "right");
    assert_eq!(value["parameters"][0]["default"], "a.csv");
    assert_eq!(value["schedule"]["cron"], "0 * * * *");
}
