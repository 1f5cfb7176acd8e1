"""Made at random: ([s3 s4] s2 s5 s6 | s7 | s10? s11? s12 s13 s8 s9?) end s1 s14 s15 start.

Each step notes the way that led to it.
"""

from metaflow import FlowSpec, step


class RandomThreeFlow(FlowSpec):
    @step
    def start(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = [] + ["start %s %s" % (place, self._iteration_stack)]
        self.next(self.s15)

    @step
    def end(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["end %s %s" % (place, self._iteration_stack)]

    @step
    def s4(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s4 %s %s" % (place, self._iteration_stack)]
        self.next(self.s3)

    @step
    def s9(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s9 %s %s" % (place, self._iteration_stack)]
        self.next(self.s8)

    @step
    def s2(self, inputs):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = sorted(sum((one.trail for one in inputs), [])) + ["s2 %s %s" % (place, self._iteration_stack)]
        self.next(self.s1)

    @step
    def s12(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s12 %s %s" % (place, self._iteration_stack)]
        self.choice = len(self.trail) % 3
        self.next({0: self.s9, 1: self.s11, 2: self.s8}, condition="choice")

    @step
    def s11(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s11 %s %s" % (place, self._iteration_stack)]
        self.next(self.s10)

    @step
    def s15(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s15 %s %s" % (place, self._iteration_stack)]
        self.next(self.s14)

    @step
    def s6(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s6 %s %s" % (place, self._iteration_stack)]
        self.choice = int(self._iteration_stack[-1] > 0)
        self.next({0: self.s6, 1: self.s5}, condition="choice")

    @step
    def s14(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s14 %s %s" % (place, self._iteration_stack)]
        self.next(self.s6, self.s7, self.s13)

    @step
    def s1(self, inputs):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = sorted(sum((one.trail for one in inputs), [])) + ["s1 %s %s" % (place, self._iteration_stack)]
        self.next(self.end)

    @step
    def s13(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s13 %s %s" % (place, self._iteration_stack)]
        self.next(self.s12)

    @step
    def s7(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s7 %s %s" % (place, self._iteration_stack)]
        self.next(self.s1)

    @step
    def s8(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s8 %s %s" % (place, self._iteration_stack)]
        self.next(self.s1)

    @step
    def s5(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s5 %s %s" % (place, self._iteration_stack)]
        self.items = ["one", "two"]
        self.next(self.s4, foreach="items")

    @step
    def s10(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s10 %s %s" % (place, self._iteration_stack)]
        self.next(self.s8)

    @step
    def s3(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s3 %s %s" % (place, self._iteration_stack)]
        self.next(self.s2)


if __name__ == "__main__":
    RandomThreeFlow()
