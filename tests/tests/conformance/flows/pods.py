# refused by step-functions: FC0302
# refused by argo: FC0302
from metaflow import FlowSpec, kubernetes, step


class PodsFlow(FlowSpec):
    """What can be asked of a pod where each pod is made by itself."""

    @kubernetes(namespace="other", image_pull_secrets=["pull"], qos="Guaranteed")
    @step
    def start(self):
        self.next(self.end)

    @kubernetes(node_selector="disk=ssd,zone=a", gpu=2, gpu_vendor="amd", secrets="one")
    @step
    def end(self):
        pass


if __name__ == "__main__":
    PodsFlow()
