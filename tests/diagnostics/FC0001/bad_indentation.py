from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.count = 1
            self.more = 2
#<- FC0001 syntax error: unexpected indentation
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
