use std::fmt::Write;

use super::lower;
use crate::diag::Diagnostics;
use crate::ir::flow::{Decorator, Flow};
use crate::source::SourceTree;

mod modules;

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

/// A flow around the lines of its first step.
fn with_start(body: &str) -> String {
    let body = body.replace('\n', "\n        ");
    format!(
        "from metaflow import FlowSpec, step\nclass F(FlowSpec):\n    @step\n    def start(self):\n        {body}\n    \
         @step\n    def end(self):\n        pass\n"
    )
}

#[test]
fn five_mistakes_are_five_findings() {
    insta::assert_snapshot!(read(r#"
from metaflow import FlowSpec, Parameter, card, step

class Train(FlowSpec):
    alpha = Parameter("alpha", defualt=1)

    @card
    @step
    def start(self):
        self.next(self.work, foreach=self.items)

    @rety
    @step
    def work(self):
        self.next("join")

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"#), @r#"
    flow Train line 4
      alpha = Parameter("alpha")
      start(self) line 9 -> work foreach items unread
      work(self) line 14 -> join unread
      join(self, inputs) line 18 -> end
      end(self) line 22
      uses FlowSpec, Parameter, card, step
    FC0024 5:32 `Parameter` has no option `defualt`
    FC0030 7:6 `@card` has no effect yet
    FC0006 10:38 `foreach` must be the name of an artifact as a string
    FC0013 12:6 unknown decorator `rety`
    FC0006 15:19 a target of `self.next` must be written as a method of the flow
    "#);
}

#[test]
fn members_are_inherited_within_the_file() {
    insta::assert_snapshot!(read(r#"
import flowc
from flowc import step

class Base(flowc.FlowSpec):
    "The base."
    rows = flowc.Parameter("rows", default=1)
    kind = "base"

    @step
    def start(self):
        self.next(self.work)

    @step
    def work(self):
        self.next(self.end)

    @step
    def end(self):
        pass

@flowc.project(name="demo")
class Middle(Base):
    kind = "middle"

class Train(Middle):
    @step
    def work(self):
        "Anew."
        self.next(self.end)
"#), @r#"
    flow Train line 26
      project(name=Str("demo"))
      rows = Parameter("rows") default Literal(Int(1))
      kind = Some(Str("middle"))
      start(self) line 11 -> work
      end(self) line 19
      work(self) line 28 -> end "Anew."
      uses FlowSpec, Parameter, project, step
    "#);
}

#[test]
fn the_class_that_is_called_is_the_flow() {
    let two = "from metaflow import FlowSpec\nclass A(FlowSpec):\n    pass\nclass B(FlowSpec):\n    pass\n";
    let head = |text: &str, class| read_class(text, class).lines().next().unwrap().to_owned();
    assert_eq!(head(two, None), "no flow");
    assert_eq!(head(two, Some("A")), "flow A line 2");
    let main = format!("{two}def main():\n    B()\nif __name__ == '__main__':\n    main()\n");
    assert_eq!(head(&main, None), "flow B line 4");
    assert_eq!(head(&main, Some("A")), "flow A line 2");
    let derived = two.replace("B(FlowSpec)", "B(A)");
    assert_eq!(head(&derived, None), "flow B line 4");
    assert_eq!(head(&format!("{derived}A()\n"), None), "flow A line 2");
}

#[test]
fn what_is_outside_the_class_is_not_executed_but_bound() {
    insta::assert_snapshot!(read(r#"
try:
    from metaflow import FlowSpec as Spec, step as s, retry
except ImportError:
    from flowc import FlowSpec as Spec, step as s, retry
again = retry
def pick(context):
    return 1
from metaflow import Parameter

class Train(Spec):
    one = Parameter("one", default=pick)
    two = Parameter("two", default=lambda context: 2, type=int)
    left, right = 1, 2
    total: int = 3
    note: str
    _hidden = 1
    shout = lambda self: 1
    shape = staticmethod(pick)
    if total > 2:
        big = True

    @again(times=1)
    @s
    def start(self):
        self.next(self.end)

    @s
    def end(self, ):
        from metaflow import Flow, exception
        from metaflow.exception import MetaflowException
"#), @r#"
    flow Train line 11
      one = Parameter("one") default Computed("pick")
      two = Parameter("two") type Int default Computed("lambda context: 2")
      left = None
      right = None
      total = Some(Int(3))
      big = None
      start(self) line 25 -> end @retry(times=Int(1))
      end(self) line 29
      uses Flow, FlowSpec, Parameter, exception, exception.MetaflowException, retry, step
    "#);
}

#[test]
fn a_default_that_json_would_change_stays_pythons_own() {
    let default = |text: &str| {
        let flow = format!(
            "from metaflow import FlowSpec, Parameter, JSONType\nclass F(FlowSpec):\n    a = Parameter('a', default={text})\n"
        );
        let text = read(&flow);
        text.lines().nth(1).unwrap().trim().to_owned()
    };
    for (text, ty) in [
        ("-123456789012345678901", "Int"),
        ("10000000000 * 10000000000", "Int"),
        ("1e999", "Float"),
        ("(1, 'a')", "Json"),
        ("{'a': [(1,)]}", "Json"),
    ] {
        let shown = format!("a = Parameter(\"a\") default Native {{ text: {text:?}, ty: {ty} }}");
        assert_eq!(default(text), shown);
    }
    assert!(default("[1, {'a': 9223372036854775807}]").contains("Literal"));
}

#[test]
fn transitions_survive_what_is_wrong_with_them() {
    let next = |body: &str| {
        let text = read(&with_start(body));
        text.lines().nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(next("self.next(self.end)"), "start(self) line 4 -> end");
    assert_eq!(next("self.next(end)"), "start(self) line 4 -> end unread");
    assert_eq!(
        next("self.next({'a': self.x, 'b': self.start}, condition='c')"),
        "start(self) line 4 -> x, start"
    );
    assert_eq!(
        next("if a:\n    self.next(self.x)\nelse:\n    self.next(self.y)"),
        "start(self) line 4 -> x, y unread"
    );
    assert_eq!(
        next("self.next(self.x, num_parallel=2)"),
        "start(self) line 4 -> x foreach _parallel_ubf_iter"
    );
    assert_eq!(next("other.next(self.end)"), "start(self) line 4");
}

#[test]
fn literals_are_what_python_makes_of_them() {
    let value = |text: &str| {
        let flow = format!("from metaflow import FlowSpec\nclass F(FlowSpec):\n    a = {text}\n");
        let text = read(&flow);
        text.lines().nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(
        value("-9223372036854775808"),
        "a = Some(Int(-9223372036854775808))"
    );
    assert_eq!(value("9223372036854775808"), "a = None");
    assert_eq!(value("0x10"), "a = Some(Int(16))");
    assert_eq!(value("1_000"), "a = Some(Int(1000))");
    assert_eq!(value("1e999"), "a = None");
    assert_eq!(value("-1.5e3"), "a = Some(Float(-1500.0))");
    assert_eq!(value("r'\\d' 'x'"), "a = Some(Str(\"\\\\dx\"))");
    assert_eq!(value("'a' + 'b'"), "a = Some(Str(\"ab\"))");
    assert_eq!(value("2 * 3 - 1"), "a = Some(Int(5))");
    assert_eq!(
        value("(1, [True, None])"),
        "a = Some(List([Int(1), List([Bool(true), None])]))"
    );
    assert_eq!(
        value("{'b': 1, 'a': 2, 'b': 3}"),
        "a = Some(Dict({\"b\": Int(3), \"a\": Int(2)}))"
    );
    assert_eq!(value("{1: 2}"), "a = None");
    assert_eq!(value("b'x'"), "a = None");
    assert_eq!(value("not True"), "a = None");
    assert_eq!(value("1 / 2"), "a = None");
}

#[test]
fn bom_and_carriage_returns_do_no_harm() {
    let text = with_start("self.next(self.end)");
    let plain = read(&text);
    assert_eq!(read(&format!("\u{feff}{text}")), plain);
    assert_eq!(read(&text.replace('\n', "\r\n")), plain);
}

/// Whatever is cut off or taken out: no panic, and every place lies within the file.
#[test]
fn broken_files_are_survived() {
    let whole = with_start("self.a = {'ä': [1, (2)]}\nself.next(self.end, foreach='a')");
    let whole = format!(
        "import metaflow as m\n@m.project(name='x')\n{whole}    p = m.Parameter('p', 1, help='ü')\n"
    );
    let cuts = (0..whole.len()).filter(|at| whole.is_char_boundary(*at));
    for at in cuts {
        let short = &whole[..at];
        let next = at + whole[at..].chars().next().map_or(0, char::len_utf8);
        for text in [
            short.to_owned(),
            short.to_owned() + &whole[next..],
            format!("{short}({}", &whole[at..]),
        ] {
            let mut tree = SourceTree::default();
            let file = tree.add("flow.py", text.as_str());
            let (_, found) = lower(&tree, file, None);
            for label in found.iter().flat_map(|item| &item.labels) {
                let (start, end) = (label.span.start as usize, label.span.end as usize);
                assert!(text.get(start..end).is_some(), "{start}..{end} in {text:?}");
            }
        }
    }
}

#[test]
fn deep_nesting_is_survived() {
    for (open, close) in [
        ("[", "]"),
        ("(", ")"),
        ("-", ""),
        ("{'a': ", "}"),
        ("1 + ", ""),
    ] {
        let depth = 20_000;
        let value = open.repeat(depth) + "1" + &close.repeat(depth);
        let text = format!("from metaflow import FlowSpec\nclass F(FlowSpec):\n    a = {value}\n");
        assert!(
            read(&text).starts_with("flow F") || read(&text).contains("FC0001"),
            "{open}"
        );
    }
}
