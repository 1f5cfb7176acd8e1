"""Made at random: (s3 | [s5] s10? s11? s12? s13 s4 s6 s7? s8? s9?) end s1 s14 s2 start.

Each step notes the way that led to it.
"""

from metaflow import FlowSpec, step


class RandomOneFlow(FlowSpec):
    @step
    def s5(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s5 %s %s" % (place, self._iteration_stack)]
        self.next(self.s4)

    @step
    def s9(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s9 %s %s" % (place, self._iteration_stack)]
        self.next(self.s8)

    @step
    def start(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = [] + ["start %s %s" % (place, self._iteration_stack)]
        self.next(self.s14)

    @step
    def s14(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s14 %s %s" % (place, self._iteration_stack)]
        self.next(self.s3, self.s13)

    @step
    def s8(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s8 %s %s" % (place, self._iteration_stack)]
        self.next(self.s7)

    @step
    def s13(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s13 %s %s" % (place, self._iteration_stack)]
        self.choice = len(self.trail) % 2
        self.next({0: self.s9, 1: self.s12}, condition="choice")

    @step
    def s1(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s1 %s %s" % (place, self._iteration_stack)]
        self.choice = int(self._iteration_stack[-1] > 0)
        self.next({0: self.s1, 1: self.end}, condition="choice")

    @step
    def s11(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s11 %s %s" % (place, self._iteration_stack)]
        self.next(self.s10)

    @step
    def s12(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s12 %s %s" % (place, self._iteration_stack)]
        self.next(self.s11)

    @step
    def s2(self, inputs):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = sorted(sum((one.trail for one in inputs), [])) + ["s2 %s %s" % (place, self._iteration_stack)]
        self.next(self.s1)

    @step
    def s6(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s6 %s %s" % (place, self._iteration_stack)]
        self.items = ["one", "two"]
        self.next(self.s5, foreach="items")

    @step
    def end(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["end %s %s" % (place, self._iteration_stack)]

    @step
    def s7(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s7 %s %s" % (place, self._iteration_stack)]
        self.next(self.s6)

    @step
    def s10(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s10 %s %s" % (place, self._iteration_stack)]
        self.next(self.s6)

    @step
    def s4(self, inputs):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = sorted(sum((one.trail for one in inputs), [])) + ["s4 %s %s" % (place, self._iteration_stack)]
        self.next(self.s2)

    @step
    def s3(self):
        place = [frame.index for frame in self._foreach_stack]
        self.trail = self.trail + ["s3 %s %s" % (place, self._iteration_stack)]
        self.next(self.s2)


if __name__ == "__main__":
    RandomOneFlow()
