"""A branch of the diamond."""

from .common import Common


class Reported(Common):
    """Brings a helper and hides a constant of the common base."""

    color = "green"
    shape = "round"

    def report(self, total):
        """What the end says."""
        return "%s %s %s: %s" % (self.level, self.color, self.shape, total)
