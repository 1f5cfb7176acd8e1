"""`harness.py show`, as `flowc dump` uses it."""

import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import unittest

HARNESS = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "flowc", "harness.py"
)

FLOW = """
import collections, enum, pickle, sys

class Point:
    def __init__(self, x):
        self.x = x

class Colour(enum.Enum):
    RED = 1

class Names(dict):
    pass

Pair = collections.namedtuple("Pair", "one two")
for name, value in {
    "point": [Point(3)], "colour": Colour.RED, "names": Names(a=1), "pair": Pair(1, 2),
}.items():
    with open(sys.argv[1] + "/" + name, "wb") as file:
        pickle.dump(value, file, 4)
"""


class Show(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = self._folder.name

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def ask(self, paths, file=None):
        artifacts = [
            {"task": "17/start/t", "name": os.path.basename(path), "path": path} for path in paths
        ]
        request = json.dumps({"artifacts": artifacts, "file": file})
        made = subprocess.run(
            [sys.executable, HARNESS, "show"],
            input=request.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        return [json.loads(line) for line in made.stdout.splitlines()]

    def told(self, *values):
        paths = [self.write("v%d" % n, pickle.dumps(value, 4)) for n, value in enumerate(values)]
        return self.ask(paths)

    def test_values_are_told_by_their_repr_and_as_json_where_that_is_the_same(self):
        answers = self.told(
            None, "ä", [1, {"a": 2.5}], (1,), math.inf, {1: 2}, b"x", True, 10**20, ["\ud800"]
        )
        self.assertEqual(
            [answer["text"] for answer in answers],
            ["None", "'ä'", "[1, {'a': 2.5}]", "(1,)", "inf", "{1: 2}", "b'x'", "True"]
            + ["1" + "0" * 20, "['\\ud800']"],
        )
        self.assertEqual(
            [answer.get("value", "-") for answer in answers],
            [None, "ä", [1, {"a": 2.5}], "-", "-", "-", "-", True, "-", "-"],
        )

    def test_what_cannot_be_read_is_an_error_of_its_own(self):
        bad = self.write("bad", b"\x80\x04nonsense")
        missing = self.write("missing", b"\x80\x04cno_such_module\nThing\n.")
        loud = self.write("loud", b"\x80\x04cbuiltins\nprint\n\x8c\x05hello\x85R.")
        answers = self.ask([bad, missing, loud])
        self.assertIn("UnpicklingError", answers[0]["error"])
        self.assertEqual(
            answers[1]["error"], "ModuleNotFoundError: No module named 'no_such_module'"
        )
        self.assertEqual(answers[2], {"text": "None", "value": None})

    def test_classes_of_the_flow_file_are_told_by_their_parts(self):
        subprocess.run([sys.executable, "-c", FLOW, self.folder], check=True)
        names = ["point", "colour", "names", "pair"]
        answers = self.ask([os.path.join(self.folder, name) for name in names])
        self.assertEqual(
            [answer.get("text") for answer in answers],
            [
                "[<Point of the flow file: x=3>]",
                "<Colour of the flow file: 1>",
                "<Names of the flow file: ('a', 1)>",
                "<Pair of the flow file: 1, 2>",
            ],
        )
        saved = self.ask([os.path.join(self.folder, "point")], os.path.join(self.folder, "out"))
        self.assertIn("the class `Point` is defined in the flow file", saved[0]["error"])

    def test_values_are_saved_as_metaflow_saves_them(self):
        paths = [self.write("a", pickle.dumps(1)), self.write("b", pickle.dumps([2]))]
        out = os.path.join(self.folder, "out")
        self.assertEqual(self.ask(paths, out), [{}])
        with open(out, "rb") as file:
            self.assertEqual(pickle.load(file), {"17/start/t": {"a": 1, "b": [2]}})


if __name__ == "__main__":
    unittest.main()
