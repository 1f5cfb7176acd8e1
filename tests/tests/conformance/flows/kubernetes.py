# refused by step-functions: FC0302
from metaflow import FlowSpec, kubernetes, step


class KubernetesFlow(FlowSpec):
    """What can be asked of a pod, everywhere."""

    @kubernetes(image="example.com/img:1", cpu=0.5, memory=512, disk=2048, gpu=1)
    @step
    def start(self):
        self.next(self.second)

    @kubernetes(
        service_account="runner",
        secrets=["one", "two"],
        node_selector={"disk": "ssd"},
        labels={"team": "ml"},
        annotations={"example.com/note": "yes"},
        tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        image_pull_policy="always",
        shared_memory=64,
    )
    @step
    def second(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    KubernetesFlow()
