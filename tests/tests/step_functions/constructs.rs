//! Retry, timeout, catch, and foreaches of every width and depth.

use flowc_tests::HOOKS_SHIM;
use flowc_tests::constructs::CONSTRUCTS;

use super::world::{World, shared};

const HEAD: &str = "import os\nimport time\nfrom metaflow import FlowSpec, Parameter, catch, current, retry, step, timeout\n\n\n";

/// A flow with exit hooks: those named `told` are meant to be called.
fn hooked(class: &str, body: &str, hooks: &str) -> String {
    let functions = "from metaflow import exit_hook


def told_first():
    print('hook first', flush=True)


def told_and_fails():
    raise ValueError('no such channel')


def told_and_dies():
    print('hook dies', flush=True)
    os.kill(shim(), 15)


def told_last(run):
    print('hook last', run.pathspec, run.successful, getattr(run.data, 'tries', None), flush=True)


def never():
    print('hook never', flush=True)


";
    let class_line = format!("class {class}(");
    let decorated = format!("{HOOKS_SHIM}{functions}@exit_hook({hooks})\n{class_line}");
    flow(class, body).replacen(&class_line, &decorated, 1)
}

/// What the hooks printed.
fn hooks(world: &World<'_>, run: &str) -> Vec<String> {
    let printed = world.printed(run).into_iter();
    let logs = printed.filter(|(step, _)| step == "flowc-exit-hooks");
    let lines = logs.flat_map(|(_, log)| log.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|line| line.starts_with("hook ")).collect()
}

fn flow(class: &str, body: &str) -> String {
    format!("{HEAD}class {class}(FlowSpec):\n{body}\n\nif __name__ == '__main__':\n    {class}()\n")
}

/// Files of attempts below a task's folder, as `step/task/N`.
fn attempts(keys: &[String]) -> Vec<String> {
    let mut found: Vec<_> = keys
        .iter()
        .filter_map(|key| key.strip_suffix(".attempt.json"))
        .filter(|key| !key.starts_with("_parameters"))
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

#[test]
fn a_task_is_tried_as_often_as_written() {
    let body = "
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count < 2:
            raise ValueError('attempt %d' % current.retry_count)
        self.tries = current.retry_count
        self.next(self.caught)

    @catch(var='problem')
    @retry(times=1, minutes_between_retries=0)
    @step
    def caught(self):
        raise KeyError('never')
        self.next(self.late)

    @catch(var='late_problem')
    @timeout(seconds=2)
    @step
    def late(self):
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        print('tries', self.tries, 'problem', self.problem.type if hasattr(self.problem, 'type') else self.problem)
        print('late', self.late_problem is not None)
";
    let called = "on_success=[told_first, told_and_dies, told_last], on_error=[never]";
    let world = World::new(shared(), &hooked("TriesFlow", body, called), "");
    world.deploy();
    let ended = world.trigger(&[]);
    ended.assert("succeeded");
    // The container that died was started again, for the functions that were left.
    let last = format!("hook last {} True 2", ended.name);
    let expected = ["hook first", "hook dies", last.as_str()];
    assert_eq!(hooks(&world, &ended.name), expected);
    // One for each task, for the input and for the hooks.
    assert_eq!(world.transitions(&ended.name), 4 + 1 + 1);
    assert_eq!(
        attempts(&world.keys(&ended.name)),
        [
            "caught/t/0",
            "caught/t/1",
            "end/t/0",
            "late/t/0",
            "start/t/0",
            "start/t/1",
            "start/t/2"
        ]
    );
    let printed = world.printed(&ended.name);
    let end = &printed.iter().find(|(step, _)| step == "end").unwrap().1;
    assert!(end.contains("tries 2 problem"), "{end}");
    assert!(end.contains("late True"), "{end}");
}

#[test]
fn a_failure_ends_the_run_and_is_told() {
    let body = "
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        raise ValueError('no such shard')
        self.next(self.end)

    @step
    def end(self):
        pass
";
    let called = "on_error=[told_first, told_and_fails, told_last], on_success=[never]";
    let world = World::new(shared(), &hooked("FailsFlow", body, called), "");
    world.deploy();
    let ended = world.trigger(&[]);
    ended.assert("failed");
    let last = format!("hook last {} False None", ended.name);
    assert_eq!(hooks(&world, &ended.name), ["hook first", last.as_str()]);
    // After the hooks the failure itself.
    assert_eq!(world.transitions(&ended.name), 1 + 1 + 2);
    assert_eq!(
        attempts(&world.keys(&ended.name)),
        ["start/t/0", "start/t/1"]
    );
    assert!(
        ended.status.contains("ValueError: no such shard"),
        "{}",
        ended.status
    );
}

#[test]
fn a_task_that_takes_too_long_fails() {
    let body = "
    @timeout(seconds=1)
    @step
    def start(self):
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass
";
    let world = World::new(shared(), &flow("LateFlow", body), "");
    world.deploy();
    let ended = world.trigger(&[]);
    ended.assert("failed");
    let printed = world.printed(&ended.name);
    assert!(
        printed[0]
            .1
            .contains("timed out after 0 hours, 0 minutes, 1 seconds"),
        "{printed:?}"
    );
}

fn wide(class: &str) -> String {
    let body = "
    width = Parameter('width', default=200)

    @step
    def start(self):
        self.items = list(range(self.width))
        self.next(self.square, foreach='items')

    @step
    def square(self):
        self.squared = self.input ** 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.squares = [task.squared for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print('squares', self.squares == [number ** 2 for number in range(self.width)], len(self.squares))
";
    flow(class, body)
}

#[test]
fn a_foreach_of_two_hundred() {
    let world = World::new(shared(), &wide("WideFlow"), "");
    world.deploy();
    let ended = world.trigger(&[]);
    ended.assert("succeeded");
    let printed = world.printed(&ended.name);
    assert_eq!(printed.len(), 203);
    // One for each task, for the input and for the foreach.
    assert_eq!(world.transitions(&ended.name), 203 + 1 + 1);
    let end = &printed.iter().find(|(step, _)| step == "end").unwrap().1;
    assert!(end.contains("squares True 200"), "{end}");
}

#[test]
fn a_foreach_over_nothing() {
    let world = World::new(shared(), &wide("NothingFlow"), "");
    world.deploy();
    let ended = world.trigger(&["--width", "0"]);
    ended.assert("failed");
    let printed = world.printed(&ended.name);
    assert_eq!(printed.len(), 1, "{printed:?}");

    let world = World::new(shared(), &wide("EmptyFlow"), "empty_foreach = \"join\"");
    world.deploy();
    let ended = world.trigger(&["--width", "0"]);
    ended.assert("succeeded");
    let printed = world.printed(&ended.name);
    let steps: Vec<_> = printed.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(steps, ["start", "join", "end"]);
}

/// A foreach in a foreach in a branch, in both forms that an outermost one can have.
#[test]
fn foreaches_nest() {
    let body = "
    @step
    def start(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.outer = [2, 0, 3]
        self.next(self.over, foreach='outer')

    @step
    def over(self):
        self.inner = list(range(self.input))
        self.next(self.each, foreach='inner')

    @step
    def each(self):
        self.pair = [frame[3] if len(frame) > 3 else frame for frame in self.foreach_stack()]
        self.value = self.input
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.values = [task.value for task in inputs]
        self.next(self.outer_join)

    @step
    def outer_join(self, inputs):
        self.all = [task.values for task in inputs]
        self.next(self.both)

    @step
    def right(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        self.all = inputs.left.all if hasattr(inputs.left, 'all') else inputs[0].all
        self.next(self.end)

    @step
    def end(self):
        print('all', self.all)
";
    // The branch that the join sees is the last step of it.
    let body = body.replace(
        "inputs.left.all if hasattr(inputs.left, 'all') else inputs[0].all",
        "inputs.outer_join.all",
    );
    // Of a foreach that shares its execution the width is read first.
    for (class, mode, outer) in [("NestFlow", "distributed", 1), ("InlineFlow", "inline", 2)] {
        let more = format!(
            "empty_foreach = \"join\"\n[profile.default.step-functions]\nforeach = \"{mode}\""
        );
        let world = World::new(shared(), &flow(class, &body), &more);
        world.deploy();
        let ended = world.trigger(&[]);
        ended.assert("succeeded");
        let printed = world.printed(&ended.name);
        let end = &printed.iter().find(|(step, _)| step == "end").unwrap().1;
        assert!(end.contains("all [[0, 1], [], [0, 1, 2]]"), "{end}");
        // One for each task, the input and the split; three inner foreaches.
        let tasks = u64::try_from(printed.len()).unwrap();
        assert_eq!(tasks, 6 + 3 + 5 + 3);
        let transitions = world.transitions(&ended.name);
        assert_eq!(transitions, tasks + 1 + 1 + outer + 3 * 2, "{mode}");
        let mut each: Vec<_> = printed
            .iter()
            .map(|(step, _)| step.as_str())
            .filter(|step| step.starts_with("each"))
            .collect();
        each.sort_unstable();
        assert_eq!(
            each,
            [
                "each[0-0]",
                "each[0-1]",
                "each[2-0]",
                "each[2-1]",
                "each[2-2]"
            ]
        );
    }
}

/// A child that fails ends the map, and what failed is told with its index.
#[test]
fn a_failing_iteration_is_told_by_its_index() {
    let body = "
    @step
    def start(self):
        self.items = [0, 1, 2]
        self.next(self.work, foreach='items')

    @step
    def work(self):
        if self.input == 1:
            os._exit(99)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
";
    let world = World::new(shared(), &flow("OneFailsFlow", body), "");
    world.deploy();
    let ended = world.trigger(&[]);
    ended.assert("failed");
    let printed = world.printed(&ended.name);
    assert!(
        printed.iter().all(|(step, _)| step != "join"),
        "{printed:?}"
    );
}

/// The flows of the matrix whose way is decided as they run; what their last step prints.
#[test]
fn switches_and_loops_run() {
    let flows = [
        ("one_step", "OneStepFlow", "only", "hello world"),
        ("custom_ends", "CustomEndsFlow", "publish", "3"),
        (
            "switch",
            "SwitchFlow",
            "end",
            "start cut stack tie weigh lift",
        ),
        (
            "switch_in_branch",
            "SwitchInBranchFlow",
            "end",
            "['25', 'left']",
        ),
        (
            "switch_in_foreach",
            "SwitchInForeachFlow",
            "end",
            "['None', '[([0, 0], 11), ([0, 1], 21)]', 'single b']",
        ),
        ("loop", "LoopFlow", "end", "9 1.4142150140500531"),
        ("loop_in_foreach", "LoopInForeachFlow", "end", "[1, 3]"),
    ];
    for (name, class, last, says) in flows {
        let construct = CONSTRUCTS.iter().find(|it| it.class == class).unwrap();
        assert_eq!(construct.name, name);
        let text = std::fs::read_to_string(construct.file()).unwrap();
        let world = World::new(shared(), &text, "");
        world.deploy();
        let ended = world.trigger(&[]);
        ended.assert("succeeded");
        let printed = world.printed(&ended.name);
        if name == "switch" {
            // One for each task and the input, two for each of the three switches.
            assert_eq!(world.transitions(&ended.name), 7 + 1 + 3 * 2);
        }
        let end = printed.iter().find(|(step, _)| step == last);
        assert!(
            end.is_some_and(|(_, text)| text.contains(says)),
            "{name}: {printed:?}"
        );
    }
}

#[test]
fn a_job_fetches_its_secrets_and_its_log_hides_them() {
    let bed = shared();
    bed.boto("client('secretsmanager').create_secret(Name='team/db', SecretString='{\"password\": \"hunter2-there\"}')");
    let body = "
    @secrets(sources=['aws-secrets-manager.team/db'])
    @step
    def start(self):
        print('password is', os.environ['password'], len(os.environ['password']))
        self.next(self.end)

    @step
    def end(self):
        print('after', os.environ.get('password'))";
    let text = flow("SecretFlow", body).replacen("retry, step", "retry, secrets, step", 1);
    let world = World::new(bed, &text, "");
    world.deploy();
    let ended = world.trigger(&[]);
    ended.assert("succeeded");
    let printed = world.printed(&ended.name);
    let log = |step: &str| {
        let mut logs = printed.iter().filter(|(key, _)| key == step);
        logs.next().unwrap().1.trim().to_owned()
    };
    assert_eq!(log("start"), "password is *** 13");
    assert_eq!(log("end"), "after None");
}
