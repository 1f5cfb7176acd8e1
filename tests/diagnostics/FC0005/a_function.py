# class: main
from metaflow import FlowSpec, Parameter, step
#<- FC0005 in this file


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


def main():
    Demo()
