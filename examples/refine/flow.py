from metaflow import FlowSpec, Parameter, step


class RefineFlow(FlowSpec):
    """Fits a line to measured pairs, pass after pass until it no longer gets better, and publishes it if it is good.

    A loop is a switch that may choose its own step; another switch decides what becomes of the result.
    """

    limit = Parameter("limit", default=0.01, help="The largest error of a line that is published.")

    # A pass that lowers the error by less is the last one.
    tolerance = 0.001

    @step
    def start(self):
        """Read the pairs: Anscombe's third set, which has an outlier."""
        self.x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
        self.y = [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73]
        self.kept = list(range(len(self.x)))
        self.errors = []
        self.next(self.fit)

    @step
    def fit(self):
        """Fit a line to the pairs that are kept, and drop the one that fits worst."""
        x, y = ([values[i] for i in self.kept] for values in (self.x, self.y))
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        spread = sum((a - mean_x) ** 2 for a in x)
        self.slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / spread
        self.intercept = mean_y - self.slope * mean_x
        residuals = {i: abs(self.line(self.x[i]) - self.y[i]) for i in self.kept}
        self.errors.append(sum(error**2 for error in residuals.values()) / len(self.kept))
        gain = self.errors[-2] - self.errors[-1] if len(self.errors) > 1 else None
        if gain is None or gain > self.tolerance:
            self.kept.remove(max(residuals, key=residuals.get))
            self.more = "yes"
        else:
            self.more = "no"
        self.next({"yes": self.fit, "no": self.judge}, condition="more")

    @step
    def judge(self):
        """Decide by the error of the last pass."""
        self.is_good = self.errors[-1] <= self.limit
        self.next({True: self.publish, False: self.report}, condition="is_good")

    @step
    def publish(self):
        """Write the line down."""
        self.told = "y = %.3f + %.3f x" % (self.intercept, self.slope)
        self.next(self.end)

    @step
    def report(self):
        """Say that there is none."""
        self.told = "no line fits: the error is %.6f" % self.errors[-1]
        self.next(self.end)

    @step
    def end(self):
        """Show the outcome."""
        print("%s after %d passes" % (self.told, len(self.errors)))

    def line(self, x):
        return self.intercept + self.slope * x


if __name__ == "__main__":
    RefineFlow()
