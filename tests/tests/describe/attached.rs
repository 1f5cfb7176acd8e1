//! What `--with` adds, and what mutators see of it, in the order of Metaflow 2.19.39.

use super::{folder, run, said};

/// Each step is mutated in another way, and tells what its mutator saw in its task.
const FLOW: &str = r#"
import os
from metaflow import FlowSpec, StepMutator, UserStepDecorator, current, retry, step


class Wrap(UserStepDecorator):
    def pre_step(self, step_name, flow, inputs=None):
        flow.wrapped = True


class See(StepMutator):
    def pre_mutate(self, mutable_step):
        self.before = ",".join(spec[0] for spec in mutable_step.decorator_specs)

    def mutate(self, mutable_step):
        specs = {spec[0]: spec[3] for spec in mutable_step.decorator_specs}
        told = {"BEFORE": self.before, "SEEN": ",".join(sorted(specs)), "TIMES": str(specs.get("retry", {}).get("times"))}
        mutable_step.add_decorator("environment", deco_kwargs={"vars": told})
        if mutable_step.has_decorator("timeout"):
            mutable_step.add_decorator(Wrap)


class Early(StepMutator):
    def pre_mutate(self, mutable_step):
        mutable_step.add_decorator("retry", deco_kwargs={"times": 3})


class Fewer(StepMutator):
    def pre_mutate(self, mutable_step):
        mutable_step.remove_decorator("retry")


class Gone(StepMutator):
    def mutate(self, mutable_step):
        mutable_step.remove_decorator("timeout")


class Over(StepMutator):
    def mutate(self, mutable_step):
        mutable_step.add_decorator("retry", deco_kwargs={"times": 2}, duplicates=3)


def told(flow):
    print(current.step_name, *(os.environ.get(name) for name in ("BEFORE", "SEEN", "TIMES")), getattr(flow, "wrapped", None))


class WithFlow(FlowSpec):
    @See
    @step
    def start(self):
        told(self)
        self.next(self.own)

    @See
    @Early
    @step
    def own(self):
        told(self)
        self.next(self.fewer)

    @See
    @Fewer
    @retry(times=4)
    @step
    def fewer(self):
        told(self)
        self.next(self.gone)

    @See
    @Over
    @Gone
    @step
    def gone(self):
        self.wrapped = None
        told(self)
        self.next(self.end)

    @step
    def end(self):
        told(self)


if __name__ == "__main__":
    WithFlow()
"#;

#[test]
fn mutators_see_what_the_option_adds_where_metaflow_shows_it() {
    let folder = folder(&[("flow.py", FLOW)]);
    let with = ["--with", "retry:times=1", "--with", "timeout:seconds=60"];
    let mut arguments = vec!["run", "flow.py", "--store", "runs"];
    arguments.extend(with);
    let output = run(folder.path(), &arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    for expected in [
        "start See See,retry,timeout 1 True",
        "own retry,Early,See Early,See,retry,timeout 3 True",
        "fewer Fewer,See Fewer,See,retry,timeout 1 True",
        "gone Gone,Over,See Gone,Over,See,retry 2 None",
        "end None None None None",
    ] {
        assert!(
            printed.contains(expected),
            "{expected}: {printed}{}",
            said(&output)
        );
    }
    // A mistake is shown in the option.
    let text = said(&run(
        folder.path(),
        &["check", "flow.py", "--with", "retry:times=77"],
    ));
    assert!(
        text.contains("FC0206") && text.contains("--> --with:1:13"),
        "{text}"
    );
    let text = said(&run(folder.path(), &["check", "flow.py", "--with", "rety"]));
    assert_eq!(text.matches("error[").count(), 1, "{text}");
    // The containers' mutators have to see it too.
    let mut arguments = vec!["compile", "flow.py", "--target", "airflow", "-o", "out"];
    let plain = run(folder.path(), &arguments);
    assert_eq!(plain.status.code(), Some(0), "{}", said(&plain));
    arguments.extend(with);
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let view = std::fs::read_to_string(folder.path().join("out/flow.ir.json")).unwrap();
    let view: serde_json::Value = serde_json::from_str(&view).unwrap();
    let retries: Vec<_> = view["steps"].as_array().unwrap().iter().collect();
    let of = |name: &str| {
        let step = retries.iter().find(|step| step["name"] == name);
        step.unwrap()["retries"].clone()
    };
    for (name, times) in [
        ("start", 1),
        ("own", 3),
        ("fewer", 1),
        ("gone", 2),
        ("end", 1),
    ] {
        assert_eq!(of(name), times, "{name}");
    }
}
