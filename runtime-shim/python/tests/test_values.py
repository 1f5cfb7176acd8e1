"""Parameters, pickles and what they cost."""

import os
import pickle
import unittest

from driver import Driver
from flows import one_step

try:
    import numpy
except ImportError:
    numpy = None


class Parameters(unittest.TestCase):
    def values(self, declarations, given=None, before=""):
        names = [line.split("=")[0].strip() for line in declarations.strip().splitlines()]
        body = "self.got = {n: getattr(self, n) for n in %r}" % names
        driver = Driver(
            one_step(body, before, decorators="".join("    %s\n" % line.strip() for line in declarations.strip().splitlines()))
        )
        self.addCleanup(driver.close)
        task = driver.run("start", next=["end"], parameters=given or {})
        if not task.finish["ok"]:
            raise ValueError(task.finish["exception"]["line"], task.finish["retry"])
        for name in names:
            self.assertEqual(task.parameters[name], task["got"][name])
        return task["got"]

    def test_defaults(self):
        self.assertEqual(
            self.values(
                """
                s = Parameter("s", default="x")
                i = Parameter("i", default=3)
                f = Parameter("f", default=2, type=float)
                b = Parameter("b", default=True)
                j = Parameter("j", default='{"a": [1]}', type=JSONType)
                d = Parameter("d", default={"a": 1}, type=JSONType)
                n = Parameter("n")
                l = Parameter("l", default="a,b", separator=",")
                e = Parameter("e", default="", separator=",")
                """
            ),
            {
                "s": "x",
                "i": 3,
                "f": 2.0,
                "b": True,
                "j": {"a": [1]},
                "d": {"a": 1},
                "n": None,
                "l": ["a", "b"],
                "e": "",
            },
        )

    def test_given(self):
        declared = """
            s = Parameter("s")
            i = Parameter("i", type=int)
            f = Parameter("f", default=0.5)
            b = Parameter("b", default=True)
            j = Parameter("j", type=JSONType)
            l = Parameter("the-list", separator=" ")
        """
        as_text = {"s": "7", "i": "7", "f": "7", "b": "no", "j": "[1, null]", "the-list": "a b"}
        typed = {"s": "7", "i": 7, "f": 7, "b": False, "j": [1, None], "the_list": "a b"}
        expected = {"s": "7", "i": 7, "f": 7.0, "b": False, "j": [1, None], "l": ["a", "b"]}
        for given in (as_text, typed):
            got = self.values(declared, given)
            self.assertEqual(got, expected)
            self.assertIsInstance(got["f"], float)

    def test_wrong(self):
        for declared, given, message in (
            ('i = Parameter("i", type=int)', {"i": "x"}, "parameter `i` cannot be 'x': that is no int"),
            ('b = Parameter("b", type=bool)', {"b": "maybe"}, "cannot be 'maybe': that is no bool"),
            ('i = Parameter("i", type=int)', {"i": float("inf")}, "cannot be inf: that is no int"),
            ('f = Parameter("f", type=float)', {"f": 10**400}, "that is no float"),
            ('j = Parameter("j", type=JSONType)', {"j": "{"}, "that is no JSON"),
            ('r = Parameter("r", required=True)', {}, "the parameter `r` has no value"),
            ('c = Parameter("c", type=int, default=lambda c: "1")', {}, "expected a int"),
            ('c = Parameter("c", default=lambda c: 1 / 0)', {}, "division by zero"),
        ):
            with self.assertRaises(ValueError) as caught:
                self.values(declared, given)
            self.assertIn(message, caught.exception.args[0])
            self.assertIs(caught.exception.args[1], False)

    def test_computed_defaults(self):
        got = self.values(
            """
            p = Parameter("the_p", default=lambda c: "%s %s %s" % (c.flow_name, c.user_name, c.parameter_name))
            q = Parameter("q", default=lambda c, deploy_time: str(deploy_time))
            r = Parameter("r", type=int, default=seven)
            """,
            before="def seven(context):\n    return 7\n",
        )
        self.assertEqual(got, {"p": "F ann the_p", "q": "False", "r": 7})

    def test_class_attributes(self):
        driver = Driver(
            one_step(
                "self.seen = (self.constant, self._private)",
                decorators='    constant = {"a": 1}\n    _private = 5\n    class Inner: pass\n    helper = staticmethod(lambda: 1)\n',
            )
        )
        self.addCleanup(driver.close)
        task = driver.run("start", next=["end"])
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task["seen"], ({"a": 1}, 5))
        self.assertEqual(task.objects["constant"], task.parameters.objects["constant"])
        self.assertEqual(task["_private"], 5)
        self.assertNotIn("helper", task.objects)


class Pickles(unittest.TestCase):
    def start(self, body, **fields):
        driver = Driver(one_step(body))
        self.addCleanup(driver.close)
        self.driver = driver
        task = driver.run("start", next=["end"], **fields)
        self.assertTrue(task.finish["ok"], task.stderr)
        return task

    def test_sizes_around_the_limits(self):
        task = self.start(
            """
            self.sizes = (0, 1000, 65000, 65536, 70000, 1 << 20, 5 << 20)
            for n in self.sizes:
                setattr(self, "b%d" % n, b"x" * n)
                setattr(self, "l%d" % n, list(range(n // 5)))
            """
        )
        for size in task["sizes"]:
            self.assertEqual(task["b%d" % size], b"x" * size)
            self.assertEqual(task["l%d" % size], list(range(size // 5)))
            self.assertEqual(task.protocol("b%d" % size), 4)
        self.assertEqual([n for n in os.listdir(self.driver.folder) if n.endswith(".pickle")], [])

    def test_a_bytearray_is_not_copied(self):
        task = self.start("self.large = bytearray(2 << 20)\nself.small = bytearray(100)")
        self.assertEqual(task.protocol("large"), 5)
        self.assertEqual(task.protocol("small"), 4)
        self.assertEqual(task["large"], bytearray(2 << 20))

    def test_small_pickles_are_byte_for_byte_those_of_the_standard_library(self):
        task = self.start("self.x = {'a': [1, 2.5, None, 'é'], 'b': (True, b'x')}")
        expected = pickle.dumps({"a": [1, 2.5, None, "é"], "b": (True, b"x")}, 4)
        self.assertEqual(pickle.loads(expected), task["x"])

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_arrays(self):
        task = self._arrays()
        for name, protocol in (
            ("large", 5),
            ("fortran", 5),
            ("strided", 4),
            ("small", 4),
            ("objects", 4),
            ("inside", 5),
            ("dates", 5),
        ):
            self.assertEqual(task.protocol(name), protocol, name)
        self.assertTrue((task["large"] == numpy.arange(1 << 18)).all())
        self.assertTrue(task["fortran"].flags.f_contiguous)
        self.assertTrue((task["inside"]["deep"][0]["x"] == numpy.arange(1 << 18)).all())
        task["large"][0] = 5

    def _arrays(self):
        return self.start(
            """
            import numpy as np
            self.large = np.arange(1 << 18, dtype=float)
            self.fortran = np.asfortranarray(np.arange(1 << 18, dtype=float).reshape(512, 512))
            self.strided = np.arange(1 << 19, dtype=float)[::2]
            self.small = np.arange(10)
            self.objects = np.array([None] * (1 << 18), dtype=object)
            self.inside = {"other": list(range(100)), "deep": [{"x": np.arange(1 << 18)}]}
            self.dates = np.arange(1 << 18).astype("datetime64[s]")
            """
        )

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_memory_for_a_large_array(self):
        """Saving and loading 256 MiB peaks at no more than 1.3 times that, above what numpy needs."""
        driver = Driver(
            """
            from metaflow import FlowSpec, step
            import atexit
            import numpy as np
            def peak():
                with open("/proc/self/status") as status:
                    for line in status:
                        if line.startswith("VmHWM"):
                            return int(line.split()[1]) << 10
            BEFORE = peak()
            atexit.register(lambda: print(peak() - BEFORE))
            class F(FlowSpec):
                @step
                def start(self):
                    self.large = np.ones(1 << 25)
                    self.next(self.end)
                @step
                def end(self):
                    assert self.large[5] == 1
                    del self.large
            F()
            """
        )
        self.addCleanup(driver.close)
        size = 1 << 28
        start = driver.run("start", next=["end"])
        self.assertTrue(start.finish["ok"], start.stderr)
        self.assertLess(int(start.stdout), 1.3 * size)
        end = driver.run("end", [start], kind="end")
        self.assertTrue(end.finish["ok"], end.stderr)
        self.assertLess(int(end.stdout), 1.3 * size)


if __name__ == "__main__":
    unittest.main()
