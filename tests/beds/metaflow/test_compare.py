"""The comparison itself: what it calls equal and what it does not. Runs in the Metaflow bed."""

import copy
import gzip
import hashlib
import json
import os
import pickle
import tempfile
import unittest

import compare
from compare import Broken, Run, differ


class Thing:
    def __init__(self, x):
        self.x = x


class Values(unittest.TestCase):
    def equal(self, left, right=None):
        self.assertIsNone(differ(left, pickle.loads(pickle.dumps(left)) if right is None else right, "a"))

    def unequal(self, left, right, where):
        found = differ(left, right, "a")
        self.assertIsNotNone(found)
        self.assertTrue(found.startswith(where), found)

    def test_plain(self):
        self.equal({"a": [1, 2.5, None, {"x"}], "b": (True, b"x", float("nan"))})
        self.equal({"a": 1, "b": 2}, {"b": 2, "a": 1})
        self.equal(Thing([1, Thing(2)]))
        self.unequal({"a": [1, 2]}, {"a": [1, 3]}, "a['a'][1]")
        self.unequal([1], [1, 2], "a: lengths")
        self.unequal(1, 1.0, "a: a int and a float")
        self.unequal(True, 1, "a")
        self.unequal({1, 2}, {1, 3}, "a")
        self.unequal(Thing([1]), Thing([2]), "a")
        self.unequal({"a": 1}, {"b": 1}, "a: keys")

    def test_cycles(self):
        left, right, other = [1], [1], [2]
        for each in (left, right, other):
            each.append(each)
        self.equal(left, right)
        self.unequal(left, other, "a[0]")

    def test_arrays(self):
        import numpy

        self.equal(numpy.array([1.0, float("nan")]))
        self.equal(numpy.array([1, "x", None], dtype=object))
        self.equal(numpy.float64(2.5))
        self.equal(numpy.random.RandomState(3))
        self.unequal(numpy.arange(3), numpy.arange(4), "a: int64(3,)")
        self.unequal(numpy.arange(3), numpy.arange(3.0), "a")
        self.unequal(numpy.arange(3), numpy.array([0, 1, 3]), "a: arrays")
        self.unequal(numpy.random.RandomState(3), numpy.random.RandomState(4), "a")
        self.unequal([numpy.float64(2.5)], [numpy.float64(3.5)], "a[0]")

    def test_frames(self):
        import pandas

        frame = pandas.DataFrame({"x": [1, 2], "s": ["a", None]}, index=["i", "j"])
        self.equal(frame)
        self.equal(frame["x"])
        for change in ({"x": [1, 3]}, {"x": [1.0, 2.0]}):
            self.unequal(frame, frame.assign(**change), "a")
        self.unequal(frame, frame.rename(index={"i": "k"}), "a")

    def test_estimators(self):
        import numpy
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        random = numpy.random.RandomState(0)
        x, y = random.rand(60, 3), random.randint(0, 2, 60)
        forest = RandomForestClassifier(4, random_state=1).fit(x, y)
        self.equal(forest)
        self.equal(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y))
        self.unequal(forest, RandomForestClassifier(4, random_state=2).fit(x, y), "a")
        changed = copy.deepcopy(forest)
        changed.estimators_[2].tree_.value[0] += 0.5
        self.unequal(forest, changed, "a")


class Runs(unittest.TestCase):
    def store(self, tasks):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = os.path.join(folder.name, "F")
        for (step, task), artifacts in tasks.items():
            place = os.path.join(root, "1", step, task)
            os.makedirs(place)
            objects = {}
            for name, value in artifacts.items():
                data = pickle.dumps(value, 4)
                key = objects[name] = hashlib.sha1(data).hexdigest()
                os.makedirs(os.path.join(root, "data", key[:2]), exist_ok=True)
                with open(os.path.join(root, "data", key[:2], key), "wb") as out:
                    out.write(gzip.compress(data))
            for suffix, text in (("attempt.json", "{}"), ("data.json", json.dumps({"objects": objects})), ("DONE.lock", '""')):
                with open(os.path.join(place, "0." + suffix), "w") as out:
                    out.write(text)
        return Run(folder.name, "F", "1")

    def test_tasks_are_matched_by_place(self):
        frame = compare.ForeachFrame("work", "xs", 2, 1, "b")
        import __main__

        __main__.ForeachFrame = compare.ForeachFrame
        left = self.store({("start", "1"): {"x": 1}, ("work", "3"): {"y": {"q", "r"}, "_foreach_stack": [frame]}})
        right = self.store({("start", "t"): {"x": 1}, ("work", "t-1"): {"y": {"r", "q"}, "_foreach_stack": [frame]}})
        report = compare.compare(left, right)
        self.assertEqual((report["equal"], report["tasks"], report["artifacts"]), (True, 2, 3))

    def test_differences_are_named(self):
        left = self.store({("start", "1"): {"x": 1, "only": 2}, ("gone", "2"): {}})
        right = self.store({("start", "t"): {"x": 5}})
        report = compare.compare(left, right)
        self.assertFalse(report["equal"])
        self.assertEqual(
            [(d.get("task"), d.get("artifact"), d["reason"]) for d in report["different"]],
            [
                ("gone", None, "only in the left run"),
                ("start", "only", "only in the left run"),
                ("start", "x", "x: 1 and 5"),
            ],
        )

    def test_nothing_compared_is_no_equality(self):
        empty = self.store({("start", "1"): {}})
        self.assertFalse(compare.compare(empty, empty)["equal"])

    def test_an_attempt_that_is_not_done(self):
        run = self.store({("start", "1"): {"x": 1}})
        with open(os.path.join(run.root, "1", "start", "1", "1.attempt.json"), "w") as out:
            out.write("{}")
        with self.assertRaises(Broken):
            Run(os.path.dirname(run.root), "F", "1")


if __name__ == "__main__":
    unittest.main()
