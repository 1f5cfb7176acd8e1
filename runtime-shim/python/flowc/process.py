"""The process around a task: descriptors, the flow file as `__main__`, the end."""

import os
import sys

from . import debugger, flowspec, modules
from .exceptions import CopyOver, Fault, TaskOver
from .foreach import ForeachFrame
from .run_step import EXIT_CONFIGURATION, Runner
from .wire import EXIT_LOST, PROTOCOL, Wire

CONTROL_FD = 100
"""The socket moves to this descriptor or the next free one, out of the way of user code."""


def main(arguments):
    """Runs the mode named on the command line."""
    _forget_own_folder()
    debugger.refuse()
    mode = arguments[0] if arguments else None
    if arguments == ["task", "terminal"]:
        control = move_control()
        debugger.take_terminal()
        run(control)
    elif len(arguments) != 1:
        _usage()
    elif mode == "task":
        run(move_control())
    elif mode == "zygote":
        from . import zygote

        zygote.serve(move_control())
    elif mode == "show":
        from . import show

        show.main()
    elif mode == "describe":
        from . import describe

        describe.main()
    elif mode == "hook":
        from . import hooks

        hooks.main()
    elif mode == "fixture":
        from . import fixture

        fixture.main()
    else:
        _usage()


def _usage():
    sys.stderr.write(
        "usage: harness.py task [terminal]|zygote, with a socket as standard input; show|describe|hook|fixture\n"
    )
    sys.exit(2)


def _forget_own_folder():
    """Takes the folder of this package off the path: the flow's own is to be first."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [entry for entry in sys.path if entry != ours]
    # An import of ours from now on goes by the package's own path.
    sys.path_importer_cache.pop(ours, None)


def move_control():
    """Moves the socket away from standard input, which becomes empty."""
    import fcntl

    try:
        fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, CONTROL_FD)
    except OSError:
        fd = os.dup(0)
    empty_stdin()
    return fd


def empty_stdin():
    """Standard input reads as empty."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if null:
        os.close(null)


def run(fd, compiled=None):
    """Runs one task over the socket `fd`; does not return."""
    for stream in (sys.stdout, sys.stderr):
        # Lines are to be seen when they are printed, not when a buffer is full.
        stream.reconfigure(line_buffering=True)
    wire = Wire(fd)
    wire.send({"op": "hello", "protocol": PROTOCOL, "python": sys.version})
    wire.flush()
    task = wire.receive()
    wire.door = task.get("door")
    _end_with_the_shim(wire)
    if task.get("gang"):
        from . import gang

        gang.enter(task)
    modules.install()
    runner = Runner(wire, task)
    flowspec.takeover = runner.take_over
    try:
        _execute(task, runner, compiled)
    except TaskOver:
        pass
    except CopyOver as over:
        _leave_copy(over.error)
    except BaseException as error:
        try:
            runner.only_the_task(error)
        except CopyOver:
            _leave_copy(error)
        if runner.began_to_finish:
            _broken(error)
        runner.fail(error)
    leave()


def _execute(task, runner, compiled):
    file = task["file"]
    module = type(sys)("__main__")
    module.__dict__.update(
        __file__=file, __builtins__=__builtins__, __spec__=None, __annotations__={}
    )
    module.ForeachFrame = ForeachFrame
    sys.modules["__main__"] = module
    sys.argv[:] = [file]
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.path.dirname(file))
    code = compiled(file) if compiled is not None else compile_flow(file)
    exec(code, module.__dict__)
    runner.only_the_task()
    if runner.finished:
        return
    flow_class = module.__dict__.get(task["flow"])
    if not (isinstance(flow_class, type) and issubclass(flow_class, flowspec.FlowSpec)):
        raise Fault(EXIT_CONFIGURATION, "%s defines no flow `%s`" % (file, task["flow"]))
    flow = object.__new__(flow_class)
    flow._prepare(None)
    runner.run(flow)


def compile_flow(file):
    """The code of a flow file."""
    try:
        with open(file, "rb") as source:
            text = source.read()
    except OSError as error:
        raise Fault(EXIT_CONFIGURATION, "cannot read %s: %s" % (file, error.strerror))
    return compile(text, file, "exec", dont_inherit=True)


def _end_with_the_shim(wire):
    """Ends this process when the shim is gone, even while user code runs.

    The kernel signals what happens on the socket: no thread is needed, which
    user code that forks would have to share its process with.
    """
    import fcntl
    import select

    import _signal

    def look(_number, _frame):
        if wire.over or not wire.is_open():
            return
        # A signal can come while this looks, and a poll object cannot be used twice at a time.
        poll = select.poll()
        poll.register(wire.fd, 0)
        if poll.poll(0):
            # What user code started in the background ends with it.
            if os.getpgrp() == os.getpid():
                os.killpg(0, _signal.SIGKILL)
            os._exit(EXIT_LOST)

    def watch():
        try:
            fcntl.fcntl(wire.fd, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(wire.fd, fcntl.F_SETFL, fcntl.fcntl(wire.fd, fcntl.F_GETFL) | os.O_ASYNC)
        except (AttributeError, OSError):
            return  # a system without: the harness notices at its next question
        look(None, None)

    try:
        _signal.signal(_signal.SIGIO, look)
    except (AttributeError, OSError):
        return
    wire.connected = watch
    watch()


def _broken(error):
    """Ends a process whose harness failed on its way to `finish`."""
    import traceback

    traceback.print_exception(type(error), error, error.__traceback__)
    sys.stderr.flush()
    os._exit(EXIT_LOST)


def leave(code=0):
    """Ends the process as an interpreter ends, but without tearing its objects down."""
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        import atexit

        atexit._run_exitfuncs()
    except BaseException as error:
        if not isinstance(error, SystemExit):
            from . import failures

            failures.show(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(code)


def _leave_copy(error):
    """Ends a process that user code forked and that has left user code: as Python would, and without a word to the shim."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or isinstance(code, int):
            code = (code or 0) & 0xFF
        else:
            sys.stderr.write("%s\n" % (code,))
            code = 1
    elif error is not None:
        from . import failures

        failures.show(error)
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
    leave(code)
