"""Made at random: (s2 s3 s4 | s5 s6 s7 | s8) [s14?] end s1 s10? s11? s12? s13? s15? s16 s9 start.

Each step notes the way that led to it.
"""

from metaflow import FlowSpec, step


class RandomTwoFlow(FlowSpec):
    @step
    def s11(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s11 %s %s" % (place, self._iteration_stack)]
        self.choice = int(self._iteration_stack[-1] > 0)
        self.next({0: self.s11, 1: self.s9}, condition="choice")

    @step
    def s5(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s5 %s %s" % (place, self._iteration_stack)]
        self.next(self.s1)

    @step
    def s6(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s6 %s %s" % (place, self._iteration_stack)]
        self.next(self.s5)

    @step
    def s3(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s3 %s %s" % (place, self._iteration_stack)]
        self.next(self.s2)

    @step
    def s13(self, inputs):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = sorted(sum((one.trail for one in inputs), [])) + ["s13 %s %s" % (place, self._iteration_stack)]
        self.next(self.s12)

    @step
    def end(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["end %s %s" % (place, self._iteration_stack)]

    @step
    def start(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = [] + ["start %s %s" % (place, self._iteration_stack)]
        self.next(self.s16)

    @step
    def s10(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s10 %s %s" % (place, self._iteration_stack)]
        self.next(self.s9)

    @step
    def s1(self, inputs):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = sorted(sum((one.trail for one in inputs), [])) + ["s1 %s %s" % (place, self._iteration_stack)]
        self.next(self.end)

    @step
    def s7(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s7 %s %s" % (place, self._iteration_stack)]
        self.next(self.s6)

    @step
    def s12(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s12 %s %s" % (place, self._iteration_stack)]
        self.next(self.s11)

    @step
    def s4(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s4 %s %s" % (place, self._iteration_stack)]
        self.next(self.s3)

    @step
    def s8(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s8 %s %s" % (place, self._iteration_stack)]
        self.next(self.s1)

    @step
    def s15(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s15 %s %s" % (place, self._iteration_stack)]
        self.items = ["one", "two"]
        self.next(self.s14, foreach="items")

    @step
    def s2(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s2 %s %s" % (place, self._iteration_stack)]
        self.next(self.s1)

    @step
    def s14(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s14 %s %s" % (place, self._iteration_stack)]
        self.next(self.s13)

    @step
    def s16(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s16 %s %s" % (place, self._iteration_stack)]
        self.choice = len(self.trail) % 2
        self.next({0: self.s10, 1: self.s15}, condition="choice")

    @step
    def s9(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s9 %s %s" % (place, self._iteration_stack)]
        self.next(self.s4, self.s7, self.s8)


if __name__ == "__main__":
    RandomTwoFlow()
