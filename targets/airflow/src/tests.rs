//! The generated file as a whole, from Python sources, read back by ruff's parser.

mod exit;
mod pods;
mod shapes;
mod triggers;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use flowc_core::diag::{Code, Diagnostics};
use flowc_target::profile::Overlap;
use flowc_target::testing::{options, plan};
use flowc_target::{Options, Target};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Alias, Expr, ExprContext, Parameter, Stmt};

use crate::Airflow;
use crate::names::is_taken;

/// A flow from lines `name: target target`, `name*: body` for a foreach, `name join: target` for a join.
/// `name?: case case` is a switch.
/// A line that starts with `@` decorates the next step.
fn flow(lines: &str) -> String {
    let mut source = String::from(
        "from metaflow import FlowSpec, Parameter, step, retry, timeout, resources, kubernetes, batch, namespaced_event_name, project, schedule, trigger, trigger_on_finish\n\nclass SampleFlow(FlowSpec):\n",
    );
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('@') {
            writeln!(source, "    {line}").unwrap();
            continue;
        }
        let (head, targets) = line.split_once(':').unwrap();
        let (head, inputs) = match head.strip_suffix(" join") {
            Some(head) => (head, ", inputs"),
            None => (head, ""),
        };
        let foreach = if head.ends_with('*') {
            ", foreach='items'"
        } else {
            ""
        };
        let name = head.trim_end_matches(['*', '?']);
        writeln!(source, "    @step\n    def {name}(self{inputs}):").unwrap();
        let targets: Vec<_> = targets
            .split_whitespace()
            .map(|name| format!("self.{name}"))
            .collect();
        if head.ends_with('?') {
            let cases = targets.iter().enumerate();
            let cases: Vec<_> = cases.map(|(key, to)| format!("{key}: {to}")).collect();
            let cases = cases.join(", ");
            writeln!(source, "        self.next({{{cases}}}, condition='v')").unwrap();
        } else if targets.is_empty() {
            source.push_str("        pass\n");
        } else {
            writeln!(source, "        self.next({}{foreach})", targets.join(", ")).unwrap();
        }
    }
    source
}

fn emit_with(source: &str, options: &Options) -> (Option<String>, Diagnostics) {
    let (files, found) = Airflow.emit(&plan(source), options);
    let text = files.map(|files| {
        assert_eq!(files.len(), 1);
        files[0].text.clone()
    });
    (text, found)
}

#[track_caller]
fn emit(source: &str) -> String {
    let (text, found) = emit_with(source, &options());
    let text = text.unwrap_or_else(|| panic!("{found:?}"));
    ruff_python_parser::parse_module(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    text
}

/// The part of the file that the flow decides: what follows `as dag:`.
fn body(text: &str) -> &str {
    text.split_once(") as dag:\n").unwrap().1
}

#[test]
fn containers_of_restricted_namespaces_run_as_a_user() {
    let mut options = options();
    options.profile.run_as_user = Some(1000);
    let (text, _) = emit_with(&flow("start: end\nend:"), &options);
    let text = text.unwrap();
    let security = text.split_once("SECURITY = ").unwrap().1;
    let security = security.split_once("\n)").unwrap().0;
    assert!(security.contains("run_as_non_root=True"), "{text}");
    assert!(security.contains("run_as_user=1000"), "{text}");
}

#[test]
fn what_airflow_cannot_do_is_refused() {
    let cases = [
        ("@batch(queue='q')\n start: end\n end:", Code::FC0302),
        (
            "@kubernetes(hostname_resolution_timeout=60)\n start: end\n end:",
            Code::FC0302,
        ),
    ];
    for (lines, code) in cases {
        let (text, found) = emit_with(&flow(lines), &options());
        assert_eq!(text, None, "{lines}");
        let codes: Vec<_> = found.iter().map(|item| item.code).collect();
        assert_eq!(codes, [code], "{lines}");
    }
    let long = format!("start: {0}\n {0}: end\n end:", "x".repeat(251));
    let (text, found) = emit_with(&flow(&long), &options());
    assert_eq!(
        (text, found.iter().next().unwrap().code),
        (None, Code::FC0308)
    );
    let large = "x".repeat(100_000);
    for parameter in [
        &format!("p = Parameter('p', default='{large}')"),
        "p = Parameter('p', default='a\\0b')",
        "p = Parameter('p', help='\\x00', default='')",
        "'''\\0'''",
    ] {
        let parameter = flow("start: end\n end:")
            .replace("(FlowSpec):\n", &format!("(FlowSpec):\n    {parameter}\n"));
        let (text, found) = emit_with(&parameter, &options());
        let codes: Vec<_> = found.iter().map(|item| item.code).collect();
        assert_eq!((text, codes), (None, vec![Code::FC0308]), "{parameter}");
    }
    let parameter = flow("start: end\n end:").replace(
        "(FlowSpec):\n",
        "(FlowSpec):\n    flowc_run = Parameter('flowc_run', default='x')\n",
    );
    let (text, found) = emit_with(&parameter, &options());
    assert_eq!(
        (text, found.iter().next().unwrap().code),
        (None, Code::FC0209)
    );
}

#[test]
fn every_name_of_the_fixed_part_is_known_as_taken() {
    #[derive(Default)]
    struct Names(BTreeSet<String>);
    impl<'a> Visitor<'a> for Names {
        fn visit_alias(&mut self, alias: &'a Alias) {
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            self.0.insert(name.to_string());
        }
        fn visit_parameter(&mut self, parameter: &'a Parameter) {
            self.0.insert(parameter.name.to_string());
        }
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            walk_stmt(self, stmt);
        }
        fn visit_expr(&mut self, expr: &'a Expr) {
            if let Expr::Name(name) = expr {
                assert!(matches!(name.ctx, ExprContext::Load | ExprContext::Store));
                self.0.insert(name.id.to_string());
            }
            walk_expr(self, expr);
        }
    }
    let source = flow("@kubernetes(executable='p', security_context={'privileged': True}, qos='Guaranteed')\n start*: a\n a*: b\n b?: x y\n x: c\n y: c\n c join: d\n d join: end\n end:")
        .replace("class Sample", "@schedule(daily=True)\n@trigger(event='new')\nclass Sample");
    let mut options = options();
    options.profile.overlap = Overlap::Skip;
    options.profile.airflow.foreach_blocks = 2;
    let text = emit_with(&source, &options).0.unwrap();
    let parsed = ruff_python_parser::parse_module(&text).unwrap();
    let mut names = Names::default();
    for stmt in &parsed.syntax().body {
        names.visit_stmt(stmt);
    }
    // The steps of this flow, and the attributes of the class.
    let own = [
        "start",
        "a",
        "b",
        "c",
        "d",
        "x",
        "y",
        "end",
        "template_fields",
        "template_ext",
    ];
    let may_clash = |name: &&String| {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.chars().all(legal) && !name.starts_with('_') && !own.contains(&name.as_str())
    };
    let unknown: Vec<_> = names
        .0
        .iter()
        .filter(may_clash)
        .filter(|name| !is_taken(name))
        .collect();
    assert_eq!(unknown, Vec::<&String>::new());
}

#[test]
fn only_scheduled_runs_of_profiles_that_say_so_give_way() {
    let scheduled =
        flow("start: end\nend:").replace("class Sample", "@schedule(daily=True)\nclass Sample");
    let mut options = options();
    let gives_way = |source: &str, options: &Options| {
        let text = emit_with(source, options).0.unwrap();
        text.contains("def pre_execute") && text.contains("AirflowSkipException")
    };
    assert!(!gives_way(&scheduled, &options));
    options.profile.overlap = Overlap::Skip;
    assert!(gives_way(&scheduled, &options));
    assert!(!gives_way(&flow("start: end\nend:"), &options));
}

#[test]
fn a_file_tells_its_version() {
    let text = emit(&flow("start: end\nend:"));
    let version = crate::version::of(&text).unwrap();
    assert!(text.contains(&format!("flowc version `{version}`")));
    assert_eq!(crate::version::of(&text.replace("retries", "tries")), None);
}

#[test]
fn a_step_may_have_any_name() {
    let text = emit(&flow(
        "start*: json\n json: str\n str: range\n range: dag_\n dag_: dag\n dag: join\n join join: end\n end:",
    ));
    let text = body(&text);
    for operator in [
        "json_ = Step(task_id=\"json\", index=index)",
        "str_ = Step(task_id=\"str\", index=index)",
        "dag__ = Step(task_id=\"dag_\", index=index)",
        "dag_ = Step(task_id=\"dag\", index=index)",
        "json_ >> str_ >> range_ >> dag__ >> dag_",
    ] {
        assert!(text.contains(operator), "{operator}\n{text}");
    }
}

#[test]
fn what_a_user_writes_is_data() {
    let payloads = [
        "{{7*7}}",
        "{% raw %}",
        "{# x #}",
        "$(HOME)",
        "'; id #",
        "\"}],\"args\":[\"x",
        "a\nb: c",
        "\u{2028}",
        "\u{202e}",
        "x.json",
        "\"\"\"",
        "\\",
        "<< x >>",
        "<% x %>",
    ];
    let shape = |text: &str| {
        let parsed = ruff_python_parser::parse_module(text).unwrap();
        parsed.syntax().body.len()
    };
    let plain = flow("start: end\n end:");
    let with = |payload: &str| {
        let mut sample = plan(&plain.replace(
            "(FlowSpec):\n",
            "(FlowSpec):\n    p = Parameter('p', default='DEFAULT', help='HELP')\n",
        ));
        sample.doc = Some(payload.to_owned());
        let parameter = &mut sample.parameters[0];
        parameter.default = Some(flowc_core::ir::flow::Literal::Str(payload.to_owned()));
        parameter.help = Some(payload.to_owned());
        let mut options = options();
        options.profile.env.insert("A".to_owned(), payload.into());
        let (files, found) = Airflow.emit(&sample, &options);
        assert!(found.is_empty());
        files.unwrap()[0].text.clone()
    };
    let expect = shape(&with("x"));
    for payload in payloads {
        let text = with(payload);
        assert_eq!(shape(&text), expect, "{payload:?}\n{text}");
        let literal = crate::pyrepr::quoted(payload);
        assert_eq!(text.matches(&literal).count(), 3, "{payload:?}\n{text}");
    }
}

#[test]
fn bytes_per_step_stay_small() {
    let size = |steps: usize| {
        let mut lines = String::from("start: s1\n");
        for step in 1..steps - 1 {
            let next = if step == steps - 2 {
                "end".to_owned()
            } else {
                format!("s{}", step + 1)
            };
            writeln!(
                lines,
                "@resources(cpu=2, memory=8000)\n@retry(times=3)\ns{step}: {next}"
            )
            .unwrap();
        }
        lines.push_str("end:");
        emit(&flow(&lines)).len()
    };
    let per_step = (size(150) - size(50)) / 100;
    assert!(per_step <= 200, "{per_step} bytes per step");
}
