//! The look of each form.

use super::{Colour, github, json, text};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::source::{SourceTree, Span};

const SOURCE: &str = "\
class TrainFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1]
        self.next(self.train, foreach=\"shards\")

    @step
    def train(self):
        self.é = 1
        self.next(self.edn)

    @step
    def end(self):
        pass
";

fn findings() -> (SourceTree, Diagnostics) {
    let mut tree = SourceTree::default();
    let file = tree.add("flows/100%,a.py", SOURCE);
    let span = |text: &str| {
        let start = SOURCE.find(text).unwrap() as u32;
        Span {
            file,
            start,
            end: start + text.len() as u32,
        }
    };
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(
        Diagnostic::error(
            Code::FC0112,
            "foreach opened in `start` is never joined",
            span("self.next(self.edn)"),
            "`end` is reached with the foreach still open",
        )
        .label(
            span("self.next(self.train, foreach=\"shards\")"),
            "foreach opened here",
        )
        .note("100% sure")
        .help("add a join step between `train` and `end`"),
    );
    diagnostics.push(
        Diagnostic::warning(
            Code::FC0113,
            "transition to unknown step `edn`",
            span("self.edn"),
            "",
        )
        .fix(span("self.edn"), "self.end", "did you mean `end`?"),
    );
    (tree, diagnostics)
}

#[test]
fn text_shows_the_source() {
    let (tree, diagnostics) = findings();
    insta::assert_snapshot!(text(&tree, &diagnostics, Colour::Never), @r#"
    error[FC0112]: foreach opened in `start` is never joined
      --> flows/100%,a.py:10:9
       |
     5 |         self.next(self.train, foreach="shards")
       |         --------------------------------------- foreach opened here
    ...
    10 |         self.next(self.edn)
       |         ^^^^^^^^^^^^^^^^^^^ `end` is reached with the foreach still open
       |
       = note: 100% sure
    help: add a join step between `train` and `end`

    warning[FC0113]: transition to unknown step `edn`
      --> flows/100%,a.py:10:19
       |
    10 |         self.next(self.edn)
       |                   ^^^^^^^^
       |
    help: did you mean `end`?
       |
    10 -         self.next(self.edn)
    10 +         self.next(self.end)
       |
    "#);
}

#[test]
fn colour_adds_escapes_only() {
    let (tree, diagnostics) = findings();
    let coloured = text(&tree, &diagnostics, Colour::Always);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    for (index, part) in coloured.split("\u{1b}[").enumerate() {
        let rest = part.split_once('m').map_or(part, |(_, rest)| rest);
        plain.push_str(if index == 0 { part } else { rest });
    }
    assert_eq!(plain, text(&tree, &diagnostics, Colour::Never));
}

#[test]
fn json_is_one_object_per_line() {
    let (tree, diagnostics) = findings();
    insta::assert_snapshot!(json(&tree, &diagnostics), @r#"
    {"code":"FC0112","severity":"error","message":"foreach opened in `start` is never joined","path":"flows/100%,a.py","line":10,"column":9,"end_line":10,"end_column":28,"labels":[{"path":"flows/100%,a.py","line":10,"column":9,"end_line":10,"end_column":28,"text":"`end` is reached with the foreach still open","primary":true},{"path":"flows/100%,a.py","line":5,"column":9,"end_line":5,"end_column":48,"text":"foreach opened here","primary":false}],"notes":["100% sure"],"help":"add a join step between `train` and `end`","fix":null}
    {"code":"FC0113","severity":"warning","message":"transition to unknown step `edn`","path":"flows/100%,a.py","line":10,"column":19,"end_line":10,"end_column":27,"labels":[{"path":"flows/100%,a.py","line":10,"column":19,"end_line":10,"end_column":27,"text":"","primary":true}],"notes":[],"help":null,"fix":{"path":"flows/100%,a.py","line":10,"column":19,"end_line":10,"end_column":27,"replacement":"self.end","title":"did you mean `end`?"}}
    "#);
}

#[test]
fn github_escapes_what_its_commands_reserve() {
    let (tree, diagnostics) = findings();
    insta::assert_snapshot!(github(&tree, &diagnostics), @r#"
    ::error file=flows/100%25%2Ca.py,line=10,col=9,endColumn=28,title=FC0112::foreach opened in `start` is never joined%0A`end` is reached with the foreach still open%0Anote: 100%25 sure%0Ahelp: add a join step between `train` and `end`
    ::warning file=flows/100%25%2Ca.py,line=10,col=19,endColumn=27,title=FC0113::transition to unknown step `edn`%0Ahelp: did you mean `end`?
    "#);
}

#[test]
fn a_finding_without_a_place_has_its_title_only() {
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(Diagnostic::new(
        Code::FC0003,
        crate::diag::Severity::Error,
        "no flow in the file",
    ));
    let tree = SourceTree::default();
    let expect = "error[FC0003]: no flow in the file\n";
    assert_eq!(text(&tree, &diagnostics, Colour::Never), expect);
    let expect = "::error title=FC0003::no flow in the file\n";
    assert_eq!(github(&tree, &diagnostics), expect);
    assert!(json(&tree, &diagnostics).starts_with("{\"code\":\"FC0003\""));
}

#[test]
fn a_place_at_the_end_of_the_file_is_shown() {
    let mut tree = SourceTree::default();
    let file = tree.add("a.py", "x");
    let span = Span {
        file,
        start: 1,
        end: 1,
    };
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(
        Diagnostic::error(Code::FC0001, "unexpected end", span, "here").fix(span, ")", "close it"),
    );
    let text = text(&tree, &diagnostics, Colour::Never);
    assert!(text.contains("a.py:1:2"), "{text}");
}
