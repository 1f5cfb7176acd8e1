//! What a target can do, as data; one shared pass compares it with a plan.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::{ConfigForm, Gang, Literal};
use flowc_core::ir::plan::{Attributes, Plan, PlanStep, Trigger};

use crate::{Target, project};

/// What a target makes of `@batch` or of `@kubernetes`.
#[derive(Clone, Copy, Debug)]
pub enum Decorator {
    /// Refused as a whole: it asks for another system.
    Refused {
        /// Completes "…; help: ".
        instead: &'static str,
    },
    /// These attributes are mapped, besides the resources that every target knows (`cpu`, `memory`, `gpu`, …).
    /// An attribute outside the list is refused.
    Mapped(&'static [&'static str]),
    /// Has no meaning here and changes no result: the whole decorator is accepted and not used (the local runner).
    Accepted,
}

/// A row per construct. `Capabilities::NONE` can do nothing, so that a new row is refused until a target takes it up.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a table whose cells are yes and no"
)]
pub struct Capabilities {
    /// Foreach inside a foreach.
    pub nested_foreach: bool,
    /// A switch: `self.next({...}, condition="...")`.
    pub switch: bool,
    /// A switch that may choose its own step again.
    pub loops: bool,
    /// A gang: `self.next(self.x, num_parallel=...)`, whose tasks run at the same time.
    pub gang: bool,
    /// `@schedule`; without it a schedule is refused.
    pub schedule: bool,
    /// `@trigger`; without it an event is refused.
    pub trigger: bool,
    /// `@trigger_on_finish`; without it a run that starts another is refused.
    pub trigger_on_finish: bool,
    /// Runs that start once several events, or runs of several flows, have come.
    pub several_triggers: bool,
    /// `@exit_hook`; without it a hook is refused.
    pub exit_hooks: bool,
    /// Defaults of parameters that Python computes when the run starts.
    pub computed_defaults: bool,
    /// GPUs.
    pub gpu: bool,
    /// An amount of scratch disk.
    pub disk: bool,
    /// An amount of shared memory.
    pub shared_memory: bool,
    /// `@batch`.
    pub batch: Decorator,
    /// `@kubernetes`.
    pub kubernetes: Decorator,
}

impl Capabilities {
    /// Can do nothing beyond steps, splits and a foreach.
    pub const NONE: Self = Self {
        nested_foreach: false,
        switch: false,
        loops: false,
        gang: false,
        schedule: false,
        trigger: false,
        trigger_on_finish: false,
        several_triggers: false,
        exit_hooks: false,
        computed_defaults: false,
        gpu: false,
        disk: false,
        shared_memory: false,
        batch: Decorator::Refused {
            instead: "use `@resources`, which every target understands",
        },
        kubernetes: Decorator::Refused {
            instead: "use `@resources`, which every target understands",
        },
    };
}

/// Everything in the plan that the target cannot do: FC0301 for constructs, FC0302 for attributes.
pub fn check(plan: &Plan, target: &dyn Target) -> Diagnostics {
    let can = target.capabilities();
    let mut pass = Pass {
        target: target.name(),
        found: Diagnostics::default(),
    };
    if let Some(undecided) = project::undecided(plan) {
        pass.found.push(undecided);
    }
    if let Some(schedule) = plan.schedule.as_ref().filter(|_| !can.schedule) {
        pass.construct(
            "`@schedule`",
            schedule.span,
            "remove it and start runs from outside",
        );
    }
    if let Some(triggers) = &plan.triggers {
        let can_wait = can.several_triggers;
        let (what, can) = match triggers.on.first() {
            Some(Trigger::Run { .. }) => ("`@trigger_on_finish`", can.trigger_on_finish),
            Some(Trigger::Event { .. }) | None => ("`@trigger`", can.trigger),
        };
        if !can {
            let help = "remove it, and start runs by `@schedule` or from outside";
            pass.construct(what, triggers.span, help);
        } else if let Some(second) = triggers.on.get(1).filter(|_| !can_wait) {
            let what = format!("{what} by more than one thing");
            let help = "wait for one of them, and look in the start step whether the others are there; or divide the flow";
            pass.construct(&what, second.span(), help);
        }
    }
    for hook in plan.exit_hooks.iter().filter(|_| !can.exit_hooks) {
        let help = "remove it: let the target's own notifications report how runs end, and do what belongs to the flow in its end step";
        pass.construct("`@exit_hook`", hook.span, help);
    }
    for options in plan.exit_hooks.iter().filter_map(|hook| hook.options) {
        if can.exit_hooks {
            let help =
                "remove them: one container calls all functions, with the image of the start step";
            pass.attribute("`options` of `@exit_hook`", options, help);
        }
    }
    for parameter in &plan.parameters {
        if parameter.computed_default.is_some() && !can.computed_defaults {
            let what = format!("the computed default of parameter `{}`", parameter.name);
            pass.construct(
                &what,
                parameter.span,
                "write a literal default, or compute the value in the start step",
            );
        }
    }
    for (_, step) in plan.steps.iter() {
        pass.step(plan, step, can);
    }
    pass.configs(plan);
    pass.found
}

struct Pass {
    target: &'static str,
    found: Diagnostics,
}

impl Pass {
    /// A bundle is the same bytes wherever it is made, and reads the same in any Python: a pickle is neither.
    fn configs(&mut self, plan: &Plan) {
        for (name, config) in &plan.configs {
            let ConfigForm::Pickle { because } = &config.form else {
                continue;
            };
            let message = format!(
                "the value of the configuration `{name}` cannot be part of a deployment for {}",
                self.target
            );
            let help = "let its parser return texts, numbers, booleans, lists, tuples, sets and dictionaries of them; `flowc run` takes the value as it is";
            let found = Diagnostic::error(Code::FC0031, message, config.span, "declared here");
            self.found.push(found.note(because.clone()).help(help));
        }
    }

    fn step(&mut self, plan: &Plan, step: &PlanStep, can: &Capabilities) {
        if step.foreach.len() > 1 && !can.nested_foreach {
            self.nested(plan, step);
        }
        if step.is_switch() && !can.switch {
            let help = "decide inside one step with `if`, or compile for another target";
            self.construct(
                &format!("the switch in step `{}`", step.name),
                step.span,
                help,
            );
        } else if step.repeats() && !can.loops {
            let help = "loop inside the step, or compile for another target";
            self.construct(
                &format!("the loop of step `{}`", step.name),
                step.span,
                help,
            );
        }
        if let Some(gang) = step.gang().filter(|_| !can.gang) {
            self.gang(plan, step, gang);
        }
        let resources = &step.resources;
        let asks = [
            ("gpu", resources.gpu > 0 && !can.gpu),
            ("disk", resources.disk_mib.is_some() && !can.disk),
            (
                "shared_memory",
                resources.shared_memory_mib.is_some() && !can.shared_memory,
            ),
        ];
        for (name, refused) in asks {
            if refused {
                let what = format!("`{name}` of step `{}`", step.name);
                self.attribute(&what, step.span, "remove it, or compile for another target");
            }
        }
        self.decorator("batch", step.batch.as_ref(), step, can.batch);
        self.decorator("kubernetes", step.kubernetes.as_ref(), step, can.kubernetes);
    }

    fn gang(&mut self, plan: &Plan, step: &PlanStep, gang: Gang) {
        let message = format!(
            "{} does not support the gang that step `{}` starts",
            self.target, step.name
        );
        let mut found = Diagnostic::error(
            Code::FC0301,
            message,
            gang.span,
            "these tasks must run at the same time",
        );
        if let Some(node) = step.next.first() {
            found = found.label(plan.steps[*node].span, "this step runs as a gang");
        }
        self.found.push(found.help(
            "run it with `flowc run`, or use `foreach` and leave `@parallel` away if the tasks do not talk to each other",
        ));
    }

    /// Said once for each inner foreach: at its first step.
    fn nested(&mut self, plan: &Plan, step: &PlanStep) {
        let Some(split) = step.foreach.last() else {
            return;
        };
        let opens_it = step.parents.first() == Some(split);
        if !opens_it {
            return;
        }
        let split = &plan.steps[*split];
        let outer = &plan.steps[step.foreach[step.foreach.len() - 2]];
        let message = format!(
            "{} does not support a foreach inside a foreach",
            self.target
        );
        self.found.push(
            Diagnostic::error(
                Code::FC0301,
                message,
                split.span,
                "the inner foreach opens here",
            )
            .label(outer.span, "the outer one opens here")
            .help("iterate over the pairs in one foreach, or compile for another target"),
        );
    }

    fn decorator(
        &mut self,
        name: &str,
        written: Option<&Attributes>,
        step: &PlanStep,
        can: Decorator,
    ) {
        let Some(written) = written else {
            return;
        };
        match can {
            Decorator::Accepted => {}
            Decorator::Refused { instead } => {
                let span = written
                    .values
                    .values()
                    .next()
                    .map_or(step.span, |(_, span)| *span);
                self.attribute(&format!("`@{name}` of step `{}`", step.name), span, instead);
            }
            Decorator::Mapped(known) => {
                for (attribute, (value, span)) in &written.values {
                    // `None` is how an author says that an attribute is not given.
                    if *value != Literal::None && !known.contains(&attribute.as_str()) {
                        let what = format!("`{attribute}` of `@{name}`");
                        self.attribute(&what, *span, "remove it, or compile for another target");
                    }
                }
            }
        }
    }

    fn construct(&mut self, what: &str, span: flowc_core::source::Span, help: &str) {
        let message = format!("{} does not support {what}", self.target);
        self.found
            .push(Diagnostic::error(Code::FC0301, message, span, "not supported").help(help));
    }

    fn attribute(&mut self, what: &str, span: flowc_core::source::Span, help: &str) {
        let message = format!("{} does not support {what}", self.target);
        self.found
            .push(Diagnostic::error(Code::FC0302, message, span, "not supported").help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{plan, source};
    use crate::{BundleFile, Options, Placeholder};

    struct Fake(Capabilities);

    impl Target for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }

        fn capabilities(&self) -> &'static Capabilities {
            Box::leak(Box::new(self.0))
        }

        fn placeholders(&self, _plan: Option<&Plan>) -> Vec<Placeholder> {
            Vec::new()
        }

        fn emit(&self, _: &Plan, _: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
            (None, Diagnostics::default())
        }
    }

    /// What is found, as code and the text that is marked.
    #[track_caller]
    fn check_source(body: &str, can: Capabilities, expect: &[(Code, &str)]) {
        let source = source(body);
        let found = check(&plan(&source), &Fake(can));
        let marked = |item: &Diagnostic| {
            let span = item.labels[0].span;
            (
                item.code,
                source[span.start as usize..span.end as usize].to_owned(),
            )
        };
        let found: Vec<_> = found.iter().map(marked).collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(code, text)| (*code, (*text).to_owned()))
            .collect();
        assert_eq!(found, expect);
    }

    const NESTED: &str = "class F(FlowSpec):
    @step
    def start(self):
        self.next(self.outer, foreach='xs')
    @step
    def outer(self):
        self.next(self.a, foreach='ys')
    @step
    def a(self):
        self.next(self.b)
    @step
    def b(self):
        self.next(self.j1)
    @step
    def j1(self, inputs):
        self.next(self.j2)
    @step
    def j2(self, inputs):
        self.next(self.end)
    @step
    def end(self):
        pass
";

    fn one_step(decorator: &str) -> String {
        format!(
            "class F(FlowSpec):\n    {decorator}\n    @step\n    def start(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n"
        )
    }

    #[test]
    fn a_nested_foreach_is_said_once_where_it_opens() {
        check_source(NESTED, Capabilities::NONE, &[(Code::FC0301, "outer")]);
        let can = Capabilities {
            nested_foreach: true,
            ..Capabilities::NONE
        };
        check_source(NESTED, can, &[]);
    }

    #[test]
    fn an_exit_hook_is_refused_where_it_stands() {
        let hook = "exit_hook(on_error=['tell'])";
        let source = format!("@{hook}\n{}", one_step(""));
        check_source(&source, Capabilities::NONE, &[(Code::FC0301, hook)]);
        let can = Capabilities {
            exit_hooks: true,
            ..Capabilities::NONE
        };
        check_source(&source, can, &[]);
    }

    #[test]
    fn options_of_an_exit_hook_are_refused() {
        let can = Capabilities {
            exit_hooks: true,
            ..Capabilities::NONE
        };
        let hook = |options: &str| {
            let hook = format!("exit_hook(on_error=['tell'], options={options})");
            format!("@{hook}\n{}", one_step(""))
        };
        let image = "{'image': 'own:1'}";
        check_source(&hook(image), can, &[(Code::FC0302, image)]);
        check_source(&hook("{}"), can, &[]);
    }

    #[test]
    fn a_trigger_is_refused_where_it_stands() {
        for written in [
            "trigger(event='new_data')",
            "trigger_on_finish(flow='Other')",
        ] {
            let source = format!("@{written}\n{}", one_step(""));
            check_source(&source, Capabilities::NONE, &[(Code::FC0301, written)]);
            let can = Capabilities {
                trigger: written.starts_with("trigger("),
                trigger_on_finish: !written.starts_with("trigger("),
                ..Capabilities::NONE
            };
            check_source(&source, can, &[]);
        }
    }

    #[test]
    fn the_second_trigger_is_refused_where_all_must_come() {
        for (written, second) in [
            ("trigger(events=['one', 'two'])", "'two'"),
            ("trigger_on_finish(flows=['One', 'Two'])", "'Two'"),
        ] {
            let source = format!("@{written}\n{}", one_step(""));
            let can = Capabilities {
                trigger: true,
                trigger_on_finish: true,
                ..Capabilities::NONE
            };
            check_source(&source, can, &[(Code::FC0301, second)]);
            let can = Capabilities {
                several_triggers: true,
                ..can
            };
            check_source(&source, can, &[]);
        }
    }

    #[test]
    fn a_gang_is_refused_where_it_starts() {
        let starts = |call: &str| {
            format!(
                "class F(FlowSpec):\n    @step\n    def start(self):\n        self.n = 2\n        {call}\n    @parallel\n    @step\n    def work(self):\n        self.next(self.gather)\n    @step\n    def gather(self, inputs):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n"
            )
        };
        for count in ["num_parallel=4", "num_parallel=self.n"] {
            let source = starts(&format!("self.next(self.work, {count})"));
            check_source(&source, Capabilities::NONE, &[(Code::FC0301, count)]);
            let can = Capabilities {
                gang: true,
                ..Capabilities::NONE
            };
            check_source(&source, can, &[]);
        }
    }

    #[test]
    fn attributes_are_refused_where_they_stand() {
        let none = Capabilities::NONE;
        check_source(
            &one_step("@resources(gpu=1)"),
            none,
            &[(Code::FC0302, "start")],
        );
        check_source(
            &one_step("@batch(queue='q')"),
            none,
            &[(Code::FC0302, "'q'")],
        );
        check_source(&one_step("@kubernetes"), none, &[(Code::FC0302, "start")]);
        let mapped = Capabilities {
            batch: Decorator::Mapped(&["queue"]),
            ..none
        };
        check_source(&one_step("@batch(queue='q', cpu=2)"), mapped, &[]);
        check_source(
            &one_step("@batch(queue='q', log_driver='x')"),
            mapped,
            &[(Code::FC0302, "'x'")],
        );
        check_source(&one_step("@batch(queue='q', log_driver=None)"), mapped, &[]);
        let accepted = Capabilities {
            kubernetes: Decorator::Accepted,
            ..none
        };
        check_source(&one_step("@kubernetes(image='x')"), accepted, &[]);
    }

    #[test]
    fn a_schedule_is_refused_where_nothing_starts_runs() {
        let body = format!("@schedule(daily=True)\n{}", one_step(""));
        check_source(
            &body,
            Capabilities::NONE,
            &[(Code::FC0301, "schedule(daily=True)")],
        );
    }
}
