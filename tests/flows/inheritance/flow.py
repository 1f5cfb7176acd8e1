"""Steps, parameters, constants and decorators that come from base classes in other files."""

import shared.steps.training
from metaflow import step
from shared import Reported


class InheritanceFlow(shared.steps.training.Trained, Reported):
    """The last class of five."""

    level = "flow"

    @step
    def end(self):
        self.order = [cls.__name__ for cls in type(self).__mro__ if "Flow" not in cls.__name__]
        self.said = self.report(self.trained)


if __name__ == "__main__":
    InheritanceFlow()
