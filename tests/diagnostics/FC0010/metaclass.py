from metaflow import FlowSpec, step


class Register(type):
    pass


class Demo(FlowSpec, metaclass=Register):
#                    ^^^^^^^^^^^^^^^^^^ FC0010 known only when Python runs
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
