"""A flow that an event starts; here it is started without one."""

from metaflow import FlowSpec, Parameter, current, step, trigger


def seen():
    """Names of the events that started the run."""
    started = current.get("trigger")
    return [event.name for event in started] if started else []


@trigger(event={"name": "prices.new", "parameters": {"day": "date", "shops": "shops"}})
class TriggerFlow(FlowSpec):
    day = Parameter("day", default="2026-01-31")
    shops = Parameter("shops", default=2)

    @step
    def start(self):
        self.events = seen()
        self.numbers = list(range(self.shops))
        self.next(self.price, foreach="numbers")

    @step
    def price(self):
        self.line = "%s: shop %d, %s" % (self.day, self.input, seen())
        self.next(self.join)

    @step
    def join(self, inputs):
        self.lines = [each.line for each in inputs]
        self.same = all(each.events == seen() for each in inputs)
        self.next(self.end)

    @step
    def end(self):
        self.report = "\n".join(self.lines + [str(seen())])
        print(self.report)


if __name__ == "__main__":
    TriggerFlow()
