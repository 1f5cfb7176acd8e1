from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        <<<<<<< HEAD
#       ^^ FC0001 syntax error: expected a statement
        self.count = 1
        =======
#       ^^ FC0001 syntax error: expected a statement
        self.count = 2
        >>>>>>> other
#       ^^ FC0001 syntax error: expected a statement
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
