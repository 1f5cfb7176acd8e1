"""3 x 4 x 2, and a fourth outer task whose foreach is empty, with a branch beside the inner foreach.

What a task sees is kept in artifacts, and the joins hand all of them on to the end.
"""

from metaflow import FlowSpec, current, step


class GridFlow(FlowSpec):
    @step
    def start(self):
        self.xs = ['a', 'b', 'c', 'd']
        self.next(self.x, foreach='xs')

    def look(self):
        return current.task_id, self.input, [frame[:2] for frame in self.foreach_stack()]

    @step
    def x(self):
        self.seen_x = self.look()
        self.next(self.row, self.beside)

    @step
    def row(self):
        self.ys = [] if self.input == 'd' else [self.input + str(y) for y in range(4)]
        self.next(self.y, foreach='ys')

    @step
    def y(self):
        self.seen_y = self.look()
        self.zs = [self.input + '+', self.input + '-']
        self.next(self.z, foreach='zs')

    @step
    def z(self):
        self.seen_z = self.look()
        self.next(self.z_join)

    @step
    def z_join(self, inputs):
        self.below = [one.seen_z for one in inputs]
        self.merge_artifacts(inputs, include=['seen_y'])
        self.next(self.y_join)

    @step
    def y_join(self, inputs):
        self.below = [(one.seen_y, one.below) for one in inputs]
        self.next(self.meet)

    @step
    def beside(self):
        self.seen_beside = self.look()
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.seen = (inputs.beside.seen_x, inputs.beside.seen_beside, inputs.y_join.below)
        self.next(self.x_join)

    @step
    def x_join(self, inputs):
        self.seen = [one.seen for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        expect = []
        for x, letter in enumerate('abcd'):
            own = ('t-%d' % x, letter, [(x, 4)])
            below = []
            for y in range(4 if letter != 'd' else 0):
                middle = ('t-%d-%d' % (x, y), '%s%d' % (letter, y), [(x, 4), (y, 4)])
                inner = [
                    ('t-%d-%d-%d' % (x, y, z), '%s%d%s' % (letter, y, sign), [(x, 4), (y, 4), (z, 2)])
                    for z, sign in enumerate('+-')
                ]
                below.append((middle, inner))
            expect.append((own, own, below))
        assert self.seen == expect, self.seen
        print('saw', sum(len(inner) for _, _, below in self.seen for _, inner in below))


if __name__ == "__main__":
    GridFlow()
