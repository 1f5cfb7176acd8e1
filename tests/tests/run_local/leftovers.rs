//! Copies, descriptors, output and shared memory that a step leaves; the debugger.

use std::process::Stdio;

use super::world::{World, output};

#[test]
fn a_step_may_fork_close_descriptors_and_leave_things() {
    let world = World::new(
        "import os, subprocess, sys
from multiprocessing import shared_memory
class F(FlowSpec):
    @step
    def start(self):
        if os.fork() == 0:
            sys.exit(0)
        os.wait()
        self.memory = shared_memory.SharedMemory(create=True, size=8)._name
        os.closerange(3, 256)
        subprocess.Popen(['sh', '-c', 'sleep 1; echo late'])
        self.next(self.end)

    @step
    def end(self):
        print(os.path.exists('/dev/shm/' + self.memory.strip('/')))",
    );
    for arguments in [&[][..], &["--no-fork"]] {
        let ran = world.runs(arguments);
        assert_eq!(
            ran.stdout, "[start/t] late\n[end/t] False\n",
            "{}",
            ran.stderr
        );
        let run = world.latest();
        let run = format!("F/{}", run.file_name().unwrap().to_str().unwrap());
        let logs = output(world.flowc("logs").arg(run));
        assert!(logs.stdout.contains("late"), "{}", logs.stdout);
    }
}

/// Runs a command on a terminal of its own, and types a line at each prompt.
const TERMINAL: &str = "
import os, pty, sys
typed = sys.argv[1].split('|')
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b''
answered = 0
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    while answered < len(typed) and seen.count(b'(Pdb) ') > answered:
        os.write(terminal, typed[answered].encode() + b'\\n')
        answered += 1
sys.stdout.write(seen.decode().replace('\\r', ''))
sys.exit(os.waitpid(pid, 0)[1] >> 8)
";

const FLOW: &str = "class F(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.body, foreach='items')

    @step
    def body(self):
        x = 40 + self.input
        breakpoint()
        print('after', x)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass";

#[test]
fn a_debugger_has_the_terminal() {
    let world = World::new(FLOW);
    world.write("terminal.py", TERMINAL);
    world.write("body.json", "{\"items\": [1, 2]}");
    let on_terminal = |typed: &str, arguments: &[&str]| {
        let mut command = world.flowc("run");
        let program = command.get_program().to_owned();
        command = std::process::Command::new(flowc_tests::metaflow_python());
        command
            .current_dir(world.path())
            .env("FLOWC_PYTHON", flowc_tests::metaflow_python())
            .env("METAFLOW_HOME", world.path().join("no-settings"))
            .env("USER", "ann")
            .env("NO_COLOR", "1")
            .args(["terminal.py", typed])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null());
        output(&mut command)
    };
    // One task at a time stops at the breakpoint, whatever its step's width.
    let typed =
        "p x + 100|import sys; print([f.isatty() for f in (sys.stdin, sys.stdout)])|c|p x + 100|c";
    let ran = on_terminal(typed, &["run", "flow.py", "--pdb"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    for said in [
        "\n141\n",
        "\n[True, True]\n",
        "after 41\n",
        "\n142\n",
        "after 42\n",
    ] {
        assert!(ran.stdout.contains(said), "no {said:?} in {}", ran.stdout);
    }
    let run = world.latest();
    let run = format!("F/{}", run.file_name().unwrap().to_str().unwrap());
    let logs = output(world.flowc("logs").arg(run));
    assert!(
        logs.stdout.contains("after 41") && logs.stdout.contains("after 42"),
        "{}",
        logs.stdout
    );
    let arguments = ["test", "step", "flow.py", "body", "--fixture", "body.json"];
    let tested = on_terminal("p x + 100|c", &arguments);
    assert_eq!(tested.code, Some(0), "{}", tested.stdout);
    assert!(tested.stdout.contains("\n141\n"), "{}", tested.stdout);

    // Where there is no terminal, or several tasks would want it, the way is named.
    let failed = world.run(&[]);
    assert_eq!(failed.code, Some(1));
    assert!(
        failed.stderr.contains("`flowc run FLOW --pdb`"),
        "{}",
        failed.stderr
    );
    assert!(!failed.stderr.contains("BdbQuit"), "{}", failed.stderr);
    let many = on_terminal("c", &["run", "flow.py", "--pdb", "--max-workers", "2"]);
    assert_eq!(many.code, Some(2), "{}", many.stdout);
    assert!(many.stdout.contains("FC4028"), "{}", many.stdout);
    let mut without = std::process::Command::new("setsid");
    let program = world.flowc("run").get_program().to_owned();
    let refused = output(
        without
            .arg("--wait")
            .arg(program)
            .args(["run", "flow.py", "--pdb"])
            .current_dir(world.path()),
    );
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("FC4028"), "{}", refused.stderr);
}
