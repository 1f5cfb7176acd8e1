"""The base of all."""

from metaflow import FlowSpec, Parameter, current, project, retry, step

from . import limits


@project(name="inheritance", branch="next", production=True)
class Common(FlowSpec):
    """Start and a parameter."""

    alpha = Parameter("alpha", default=0.5, help="how much")
    level = "common"
    color = "blue"

    @retry(times=limits.RETRIES, minutes_between_retries=0)
    @step
    def start(self):
        """Inherited over two files."""
        self.shards = [1, 2, 3]
        self.attempts = current.retry_count
        self.where = __name__
        self.place = [current.project_name, current.branch_name, current.project_flow_name]
        self.place += [current.is_user_branch, current.is_production]
        self.next(self.train, foreach="shards")
