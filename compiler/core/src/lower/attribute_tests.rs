//! What decorators and parameters mean, seen in the dump of the plan.

use crate::front::python;
use crate::ir::dump::dump;
use crate::source::SourceTree;

/// The dump of a flow whose class has the decorators and parameters, and whose first step has the other decorators.
fn plan(flow: &str, members: &str, step: &str) -> String {
    let source = format!(
        "from metaflow import FlowSpec, JSONType, Parameter, batch, catch, environment, kubernetes, namespaced_event_name, project, resources, retry, schedule, step, timeout, trigger, trigger_on_finish\n\n\n{flow}\nclass OneFlow(FlowSpec):\n    {members}\n\n    {step}\n    @step\n    def start(self):\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass\n\n\nif __name__ == \"__main__\":\n    OneFlow()\n"
    );
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", source);
    let (one, mut found) = python::lower(&tree, file, None);
    let (plan, more) = crate::lower::plan(&tree, &one.unwrap());
    found.extend(more);
    assert!(!found.has_errors(), "{found:#?}");
    dump(&plan.unwrap())
}

#[track_caller]
fn step(decorators: &str, expect: &str) {
    let dump = plan("", "", decorators);
    let start = dump.split("\n\n").nth(1).unwrap();
    let lines = start.lines().map(str::trim);
    let said: Vec<&str> = lines
        .filter(|line| !line.starts_with("step") && !line.starts_with("next"))
        .filter(|line| !line.starts_with("decorator"))
        .collect();
    assert_eq!(said.join("; "), expect, "{decorators}");
}

#[track_caller]
fn head(flow: &str, members: &str, expect: &str) {
    let dump = plan(flow, members, "");
    assert!(dump.lines().any(|line| line == expect), "{expect}\n{dump}");
}

const DEFAULT: &str = "resources cpu 1000m memory 4096Mi";

#[test]
fn nothing_written_means_defaults() {
    step("", DEFAULT);
    step("@retry", &format!("retry 3 times after 120 s; {DEFAULT}"));
    step("@resources", DEFAULT);
    step("@catch", &format!("catch into -, printed; {DEFAULT}"));
    step("@environment", DEFAULT);
}

#[test]
fn numbers_may_be_text_or_fractions() {
    step(
        "@retry(times=\"2\", minutes_between_retries=0.5)",
        &format!("retry 2 times after 30 s; {DEFAULT}"),
    );
    step(
        "@resources(cpu=\"0.5\", memory=\"2048\", gpu=\"1\")",
        "resources cpu 500m memory 2048Mi gpu 1",
    );
    step("@resources(cpu=0.0005)", "resources cpu 1m memory 4096Mi");
    step(
        "@timeout(hours=1, minutes=\"2\", seconds=3)",
        &format!("timeout 3723 s; {DEFAULT}"),
    );
}

/// `compute_resource_attributes` of Metaflow 2.19.39 gives the same numbers for `@batch`, its `KubernetesDecorator.step_init` for `@kubernetes`.
#[test]
fn the_larger_request_counts() {
    let compute = |decorators: &str, resources: &str| {
        let kind = if decorators.contains("@batch") {
            "batch"
        } else {
            "kubernetes"
        };
        step(decorators, &format!("{resources}; {kind}"));
    };
    compute(
        "@resources(cpu=2, memory=8000)\n    @batch(cpu=4, memory=2000)",
        "resources cpu 4000m memory 8000Mi",
    );
    compute(
        "@resources(cpu=2)\n    @batch(memory=2000)",
        "resources cpu 2000m memory 4096Mi",
    );
    compute(
        "@resources(memory=2000)\n    @batch(gpu=1)",
        "resources cpu 1000m memory 2000Mi gpu 1",
    );
    compute("@batch(memory=2000)", "resources cpu 1000m memory 2000Mi");
    compute(
        "@resources(memory=2000)\n    @kubernetes",
        "resources cpu 1000m memory 4096Mi",
    );
    compute(
        "@kubernetes(memory=2000, disk=5000)",
        "resources cpu 1000m memory 2000Mi disk 5000Mi",
    );
    compute(
        "@resources(shared_memory=64, gpu=None)\n    @kubernetes(gpu=2)",
        "resources cpu 1000m memory 4096Mi gpu 2 shared memory 64Mi",
    );
}

#[test]
fn other_attributes_stay_as_written() {
    step(
        "@kubernetes(image=\"python:3.12\", labels={\"a\": \"b\"}, cpu=2, namespace=None)",
        "resources cpu 2000m memory 4096Mi; kubernetes image=\"python:3.12\" labels={\"a\": \"b\"}",
    );
}

#[test]
fn environment_keeps_its_order_and_writes_numbers_out() {
    step(
        "@environment(vars={\"B\": \"x y\", \"A\": 3, \"_c\": \"\"})",
        &format!("environment B=\"x y\"; environment A=\"3\"; environment _c=\"\"; {DEFAULT}"),
    );
}

#[test]
fn catch_names_its_artifact() {
    step(
        "@catch(var=\"problem\", print_exception=False)",
        &format!("catch into problem, silent; {DEFAULT}"),
    );
    step(
        "@catch(var=None)",
        &format!("catch into -, printed; {DEFAULT}"),
    );
}

#[test]
fn schedules_become_five_fields() {
    head("@schedule", "", "schedule \"0 0 * * *\" in UTC");
    head(
        "@schedule(hourly=True)",
        "",
        "schedule \"0 * * * *\" in UTC",
    );
    head(
        "@schedule(weekly=True)",
        "",
        "schedule \"0 0 * * 0\" in UTC",
    );
    head(
        "@schedule(cron=\"0 10 ? * 2 *\", timezone=\"America/Argentina/Salta\")",
        "",
        "schedule \"0 10 * * 1\" in America/Argentina/Salta",
    );
    let off = plan("@schedule(daily=False)", "", "");
    assert!(!off.contains("schedule \""), "{off}");
}

#[test]
fn parameters_take_the_type_of_their_default() {
    head(
        "",
        "p = Parameter(\"p\", default=1)",
        "parameter p: Int = 1",
    );
    head(
        "",
        "p = Parameter(\"p\", default=True)",
        "parameter p: Bool = True",
    );
    head(
        "",
        "p = Parameter(\"p\", default=0.5)",
        "parameter p: Float = 0.5",
    );
    head("", "p = Parameter(\"p\", default=None)", "parameter p: Str");
    head(
        "",
        "p = Parameter(\"p\", default=[1])",
        "parameter p: Json = [1]",
    );
    head(
        "",
        "p = Parameter(\"p\", type=float, default=1)",
        "parameter p: Float = 1.0",
    );
    head(
        "",
        "p = Parameter(\"p\", type=bool, default=\"no\")",
        "parameter p: Bool = False",
    );
    head(
        "",
        "p = Parameter(\"p\", type=int, default=\"5\")",
        "parameter p: Int = 5",
    );
    head(
        "",
        "p = Parameter(\"p-q\", default=\"a,b\", separator=\",\", help=\"h\")",
        "parameter p-q: Str as p = \"a,b\" split at \",\" help \"h\"",
    );
}

#[test]
fn project_is_its_name_and_branch() {
    head("@project(name=\"demo\", branch=None)", "", "project demo");
    for (arguments, branch) in [
        ("branch='next'", "test.next"),
        ("production=True", "prod"),
        ("branch='next', production=True", "prod.next"),
        ("branch='next', production=False", "test.next"),
    ] {
        let expected = format!("project demo branch {branch}");
        head(
            &format!("@project(name='demo', {arguments})"),
            "",
            &expected,
        );
    }
}

#[test]
fn triggers_are_events_and_their_fields() {
    let alpha = "alpha = Parameter('Alpha', default=1)\n    b = Parameter('b', default='')";
    for (decorator, line) in [
        // The only event gives every parameter the field of its name.
        ("trigger(event='new.data')", "new.data Alpha=alpha b=b"),
        (
            "trigger(event={'name': 'a', 'parameters': {'alpha': 'x'}})",
            "a Alpha=x",
        ),
        (
            "trigger(events=[{'name': 'a', 'parameters': ['b', ('alpha', 'x')]}, 'c'])",
            "a b=b Alpha=x",
        ),
        ("trigger(events=['a', 'c'])", "c"),
        (
            "trigger(events=[namespaced_event_name('a'), 'c'])",
            "mfns.a",
        ),
        (
            "project(name='shop', branch='next')\n@trigger(events=[{'name': namespaced_event_name('a')}, 'c'])",
            "mfns.shop.test.next.a",
        ),
    ] {
        head(&format!("@{decorator}"), alpha, &format!("trigger {line}"));
    }
    head(
        "@trigger(event='a', options={'reset_at': {'cron': '0 6 ? * * *'}})",
        "",
        "triggers reset at \"0 6 * * *\" in UTC",
    );
}

#[test]
fn triggers_are_flows_of_projects() {
    for (flow, name) in [
        ("'Other'", "Other"),
        ("'demo.prod.x.Other'", "demo.prod.x.Other"),
        (
            "{'name': 'Other', 'project': 'demo', 'project_branch': 'prod'}",
            "demo.prod.Other",
        ),
    ] {
        let decorator = format!("@trigger_on_finish(flow={flow})");
        head(&decorator, "", &format!("trigger metaflow.{name}.end"));
    }
    for (flow, name) in [
        ("'Other'", "shop.prod.Other"),
        (
            "{'name': 'Other', 'project_branch': 'test.a'}",
            "shop.test.a.Other",
        ),
        ("{'name': 'Other', 'project': 'demo'}", "demo.prod.Other"),
    ] {
        let decorator =
            format!("@project(name='shop', production=True)\n@trigger_on_finish(flows=[{flow}])");
        head(&decorator, "", &format!("trigger metaflow.{name}.end"));
    }
}
