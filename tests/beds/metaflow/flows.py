"""The flows that bench.py measures."""

BIG_BYTES = 1 << 30


def linear(name, steps):
    """A flow of that many steps in a row; each adds one small artifact and prints a line."""
    names = ["start"] + ["s%03d" % number for number in range(1, steps - 1)] + ["end"]
    lines = ["from metaflow import FlowSpec, step", "", "", "class %s(FlowSpec):" % name]
    for number, step in enumerate(names):
        lines += [
            "    @step",
            "    def %s(self):" % step,
            "        self.x%d = %d" % (number, number),
            "        print('step %d')" % number,
        ]
        if number + 1 < len(names):
            lines.append("        self.next(self.%s)" % names[number + 1])
        lines.append("")
    return "\n".join(lines + ["", "if __name__ == '__main__':", "    %s()" % name, ""])


def wide(name, width):
    """A foreach over that many trivial tasks."""
    return '''from metaflow import FlowSpec, step


class %s(FlowSpec):
    @step
    def start(self):
        self.items = list(range(%d))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.square = self.input ** 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.square for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        assert self.total == %d


if __name__ == "__main__":
    %s()
''' % (name, width, sum(number * number for number in range(width)), name)


BIG = '''import time

import numpy
from metaflow import FlowSpec, step


class BigFlow(FlowSpec):
    @step
    def start(self):
        self.big = numpy.random.default_rng(7).random(%d)
        self.ended = time.time()
        self.next(self.end)

    @step
    def end(self):
        started = time.time()
        big = self.big
        self.load_s = time.time() - started
        assert len(big) == %d


if __name__ == "__main__":
    BigFlow()
''' % (BIG_BYTES // 8, BIG_BYTES // 8)
