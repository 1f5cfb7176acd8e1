from metaflow import FlowSpec, step


class AgainFlow(FlowSpec):
    @step
    def start(self):
        self.state = "done"
        self.next({"more": self.start, "done": self.end}, condition="state")
#                          ^^^^^^^^^^ FC0111 the start step cannot be entered again

    @step
    def end(self):
        pass


if __name__ == "__main__":
    AgainFlow()
