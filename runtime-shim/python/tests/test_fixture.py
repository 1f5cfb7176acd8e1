"""`harness.py fixture`, as `flowc test step` uses it."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import unittest

HARNESS = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "flowc", "harness.py"
)


class Fixture(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = self._folder.name

    def ask(self, name, data, **request):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        whole = dict({"file": path, "folder": self.folder, "artifacts": {}, "stack": []}, **request)
        made = subprocess.run(
            [sys.executable, HARNESS, "fixture"],
            input=json.dumps(whole).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        return json.loads(made.stdout)

    def values(self, one, *names):
        found = []
        for name in names:
            with open(one[name]["path"], "rb") as file:
                data = file.read()
            self.assertEqual(len(data), one[name]["size"])
            found.append(pickle.loads(data))
        return found

    def test_json_and_pickles_hold_one_input_or_several(self):
        answer = self.ask("a.json", b'{"x": [1, null], "y": "z"}', artifacts={"y": 1, "d": 2})
        self.assertEqual(answer["count"], None)
        (one,) = answer["inputs"]
        self.assertEqual(self.values(one, "x", "y", "d"), [[1, None], "z", 2])
        self.assertEqual(one["x"]["type"], "<class 'list'>")
        large = {"x": b"x" * 100000, "s": {1}}
        answer = self.ask("a", pickle.dumps([large, {"x": 2}]))
        self.assertEqual(self.values(answer["inputs"][0], "x", "s"), [large["x"], {1}])
        dumped = {"17/body/t-0": {"x": 1}, "17/body/t-1": {"x": 2}}
        answer = self.ask("a", pickle.dumps(dumped))
        self.assertEqual([self.values(one, "x") for one in answer["inputs"]], [[1], [2]])

    def test_foreaches_are_as_a_task_would_leave_them(self):
        answer = self.ask("a.json", b'{"items": [5, 6]}', split="items")
        self.assertEqual(answer["count"], 2)
        found = self.values(answer["inputs"][0], "_foreach_var", "_foreach_num_splits")
        self.assertEqual(found, ["items", 2])
        self.assertEqual(answer["inputs"][0]["_foreach_stack"]["type"], "<class 'list'>")

    def test_what_does_not_fit_is_said(self):
        for name, data, said in (
            ("a.json", b"[1]", "it holds no artifacts by name, but 1"),
            ("a.json", b"{", "JSONDecodeError: "),
            ("a", b"nonsense", "UnpicklingError: "),
        ):
            error = self.ask(name, data)["error"]
            self.assertTrue(error.startswith(said), error)
        error = self.ask("a.json", b"{}", split="items")["error"]
        self.assertIn("it has no `items`", error)


if __name__ == "__main__":
    unittest.main()
