//! How findings read, on flows with one mistake.

use crate::diag::render::{Colour, text};
use crate::front::python;
use crate::source::SourceTree;

const TRAIN: &str = r#"from metaflow import FlowSpec, Parameter, kubernetes, resources, retry, schedule, step


@schedule(cron="30 6 * * MON-FRI")
class TrainFlow(FlowSpec):
    rounds = Parameter("rounds", type=int, default=10)

    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.train, foreach="shards")

    @retry(times=2)
    @resources(cpu=2)
    @step
    def train(self):
        self.next(self.pick)

    @step
    def pick(self, inputs):
        self.next(self.fork)

    @step
    def fork(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.next(self.join)

    @step
    def right(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TrainFlow()
"#;

/// What is said of the flow after one change.
fn said(old: &str, new: &str) -> String {
    let changed = TRAIN.replacen(old, new, 1);
    assert_ne!(changed, TRAIN);
    let mut tree = SourceTree::default();
    let file = tree.add("train.py", changed);
    let (flow, mut found) = python::lower(&tree, file, None);
    found.extend(crate::lower::plan(&tree, &flow.unwrap()).1);
    found.sort();
    text(&tree, &found, Colour::Never)
}

#[test]
fn open_foreach() {
    let said = said("self.next(self.pick)", "self.next(self.end)");
    insta::assert_snapshot!(said, @r#"
    error[FC0112]: foreach opened in `start` is never joined
      --> train.py:17:9
       |
    11 |         self.next(self.train, foreach="shards")
       |         --------------------------------------- foreach opened here
    ...
    17 |         self.next(self.end)
       |         ^^^^^^^^^^^^^^^^^^^ `end` is reached with the foreach still open
       |
    help: add a join step between `train` and `end`: `def join(self, inputs):`

    error[FC0115]: step `pick` is unreachable
      --> train.py:20:9
       |
    20 |     def pick(self, inputs):
       |         ^^^^ no transition leads here
       |
       = note: so are `fork`, `left`, `right` and `join` behind it
    help: add `self.next(self.pick)` to the step before it, or remove `pick`
    "#);
}

#[test]
fn missing_branch() {
    let right = "def right(self):\n        self.next(self.join)";
    let said = said(right, "def right(self):\n        self.next(self.end)");
    insta::assert_snapshot!(said, @r#"
    error[FC0117]: join `join` misses branch `right` of the split in `fork`
      --> train.py:36:9
       |
    25 |         self.next(self.left, self.right)
       |                              ---------- the branch of `right` does not lead into `join`
    ...
    36 |     def join(self, inputs):
       |         ^^^^ receives 1 of 2 branches
       |
    help: let the last step of branch `right` lead to `join`: `self.next(self.join)`
    "#);
}

#[test]
fn misspelt_target() {
    let said = said("self.next(self.pick)", "self.next(self.pikc)");
    insta::assert_snapshot!(said, @r#"
    error[FC0113]: transition to unknown step `pikc`
      --> train.py:17:19
       |
    17 |         self.next(self.pikc)
       |                   ^^^^^^^^^ unknown step `pikc`
    ...
    20 |     def pick(self, inputs):
       |         ---- `pick` is defined here
       |
    help: did you mean `pick`?
       |
    17 -         self.next(self.pikc)
    17 +         self.next(self.pick)
       |
    "#);
}

#[test]
fn join_without_inputs() {
    let said = said("def join(self, inputs)", "def join(self)");
    insta::assert_snapshot!(said, @r#"
    error[FC0123]: `join` is entered from several branches and is no join
      --> train.py:36:9
       |
    29 |         self.next(self.join)
       |                   --------- entered from `left`
    ...
    33 |         self.next(self.join)
       |                   --------- entered from `right`
    ...
    36 |     def join(self):
       |         ^^^^ receives several branches
       |
    help: make `join` a join
       |
    36 |     def join(self, inputs):
       |                  ++++++++
    "#);
}

#[test]
fn cycle() {
    let said = said("self.next(self.end)", "self.next(self.train)");
    insta::assert_snapshot!(said, @r#"
    error[FC0114]: there is a cycle: `train` → `pick` → `fork` → `left` → `join` → `train`
      --> train.py:37:19
       |
    17 |         self.next(self.pick)
       |                   --------- then `pick`
    ...
    21 |         self.next(self.fork)
       |                   --------- then `fork`
    ...
    25 |         self.next(self.left, self.right)
       |                   --------- then `left`
    ...
    29 |         self.next(self.join)
       |                   --------- then `join`
    ...
    37 |         self.next(self.train)
       |                   ^^^^^^^^^^ leads back to `train`
       |
    help: change one of these transitions: no step may run again after itself
    "#);
}

#[test]
fn arguments_of_decorators() {
    let said = said(
        "@retry(times=2)\n    @resources(cpu=2)",
        "@retry(tmes=2)\n    @resources(cpu=-1)\n    @kubernetes(image_pull_policy=\"Alway\")",
    );
    insta::assert_snapshot!(said, @r#"
    error[FC0201]: `@retry` has no argument `tmes`
      --> train.py:13:12
       |
    13 |     @retry(tmes=2)
       |            ^^^^ unknown argument
       |
    help: did you mean `times`?
       |
    13 |     @retry(times=2)
       |             +

    error[FC0202]: wrong value for `cpu` of `@resources`
      --> train.py:14:20
       |
    14 |     @resources(cpu=-1)
       |                    ^^ must be more than 0
       |
    help: `cpu` is a number above 0, not `-1`

    error[FC0202]: wrong value for `image_pull_policy` of `@kubernetes`
      --> train.py:15:35
       |
    15 |     @kubernetes(image_pull_policy="Alway")
       |                                   ^^^^^^^ none of the allowed words
       |
    help: did you mean `Always`?
       |
    15 |     @kubernetes(image_pull_policy="Always")
       |                                         +
    "#);
}

#[test]
fn required_parameter_of_a_scheduled_flow() {
    let said = said("type=int, default=10", "type=int, required=True");
    insta::assert_snapshot!(said, @r#"
    error[FC0213]: scheduled flow has the required parameter `rounds`
     --> train.py:6:14
      |
    4 | @schedule(cron="30 6 * * MON-FRI")
      |  --------------------------------- scheduled here
    5 | class TrainFlow(FlowSpec):
    6 |     rounds = Parameter("rounds", type=int, required=True)
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ nobody gives it a value when the schedule starts a run
      |
    help: give `rounds` a default
    "#);
}
