from metaflow import FlowSpec, step


class Base(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


Made = type("Made", (Base,), {"extra": 5})
#                    ^^^^ FC0033 may change `Base`, or derive from it

if __name__ == "__main__":
    Made()
