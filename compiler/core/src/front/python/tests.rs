use std::fmt::Write;

use super::lower;
use crate::diag::Diagnostics;
use crate::ir::flow::{Decorator, Flow};
use crate::source::SourceTree;

/// What was understood and what was found, a line each.
fn read(text: &str) -> String {
    read_class(text, None)
}

fn read_class(text: &str, class: Option<&str>) -> String {
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", text);
    let (flow, found) = lower(&tree, file, class);
    let flow = flow.map_or_else(|| "no flow\n".to_owned(), |flow| dump(&flow));
    flow + &listed(&tree, &found)
}

fn listed(tree: &SourceTree, found: &Diagnostics) -> String {
    let mut text = String::new();
    for item in found.iter() {
        let place = item.labels.first().map(|label| tree.position(label.span));
        let place = place.map_or(String::new(), |at| format!("{}:{}", at.line, at.column));
        writeln!(text, "{} {place} {}", item.code, item.message).unwrap();
    }
    text
}

fn dump(flow: &Flow) -> String {
    let mut text = format!("flow {} line {}", flow.name.value, flow.line);
    if let Some(doc) = &flow.doc {
        write!(text, " {doc:?}").unwrap();
    }
    text.push('\n');
    for decorator in &flow.decorators {
        writeln!(text, "  {}", decorated(decorator)).unwrap();
    }
    for parameter in &flow.parameters {
        write!(
            text,
            "  {} = Parameter({:?})",
            parameter.attribute.value, parameter.name.value
        )
        .unwrap();
        if let Some(ty) = &parameter.ty {
            write!(text, " type {:?}", ty.value).unwrap();
        }
        if let Some(default) = &parameter.default {
            write!(text, " default {:?}", default.value).unwrap();
        }
        if parameter.required {
            text.push_str(" required");
        }
        if let Some(separator) = &parameter.separator {
            write!(text, " separator {:?}", separator.value).unwrap();
        }
        if let Some(help) = &parameter.help {
            write!(text, " help {help:?}").unwrap();
        }
        text.push('\n');
    }
    for constant in &flow.constants {
        writeln!(text, "  {} = {:?}", constant.name.value, constant.value).unwrap();
    }
    for (_, step) in flow.steps.iter() {
        let arguments: Vec<&str> = step
            .arguments
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        write!(
            text,
            "  {}({}) line {}",
            step.name.value,
            arguments.join(", "),
            step.line
        )
        .unwrap();
        if let Some(next) = &step.next {
            let targets: Vec<&str> = next
                .targets
                .iter()
                .map(|name| name.value.as_str())
                .collect();
            write!(text, " -> {}", targets.join(", ")).unwrap();
            if let Some(foreach) = &next.foreach {
                write!(text, " foreach {}", foreach.value).unwrap();
            }
        }
        if step.next_unread {
            text.push_str(" unread");
        }
        for decorator in &step.decorators {
            write!(text, " @{}", decorated(decorator)).unwrap();
        }
        if let Some(doc) = &step.doc {
            write!(text, " {doc:?}").unwrap();
        }
        text.push('\n');
    }
    let names: Vec<&str> = flow
        .imported_names
        .iter()
        .map(|name| name.value.as_str())
        .collect();
    writeln!(text, "  uses {}", names.join(", ")).unwrap();
    text
}

fn decorated(decorator: &Decorator) -> String {
    let arguments: Vec<String> = decorator
        .arguments
        .iter()
        .map(|(name, argument)| format!("{name}={:?}", argument.value.value))
        .collect();
    format!("{}({})", decorator.name.value, arguments.join(", "))
}

#[test]
fn the_forms_of_a_flow_are_recognised() {
    insta::assert_snapshot!(read(r#"
from metaflow import FlowSpec, step, Parameter as P, JSONType, retry as again
import metaflow as mf

@mf.schedule(daily=True)
@mf.project(name="demo")
class Train(FlowSpec):
    """Trains.

       Well.
    """
    alpha = P("alpha", default=-0.5, help="learning " "rate")
    names = mf.Parameter("names", separator=",", default="a,b")
    config = P("config", type=JSONType, required=True)
    seed: int = P("seed", 60 * 60)
    rows = ["x", 1, {"k": None}]
    now = print

    @again(times=2, minutes_between_retries=0)
    @mf.resources(memory=4096, cpu=0.5)
    @step
    def start(self):
        "Begins."
        self.shards = [1]
        self.next(self.left, self.right)

    @step()
    def left(this):
        this.next(this.work, foreach="shards")

    @step
    def work(self): self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.both)

    @step
    def right(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        self.next(self.end)

    def helper(self):
        return mf.current.run_id

    @step
    def end(self):
        pass

if __name__ == "__main__":
    Train()
"#), @r#"
    flow Train line 7 "Trains.\n\nWell."
      schedule(daily=Bool(true))
      project(name=Str("demo"))
      alpha = Parameter("alpha") default Literal(Float(-0.5)) help "learning rate"
      names = Parameter("names") default Literal(Str("a,b")) separator ","
      config = Parameter("config") type Json required
      seed = Parameter("seed") default Literal(Int(3600))
      rows = Some(List([Str("x"), Int(1), Dict({"k": None})]))
      now = None
      start(self) line 22 -> left, right @retry(times=Int(2), minutes_between_retries=Int(0)) @resources(memory=Int(4096), cpu=Float(0.5)) "Begins."
      left(this) line 28 -> work foreach shards
      work(self) line 32 -> gather
      gather(self, inputs) line 35 -> both
      right(self) line 39 -> both
      both(self, inputs) line 43 -> end
      end(self) line 50
      uses FlowSpec, JSONType, Parameter, current, project, resources, retry, schedule, step
    "#);
}
