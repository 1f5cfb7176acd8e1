"""A function that is called once a run is over."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HARNESS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "flowc", "harness.py")

FLOW = """
from metaflow import FlowSpec, exit_hook, step

def told(run):
    print("told", run)

class Told:
    def method(**given):
        print("method", given)

def fails():
    raise ValueError("no such channel")

not_callable = 1

@exit_hook(on_success=[told])
@exit_hook(on_error=[fails])
class F(FlowSpec):
    @step
    def start(self):
        pass
"""


class Hooks(unittest.TestCase):
    def call(self, function):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file = os.path.join(folder.name, "flow.py")
        with open(file, "w") as flow:
            flow.write(FLOW)
        asked = json.dumps({"file": file, "function": function, "run": "F/1"})
        # Without the site packages there is no Metaflow, whoever installed it.
        return subprocess.run(
            [sys.executable, "-S", "-E", HARNESS, "hook"],
            input=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )

    def test_without_metaflow_there_is_no_run(self):
        done = self.call("told")
        self.assertEqual((done.returncode, done.stdout), (0, "told None\n"))
        self.assertIn("no `run` for the exit hook", done.stderr)

    def test_dotted_names(self):
        self.assertEqual(self.call("Told.method").stdout, "method {'run': None}\n")
        self.assertEqual(self.call("os.getcwd").returncode, 0)

    def test_a_failure_is_shown_without_our_lines(self):
        done = self.call("fails")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("  File "), 1)
        self.assertIn("ValueError: no such channel", done.stderr)

    def test_what_cannot_be_called(self):
        for name in ("nothing", "not_callable", "os.nothing"):
            done = self.call(name)
            self.assertEqual(done.returncode, 1)
            self.assertIn("there is no function `%s` in flow.py" % name, done.stderr)


if __name__ == "__main__":
    unittest.main()
