"""Runs scripts in processes that have imported already what takes seconds to import.

    forks.py MODULE...

Reads lines of JSON, `[script, argument, ...]`, and answers each with a line `{"code", "stdout", "stderr"}`.
Each script runs as `__main__` in a fork of its own, as it would run by itself.
"""

import importlib
import json
import os
import sys
import tempfile
import traceback


def child(script, arguments, outputs):
    """Ends the process with the script's exit code."""
    for descriptor, output in zip((1, 2), outputs):
        os.dup2(output.fileno(), descriptor)
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(script)
    code = 0
    try:
        main = sys.modules["__main__"].__dict__
        main["__file__"] = script
        with open(script, encoding="utf-8") as file:
            # Metaflow has put the classes of its artifacts into this module.
            exec(compile(file.read(), script, "exec"), main)
    except SystemExit as end:
        code = end.code
        if not isinstance(code, int) and code is not None:
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Nothing that belongs to the parent is closed or flushed.
    os._exit(code or 0)


def answer(script, arguments):
    """Runs the script to its end."""
    outputs = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        child(script, arguments, outputs)
    status = os.waitpid(pid, 0)[1]
    texts = []
    for output in outputs:
        output.seek(0)
        texts.append(output.read().decode("utf-8", "replace"))
        output.close()
    # A negative number is the signal that killed it.
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return {"code": code, "stdout": texts[0], "stderr": texts[1]}


for module in sys.argv[1:]:
    importlib.import_module(module)
for line in sys.stdin:
    script, *arguments = json.loads(line)
    print(json.dumps(answer(script, arguments)), flush=True)
