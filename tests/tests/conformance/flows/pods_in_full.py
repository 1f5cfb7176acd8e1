# refused by step-functions: FC0302
from metaflow import FlowSpec, kubernetes, step


class PodsInFullFlow(FlowSpec):
    """Everything that can be asked of a pod."""

    @kubernetes(
        image_pull_secrets=["pull"],
        compute_pool="gpus",
        use_tmpfs=True,
        tmpfs_size=64,
        tmpfs_path="/scratch",
        persistent_volume_claims={"corpus": "/corpus", "models": "/var/models"},
        port=8080,
        extended_resources={"example.com/fpga": 1},
        executable="/opt/python/bin/python3",
        tolerations=[{"key": "spot", "operator": "Exists", "effect": "NoExecute", "toleration_seconds": 60}],
        security_context={"run_as_user": 1001, "run_as_group": 1001, "run_as_non_root": True},
    )
    @step
    def start(self):
        self.next(self.end)

    @kubernetes(tmpfs_size=10, tmpfs_tempdir=False, qos="Burstable", security_context={"privileged": True})
    @step
    def end(self):
        pass


if __name__ == "__main__":
    PodsInFullFlow()
