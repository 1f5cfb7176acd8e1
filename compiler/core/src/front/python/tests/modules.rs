//! Flows that are spread over several files.

use std::fmt::Write;

use super::{dump, listed, read};
use crate::source::SourceTree;

/// A flow of several files, each a path and a text, the flow's own first.
fn read_files(files: &[(&str, &str)]) -> String {
    let mut tree = SourceTree::default();
    let file = tree.add(files[0].0, files[0].1);
    let mut fetched = Vec::new();
    let mut fetch = |path: &str| {
        let (_, text) = files.iter().find(|(known, _)| *known == path)?;
        fetched.push(path.to_owned());
        Some((*text).to_owned())
    };
    let reading = crate::front::python::read(&mut tree, file, None, None, &mut fetch);
    let (flow, mut found) = (reading.flow, reading.found);
    found.extend(reading.unknown);
    let mut text = flow.as_ref().map_or_else(|| "no flow\n".to_owned(), dump);
    for (_, step) in flow.iter().flat_map(|flow| flow.steps.iter()) {
        let path = &tree.file(step.span.file).path;
        writeln!(text, "  {} in {path}:{}", step.name.value, step.line).unwrap();
    }
    writeln!(text, "  read {}", fetched.join(", ")).unwrap();
    text + &listed(&tree, &found)
}

const SHARED: &str = r#"
from metaflow import FlowSpec, Parameter, project, step, retry
from .limits import RETRIES
import os

@project(name="shop")
class Base(FlowSpec):
    alpha = Parameter("alpha", default=0.5)
    level = 1

    @retry(times=RETRIES)
    @step
    def start(self):
        self.next(self.work)

    @step
    def work(self):
        self.next(self.end)
"#;

#[test]
fn bases_come_from_other_files_with_their_spans() {
    insta::assert_snapshot!(read_files(&[
        (
            "flow.py",
            "from metaflow import step
from shared import Base, unused
import numpy as np
class Train(Base):
    level = 2
    @step
    def work(self):
        self.next(self.end)
    @step
    def end(self): pass
",
        ),
        ("shared/__init__.py", "from .base import *\nfrom .other import unused\n"),
        ("shared/base.py", SHARED),
        ("shared/other.py", "this is never read"),
        ("shared/limits.py", "RETRIES = 1 + 1\n"),
    ]), @r#"
    flow Train line 4
      project(name=Str("shop"))
      alpha = Parameter("alpha") default Literal(Float(0.5))
      level = Some(Int(2))
      work(self) line 7 -> end
      end(self) line 10
      start(self) line 13 -> work @retry(times=Int(2))
      uses FlowSpec, Parameter, project, retry, step
      work in flow.py:7
      end in flow.py:10
      start in shared/base.py:13
      read shared/__init__.py, shared/base.py, shared/limits.py
    "#);
}

#[test]
fn a_base_is_named_by_its_module() {
    for import in [
        "import pkg.base",
        "import pkg.base as pkg_base",
        "from pkg import base",
    ] {
        let name = match import {
            "import pkg.base" => "pkg.base.Base",
            "import pkg.base as pkg_base" => "pkg_base.Base",
            _ => "base.Base",
        };
        let flow = format!(
            "from metaflow import step\n{import}\nclass Train({name}):\n  @step\n  def end(self): pass\n"
        );
        // A package of folders needs no `__init__.py`.
        let files = [
            ("flow.py", flow.as_str()),
            ("pkg/base.py", SHARED),
            ("pkg/limits.py", "RETRIES: int = 3"),
        ];
        let text = read_files(&files);
        assert!(
            text.contains("start(self) line 13 -> work @retry(times=Int(3))"),
            "{text}"
        );
        assert!(text.contains("read pkg/base.py, pkg/limits.py"), "{text}");
    }
}

#[test]
fn the_order_of_bases_is_that_of_python() {
    // The diamond: `Left` before `Right` before `Top`, though `Left` leads to `Top` first.
    let diamond = "from metaflow import FlowSpec
class Top(FlowSpec):
    color = 'top'
    shape = 'top'
class Left(Top):
    color = 'left'
class Right(Top):
    shape = 'right'
class Bottom(Left, Right):
    pass
Bottom()
";
    let text = read(diamond);
    assert!(text.contains("color = Some(Str(\"left\"))"), "{text}");
    assert!(text.contains("shape = Some(Str(\"right\"))"), "{text}");
    let wrong = diamond.replace("Bottom(Left, Right)", "Bottom(Top, Left)");
    assert!(read(&wrong).contains("FC0025 9:7"), "{}", read(&wrong));
}

#[test]
fn only_what_can_not_change_is_a_constant() {
    let with = |head: &str, value: &str| {
        read(&format!(
            "from metaflow import FlowSpec, step, retry
{head}
class F(FlowSpec):
    @retry(times={value})
    @step
    def start(self): self.next(self.end)
    @step
    def end(self): pass
"
        ))
    };
    for (head, value) in [
        ("N = 2", "N"),
        ("N: int = 1 + 1", "N"),
        ("with x:\n    N = 2", "N"),
        ("M = 1", "M + 1"),
    ] {
        let text = with(head, value);
        assert!(text.contains("retry(times=Int(2))"), "{head}: {text}");
    }
    for head in [
        "N = 2\nN = 3",
        "N = 2\nN += 1",
        "N = 2\ndef f():\n    global N\n    N = 3",
        "N = 2\nfor N in x: pass",
        "N = 2\nwith x as N: pass",
        "N = 2\ndel N",
        "N = 2\nfrom os import N",
        "if x:\n    N = 2\nelse:\n    N = 3",
        "from x import *\nif x:\n    N = 2",
        "try:\n    N = 2\nexcept ValueError:\n    pass",
        "N = 2\nglobals()['N'] = 3",
        "N = 2\nexec('N = 3')",
        "N = len(x)",
    ] {
        assert!(with(head, "N").contains("FC0012"), "{head}");
    }
    // Names of the class body hide those of the module.
    let inner = read(
        "from metaflow import FlowSpec, step, retry
N = 1
class F(FlowSpec):
    N = 2
    @retry(times=N)
    @step
    def start(self): self.next(self.end)
    @step
    def end(self): pass
",
    );
    assert!(inner.contains("retry(times=Int(2))"), "{inner}");
}

#[test]
fn what_another_file_lacks_is_said() {
    let found = read_files(&[
        (
            "flow.py",
            "from base import Bas\nclass F(Bas):\n  pass\nF()\n",
        ),
        ("base.py", "class Base: pass"),
    ]);
    assert!(
        found.contains("FC0010 2:9 `base.py` has no class `Bas`"),
        "{found}"
    );
    let settings = read_files(&[
        (
            "flow.py",
            "from metaflow import FlowSpec, step, retry
import settings
settings.N = 4
class F(FlowSpec):
    @retry(times=settings.N)
    @step
    def start(self): self.next(self.end)
",
        ),
        ("settings.py", "N = 2"),
    ]);
    assert!(settings.contains("FC0012 5:18"), "{settings}");
    let inherited = read_files(&[
        (
            "flow.py",
            "from base import Base\nif __name__ == '__main__':\n  Base()\n",
        ),
        (
            "base.py",
            "from metaflow import FlowSpec, step\nclass Base(FlowSpec):\n  @step\n  def start(self): self.nxt(self.end)\n",
        ),
    ]);
    assert!(inherited.contains("start in base.py:4"), "{inherited}");
}
