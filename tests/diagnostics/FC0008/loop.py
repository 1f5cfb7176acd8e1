from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.more = "yes"
        self.next(self.work)

    @step
    def work(self):
        self.more = "no"
        self.next({"yes": self.work, "no": self.end}, condition="more")
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0008 a choice between steps

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
