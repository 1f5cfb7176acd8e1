//! A task forked from a warm interpreter is what it would be in a fresh one.

use super::world::World;

/// Runs forked and with a fresh interpreter for each task.
#[track_caller]
fn same(world: &World, expected: &str) {
    for arguments in [&[][..], &["--no-fork"]] {
        assert_eq!(world.runs(arguments).stdout, expected, "{arguments:?}");
    }
}

#[test]
fn unseeded_random_numbers_differ_between_tasks() {
    let head = "import random\nimport numpy";
    let body = "self.drawn = (random.random(), float(numpy.random.random()))";
    let join = "drawn = [task.drawn for task in inputs]\nprint([len(set(column)) for column in zip(*drawn)])";
    same(&World::foreach(head, 5, body, join), "[join/t] [5, 5]\n");
}

#[test]
fn a_seed_at_module_level_gives_every_task_the_same_numbers() {
    let head = "import random\nimport numpy\nrandom.seed(7)\nnumpy.random.seed(7)";
    let body = "self.drawn = (random.random(), float(numpy.random.random()))";
    let join = "print({task.drawn for task in inputs})";
    same(
        &World::foreach(head, 3, body, join),
        "[join/t] {(0.32383276483316237, 0.07630828937395717)}\n",
    );
}

#[test]
fn module_level_state_is_fresh_in_every_task() {
    let head = "import decimal\nseen = []";
    let body = "seen.append(self.input)\ndecimal.leftover = getattr(decimal, 'leftover', 0) + 1\nself.state = (seen, decimal.leftover)";
    let join = "print([task.state for task in inputs])";
    same(
        &World::foreach(head, 3, body, join),
        "[join/t] [([0], 1), ([1], 1), ([2], 1)]\n",
    );
}

#[test]
fn a_module_beside_the_flow_is_read_anew_by_every_task() {
    let world = World::foreach(
        "import beside",
        2,
        "self.n = beside.count()",
        "print([task.n for task in inputs])",
    );
    world.write(
        "beside.py",
        "calls = 0\ndef count():\n    global calls\n    calls += 1\n    return calls\n",
    );
    same(&world, "[join/t] [1, 1]\n");
}

#[test]
fn imports_that_start_threads_still_run() {
    let head = "import sys\nsys.path.insert(0, 'lib')\nimport ticking";
    let body = "self.alive = ticking.thread.is_alive()";
    let join = "print([task.alive for task in inputs])";
    let world = World::foreach(head, 2, body, join);
    std::fs::create_dir(world.path().join("lib")).unwrap();
    let ticking = "import threading\nthread = threading.Thread(target=threading.Event().wait, daemon=True)\nthread.start()\n";
    world.write("lib/ticking.py", ticking);
    same(&world, "[join/t] [True, True]\n");
}

#[test]
fn a_preloaded_package_that_starts_threads_is_not_forked() {
    let world = World::foreach(
        "import ticking",
        2,
        "self.alive = ticking.thread.is_alive()",
        "print([task.alive for task in inputs])",
    );
    std::fs::create_dir(world.path().join("lib")).unwrap();
    let ticking = "import threading\nthread = threading.Thread(target=threading.Event().wait, daemon=True)\nthread.start()\n";
    world.write("lib/ticking.py", ticking);
    let mut command = world.command(&[]);
    command.env("PYTHONPATH", world.path().join("lib"));
    let output = super::world::output(&mut command);
    assert_eq!(
        output.stdout, "[join/t] [True, True]\n",
        "{}",
        output.stderr
    );
}

#[test]
fn numpy_and_scikit_learn_fork() {
    let head = "import os\nimport numpy\nfrom sklearn import linear_model";
    let body = "numpy.ones((200, 200)) @ numpy.ones((200, 200))\nself.parent = os.getppid()";
    let world = World::foreach(
        head,
        3,
        body,
        "import sys\nprint(len({task.parent for task in inputs}), os.getppid() == inputs[0].parent)",
    );
    // With a fresh interpreter for each task the parent is flowc itself, and with a fork it is the warm interpreter.
    assert_eq!(world.runs(&[]).stdout, "[join/t] 1 True\n");
}

#[test]
fn a_base_found_by_the_users_path_is_of_the_one_class() {
    let flow = "from teambase import Base\nclass F(Base):\n    @step\n    def start(self):\n        self.seen = [self.kind, self.where()]\n        self.next(self.end)\n    @step\n    def end(self):\n        print(*self.seen)";
    let base = "import random\nfrom metaflow import FlowSpec, current\nfrom metaflow.client import Run\nclass Base(FlowSpec):\n    kind = 'base'\n    def where(self):\n        return current.step_name\n";
    let outside = flowc_tests::temp_dir();
    let world = World::new(flow);
    // Beside the flow the compiler looks for `teambase` and not for `site/teambase`.
    for site in [outside.path().join("site"), world.path().join("site")] {
        std::fs::create_dir_all(site.join("teambase")).unwrap();
        std::fs::write(site.join("teambase/__init__.py"), base).unwrap();
        for arguments in [&[][..], &["--no-fork"]] {
            let mut command = world.command(arguments);
            let output = super::world::output(command.env("PYTHONPATH", &site));
            assert_eq!(output.stdout, "[end/t] base start\n", "{}", output.stderr);
        }
    }
}
