"""Artifacts that are written while they are hashed, and read while they are verified."""

import io
import os
import pickle
import sys
import unittest

from driver import HARNESS, Driver
from flows import one_step

sys.path.insert(0, os.path.dirname(os.path.dirname(HARNESS)))
from flowc import unverified  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None

LARGE = 2 << 20

touched = []


def touch():
    """What a pickle calls that was tampered with."""
    touched.append(True)


class Holder:
    """Reduces to a call of something else than numpy, with a large buffer."""

    def __reduce_ex__(self, _protocol):
        return bytes, (pickle.PickleBuffer(bytearray(LARGE)),)


class Refused(Exception):
    pass


class Recorder(io.BytesIO):
    """Remembers how far it was read when the check was asked for."""

    at = None

    def check(self):
        self.at = self.tell()

    def refuse(self):
        self.check()
        raise Refused


CALL = b"c" + __name__.encode() + b"\ntouch\n(tR."
"""Opcodes that call `touch`."""


class Heads(unittest.TestCase):
    def end(self, value, protocol=5):
        data = pickle.dumps(value, protocol)
        return data, unverified.plain_end(data[: unverified.HEAD])

    def test_one_run_of_bytes(self):
        for value, protocol in ((bytes(LARGE), 4), (bytearray(LARGE), 5)):
            data, end = self.end(value, protocol)
            self.assertIn(len(data) - end, range(1, 30))

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_arrays(self):
        plain = numpy.arange(LARGE // 8, dtype=float)
        frozen = plain.copy()
        frozen.flags.writeable = False
        for value in (plain, frozen, numpy.asfortranarray(plain.reshape(512, -1))):
            data, end = self.end(value)
            self.assertIn(len(data) - end, range(1, 200))

    def test_what_needs_a_look_first(self):
        for value in (Holder(), [bytes(LARGE)], {"a": bytearray(LARGE)}, "x" * LARGE, bytes(1000), None):
            self.assertEqual(self.end(value)[1], 0, type(value))
        for head in (b"", b"\x80", b"\x80\x05", b"\x80\x05\x95", b"\x80\x05\x8c", b"\x80\x05\x8e\0\0", b"cos\nsystem\n"):
            self.assertEqual(unverified.plain_end(head), 0, head)


class Gate(unittest.TestCase):
    def test_plain_bytes_come_before_the_verdict_and_nothing_else(self):
        head = b"\x80\x05\x96" + LARGE.to_bytes(8, "little")
        file = Recorder(head + bytes(LARGE) + b"0" + CALL)
        with self.assertRaises(Refused):
            unverified.load(file, pickle.Unpickler, file.refuse)
        self.assertEqual((file.at, touched), (len(head) + LARGE, []))

    def test_without_plain_bytes_the_verdict_comes_first(self):
        file = Recorder(b"\x80\x05" + CALL)
        with self.assertRaises(Refused):
            unverified.load(file, pickle.Unpickler, file.refuse)
        self.assertEqual((file.at, touched), (0, []))

    def test_a_pickle_that_ends_early_is_judged_by_its_bytes(self):
        data = pickle.dumps(bytearray(LARGE), 5)
        file = Recorder(data[: LARGE // 2])
        with self.assertRaises(Refused):
            unverified.load(file, pickle.Unpickler, file.refuse)

    def test_values_come_back(self):
        values = [bytes(LARGE), bytearray(LARGE), Holder(), {"a": bytearray(LARGE)}, 5]
        if numpy is not None:
            values.append(numpy.arange(LARGE, dtype=float))
        for value in values:
            data = pickle.dumps(value, 5)
            file = Recorder(data)
            found = unverified.load(file, pickle.Unpickler, file.check)
            self.assertEqual(pickle.dumps(found, 5), pickle.dumps(pickle.loads(data), 5))
            self.assertIsNotNone(file.at)


class Tasks(unittest.TestCase):
    def pair(self, make, verdict):
        driver = Driver(
            one_step("self.large = %s" % make).replace("        pass", "        print(len(self.large))")
        )
        self.addCleanup(driver.close)
        start = driver.run("start", next=["end"])
        self.assertTrue(start.finish["ok"], start.stderr)
        driver.verdict = verdict
        return start, driver.run("end", [start], kind="end")

    def test_user_code_sees_a_value_after_the_verdict(self):
        for make in ("bytearray(3 << 20)", "[0.5] * (1 << 20)"):
            _, end = self.pair(make, {"op": "ok"})
            self.assertTrue(end.finish["ok"], end.stderr)
            self.assertEqual(end.asked[:2], ["load", "check"])
            self.assertIn(end.stdout, ("%d\n" % (3 << 20), "%d\n" % (1 << 20)))

    def test_user_code_never_sees_a_value_that_is_refused(self):
        for make in ("bytearray(3 << 20)", "[0.5] * (1 << 20)"):
            _, end = self.pair(make, {"op": "error", "exit": 21, "message": "corrupt"})
            self.assertEqual((end.code, end.finish, end.stdout), (70, None, ""))
            self.assertEqual(end.asked, ["load", "check"])

    def test_large_files_are_told_of_while_they_grow(self):
        for make in ("bytes(40 << 20)", "['%06d' % n for n in range(4 << 20)]"):
            start, _ = self.pair(make, None)
            size = start.objects["large"]["size"]
            sizes = [size for _, size in start.grown]
            self.assertEqual(len({path for path, _ in start.grown}), 1)
            self.assertGreater(len(sizes), 2)
            self.assertEqual(sizes, sorted(set(sizes)))
            self.assertLessEqual(sizes[-1], size)
            self.assertLess(size - sizes[-1], 9 << 20)


if __name__ == "__main__":
    unittest.main()
