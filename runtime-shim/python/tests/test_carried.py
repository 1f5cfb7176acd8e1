"""Values as text: whatever a configuration holds, another Python reads the same."""

import datetime
import os
import random
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from flowc import carried  # noqa: E402

class Values:
    """Any values, always the same ones: such as JSON has if they are plain."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def leaf(self, plain):
        choose = self.random
        kind = choose.randrange(6 if plain else 8)
        if kind == 0:
            return choose.choice([None, True, False])
        if kind == 1:
            return choose.randrange(-(2 ** choose.randrange(1, 200)), 2 ** choose.randrange(1, 200))
        if kind == 2:
            return choose.choice([0.0, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308])
        if kind == 3:
            value = struct.unpack("d", choose.getrandbits(64).to_bytes(8, "little"))[0]
            return value if value - value == 0 else 0.1
        if kind < 6:
            ranges = [(32, 127), (0, 0x250), (0, 0x110000)] + [(0xD7F0, 0xE010)] * (not plain)
            found = "".join(
                chr(choose.randrange(*choose.choice(ranges))) for _ in range(choose.randrange(6))
            )
            return found.encode("utf-8", "ignore").decode("utf-8") if plain else found
        if kind == 6:
            return choose.choice([float("nan"), float("inf"), -float("inf")])
        return bytes(choose.getrandbits(8) for _ in range(choose.randrange(4)))

    def any(self, plain, depth=0):
        choose = self.random
        kind = choose.randrange(3 if depth > 3 else 9)
        if kind < 3:
            return self.leaf(plain)
        size = choose.randrange(4)
        items = [self.any(plain, depth + 1) for _ in range(size)]
        if kind < 5 or (plain and kind == 6):
            return items
        if kind == 6:
            return tuple(items)
        if plain or kind < 8:
            return {self.text(plain): item for item in items}
        return {self.key(): item for item in items}

    def text(self, plain=True):
        while True:
            found = self.leaf(plain)
            if isinstance(found, str):
                return found

    def key(self):
        found = self.leaf(False)
        return (found, self.text()) if self.random.random() < 0.3 else found


class Carried(unittest.TestCase):
    def test_json_is_read_as_it_was(self):
        values = Values(1)
        for _ in range(500):
            value = {"v": values.any(True)}
            told = carried.write("c", value)
            self.assertEqual(told["form"], "json")
            self.assertEqual(repr(carried.read("json", told["text"])), repr(value))

    def test_what_json_would_change_is_read_as_it_was(self):
        values = Values(2)
        forms = set()
        for _ in range(800):
            value = values.any(False)
            told = carried.write("c", value)
            forms.add(told["form"])
            self.assertEqual(repr(carried.read(told["form"], told["text"])), repr(value))
        self.assertEqual(forms, {"json", "literal"})

    def test_sets_and_long_numbers_have_literals(self):
        value = {frozenset("abc"): {1, "x", (2.5, None)}, "e": (set(), frozenset(), ()), "n": -(10**5000)}
        told = carried.write("c", value)
        self.assertEqual(told["form"], "literal")
        self.assertEqual(carried.read("literal", told["text"]), value)
        again = "import sys; sys.path.insert(0, %r); from flowc import carried; print(carried.literal_text(set('abcdef')))"
        again %= os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
        import subprocess

        said = {
            subprocess.run(
                [sys.executable, "-c", again],
                env=dict(os.environ, PYTHONHASHSEED=seed),
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            for seed in "123"
        }
        self.assertEqual(len(said), 1)

    def test_objects_are_pickled_and_named(self):
        deep = []
        for _ in range(300):
            deep = [deep]
        for value, because in [
            ({"a": [0, {"day": datetime.date(2026, 1, 31)}]}, "it['a'][1]['day'] is a `date`"),
            ({1: bytearray(b"x")}, "it[1] is a `bytearray`"),
            ({"deep": deep}, "is nested too deeply"),
            (1j, "it is a `complex`"),
        ]:
            told = carried.write("c", value)
            self.assertEqual(told["form"], "pickle")
            self.assertTrue(told["because"].endswith(because), told)
            self.assertEqual(carried.read("pickle", told["text"]), value)
        with self.assertRaisesRegex(Exception, "config 'c' cannot be handed on.*it\\['f'\\] is a `function`"):
            carried.write("c", {"f": lambda: 0})


if __name__ == "__main__":
    unittest.main()
