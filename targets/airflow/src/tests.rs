//! The generated file as a whole, from Python sources, read back by ruff's parser.

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
/// A line that starts with `@` decorates the next step.
fn flow(lines: &str) -> String {
    let mut source = String::from(
        "from metaflow import FlowSpec, Parameter, step, retry, timeout, resources, kubernetes, batch, schedule\n\nclass SampleFlow(FlowSpec):\n",
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
        let name = head.trim_end_matches('*');
        writeln!(source, "    @step\n    def {name}(self{inputs}):").unwrap();
        let targets: Vec<_> = targets
            .split_whitespace()
            .map(|name| format!("self.{name}"))
            .collect();
        if targets.is_empty() {
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

#[track_caller]
fn check(lines: &str, expect: &str) {
    let text = emit(&flow(lines));
    assert_eq!(body(&text), expect, "\n{}", body(&text));
}

#[test]
fn a_linear_flow_is_a_chain() {
    check(
        "start: middle
         middle: end
         end:",
        r#"    start = Step(task_id="start")
    middle = Step(task_id="middle")
    end = Step(task_id="end")

    start >> middle >> end
"#,
    );
}

#[test]
fn branches_meet_in_their_join() {
    check(
        "start: a b
         a: c d
         c: inner
         d: inner
         inner join: outer
         b: outer
         outer join: end
         end:",
        r#"    start = Step(task_id="start")
    a = Step(task_id="a")
    c = Step(task_id="c")
    d = Step(task_id="d")
    inner = Step(task_id="inner")
    b = Step(task_id="b")
    outer = Step(task_id="outer")
    end = Step(task_id="end")

    start >> [a, b]
    a >> [c, d] >> inner >> outer >> end
    b >> outer
"#,
    );
}

#[test]
fn a_foreach_of_one_step_is_a_mapped_operator() {
    check(
        "start*: train
         train: pick
         pick join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)
    train = Step.partial(task_id="train").expand(index=start.output)
    pick = Step(task_id="pick", trigger_rule="none_failed")
    end = Step(task_id="end")

    train >> pick >> end
"#,
    );
}

#[test]
fn a_foreach_of_several_steps_is_a_mapped_group() {
    check(
        "start*: split
         split: a b
         a: merge
         b: merge
         merge join: pick
         pick join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)

    @task_group(group_id="start-foreach", prefix_group_id=False)
    def _start_foreach(index):
        split = Step(task_id="split", index=index)
        a = Step(task_id="a", index=index)
        b = Step(task_id="b", index=index)
        merge = Step(task_id="merge", index=index)
        split >> [a, b] >> merge
        return merge

    merge = _start_foreach.expand(index=start.output)
    pick = Step(task_id="pick", trigger_rule="none_failed")
    end = Step(task_id="end")

    merge >> pick >> end
"#,
    );
}

#[test]
fn a_foreach_of_foreaches_is_mapped_over_all_index_paths() {
    check(
        "start*: outer
         outer*: middle
         middle*: inner
         inner: i
         i join: m
         m join: o
         o join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)
    outer = Step.partial(task_id="outer", foreach=True).expand(index=start.output)
    _outer_paths = Paths(task_id="outer-paths", foreach=outer, outer_paths=start.output)
    middle = Step.partial(task_id="middle", foreach=True).expand(index=_outer_paths.output)
    _middle_paths = Paths(task_id="middle-paths", foreach=middle, outer_paths=_outer_paths.output)
    inner = Step.partial(task_id="inner").expand(index=_middle_paths.output)
    i = Step.partial(task_id="i", trigger_rule="none_failed").expand(index=_outer_paths.output)
    m = Step.partial(task_id="m", trigger_rule="none_failed").expand(index=start.output)
    o = Step(task_id="o", trigger_rule="none_failed")
    end = Step(task_id="end")

    inner >> i >> m >> o >> end
"#,
    );
}

#[test]
fn what_follows_an_inner_foreach_is_a_group_of_its_own() {
    check(
        "start*: split
         split: a b
         a*: work
         work: check
         check: collect
         collect join: after
         after: merge
         b: c
         c: merge
         merge join: pick
         pick join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)

    @task_group(group_id="start-foreach", prefix_group_id=False)
    def _start_foreach(index):
        split = Step(task_id="split", index=index)
        a = Step(task_id="a", index=index, foreach=True)
        b = Step(task_id="b", index=index)
        c = Step(task_id="c", index=index)
        split >> [a, b]
        b >> c
        return a, c

    a, c = _start_foreach.expand(index=start.output)
    _a_paths = Paths(task_id="a-paths", foreach=a, outer_paths=start.output)

    @task_group(group_id="a-foreach", prefix_group_id=False)
    def _a_foreach(index):
        work = Step(task_id="work", index=index)
        check = Step(task_id="check", index=index)
        work >> check
        return check

    check = _a_foreach.expand(index=_a_paths.output)

    @task_group(group_id="start-foreach-2", prefix_group_id=False)
    def _start_foreach_2(index):
        collect = Step(task_id="collect", index=index, trigger_rule="none_failed")
        after = Step(task_id="after", index=index)
        merge = Step(task_id="merge", index=index)
        collect >> after >> merge
        return collect, merge

    collect, merge = _start_foreach_2.expand(index=start.output)
    pick = Step(task_id="pick", trigger_rule="none_failed")
    end = Step(task_id="end")

    check >> collect
    c >> merge >> pick >> end
"#,
    );
}

#[test]
fn a_foreach_inside_a_branch() {
    check(
        "start: a b
         a*: work
         work: collect
         collect join: merge
         b: merge
         merge join: end
         end:",
        r#"    start = Step(task_id="start")
    a = Step(task_id="a", foreach=True)
    work = Step.partial(task_id="work").expand(index=a.output)
    collect = Step(task_id="collect", trigger_rule="none_failed")
    b = Step(task_id="b")
    merge = Step(task_id="merge")
    end = Step(task_id="end")

    start >> [a, b]
    work >> collect >> merge >> end
    b >> merge
"#,
    );
}

#[test]
fn attributes_become_arguments() {
    check(
        "@retry(times=2, minutes_between_retries=5)
         @timeout(minutes=2)
         start: gpu
         @resources(cpu=0.5, memory=8192, gpu=2)
         gpu: pod
         @kubernetes(image='img:1', secrets=['db'], node_selector='disk=ssd', disk=2048, shared_memory=64, labels={'team': 'ml'})
         pod: end
         end:",
        r#"    start = Step(
        task_id="start",
        retries=5,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(minutes=13),
    )
    gpu = Step(
        task_id="gpu",
        requests={"cpu": "500m", "memory": "8192Mi"},
        limits={"nvidia.com/gpu": "2"},
    )
    pod_ = Step(
        task_id="pod",
        requests={"ephemeral-storage": "2048Mi"},
        volumes=[
            k8s.V1Volume(
                name="shm",
                empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="64Mi"),
            ),
        ],
        volume_mounts=[k8s.V1VolumeMount(name="shm", mount_path="/dev/shm")],
        image="img:1",
        env_from=[k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="db"))],
        node_selector={"disk": "ssd"},
        labels={"team": "ml"},
    )
    end = Step(task_id="end")

    start >> gpu >> pod_ >> end
"#,
    );
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
            "@kubernetes(use_tmpfs=True)\n start: end\n end:",
            Code::FC0302,
        ),
        (
            "@kubernetes(tolerations=[{'chiave': 'x'}])\n start: end\n end:",
            Code::FC0202,
        ),
        (
            "@kubernetes(node_selector='ssd')\n start: end\n end:",
            Code::FC0202,
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
    let source = flow("start*: a\n a: b\n b: c\n c join: end\n end:")
        .replace("class Sample", "@schedule(daily=True)\nclass Sample");
    let mut options = options();
    options.profile.overlap = Overlap::Skip;
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
