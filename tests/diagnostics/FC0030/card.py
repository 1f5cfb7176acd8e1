from metaflow import FlowSpec, card, step


class Demo(FlowSpec):
    @card(type="default")
#    ^^^^ FC0030 no card is drawn
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
