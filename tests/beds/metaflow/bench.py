"""Measures flowc and Metaflow side by side on this machine and prints the ratios.

    bench.py FLOWC [--repeat N] [NAME…]     NAME: compile, run, artifacts, requests; all by default

Both are whole processes, as a user starts them. Runs alternate, and the ratio is that of the medians.
What Metaflow's compiler asks of AWS is answered by moto on this machine, which is nearer than AWS is.
"""

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import flows

BUCKET = "flowc-bench"
ROLE = "arn:aws:iam::123456789012:role/flowc-bench"


class Bench:
    """One folder with the flows, one moto server, and the table of results."""

    def __init__(self, folder, flowc, repeat):
        self.folder, self.flowc, self.repeat = folder, flowc, repeat
        self.rows = []
        self.requests = 0
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("METAFLOW_")
        }
        self.environment.update(
            HOME=folder,
            METAFLOW_USER="bench",
            METAFLOW_DEFAULT_METADATA="local",
            METAFLOW_DATASTORE_SYSROOT_LOCAL=folder,
            OMP_NUM_THREADS="1",
            PYTHONDONTWRITEBYTECODE="1",
        )

    def run(self, command, **extra):
        """Runs a command and returns its wall time in seconds."""
        started = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=dict(self.environment, **extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
        took = time.perf_counter() - started
        if done.returncode != 0:
            raise SystemExit("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stdout[-4000:]))
        return took

    def beside(self, what, metaflow, ours, goal, repeat=None):
        """Measures two commands in turn and adds a row."""
        times = [], []
        for _ in range(repeat or self.repeat):
            for command, taken in zip((metaflow, ours), times):
                taken.append(self.run(command))
        left, right = (statistics.median(taken) for taken in times)
        self.row(what, "%.3f s" % left, "%.3f s" % right, left / right, goal)

    def row(self, what, left, right, ratio, goal):
        self.rows.append((what, left, right, "%.1f" % ratio, goal))
        print("%-44s %14s %14s %8.1f   %s" % (what, left, right, ratio, goal), flush=True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    @contextlib.contextmanager
    def aws(self):
        """Runs moto, with what Metaflow's compiler wants to find, and counts the requests."""
        moto = os.path.join(os.path.dirname(sys.executable), "moto_server")
        server = subprocess.Popen(
            [moto, "-H", "127.0.0.1", "-p", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        address = None
        for line in server.stderr:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                address = found.group()
                break
        if address is None:
            raise SystemExit("moto did not start")
        threading.Thread(target=self._count, args=(server.stderr,), daemon=True).start()
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address + "/moto-api/", timeout=5)
                break
            time.sleep(0.1)
        self.environment.update(
            AWS_ENDPOINT_URL=address,
            AWS_ALLOW_HTTP="true",
            METAFLOW_S3_ENDPOINT_URL=address,
            AWS_ACCESS_KEY_ID="bench",
            AWS_SECRET_ACCESS_KEY="bench",
            AWS_DEFAULT_REGION="us-east-1",
            METAFLOW_DATASTORE_SYSROOT_S3="s3://%s/metaflow" % BUCKET,
            METAFLOW_BATCH_JOB_QUEUE="bench",
            METAFLOW_ECS_S3_ACCESS_IAM_ROLE=ROLE,
            METAFLOW_SFN_IAM_ROLE=ROLE,
            METAFLOW_SFN_DYNAMO_DB_TABLE="bench",
            METAFLOW_KUBERNETES_NAMESPACE="default",
        )
        self._populate(address)
        try:
            yield
        finally:
            server.terminate()
            server.wait()

    def _count(self, lines):
        for line in lines:
            if re.search(r'"(GET|PUT|HEAD|POST|DELETE) /%s' % BUCKET, line):
                self.requests += 1

    def _populate(self, address):
        import boto3

        def client(name):
            return boto3.client(
                name,
                endpoint_url=address,
                region_name="us-east-1",
                aws_access_key_id="bench",
                aws_secret_access_key="bench",
            )

        client("s3").create_bucket(Bucket=BUCKET)
        batch = client("batch")
        iam, ec2 = client("iam"), client("ec2")
        iam.create_role(RoleName="flowc-bench", AssumeRolePolicyDocument="{}")
        profile = iam.create_instance_profile(InstanceProfileName="flowc-bench")["InstanceProfile"]
        batch.create_compute_environment(
            computeEnvironmentName="bench",
            type="MANAGED",
            state="ENABLED",
            serviceRole=ROLE,
            computeResources={
                "type": "EC2",
                "minvCpus": 0,
                "maxvCpus": 1,
                "instanceRole": profile["Arn"],
                "instanceTypes": ["m5.large"],
                "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
                "securityGroupIds": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
            },
        )
        batch.create_job_queue(
            jobQueueName="bench",
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "bench"}],
        )

    def metaflow(self, file, *arguments, datastore="local"):
        return [sys.executable, file, "--no-pylint", "--datastore", datastore, *arguments]

    def compile(self):
        """Compiles 5 and 200 steps for each target."""
        print("compile, whole process")
        with self.aws():
            for steps in (5, 200):
                file = self.write("steps%d.py" % steps, flows.linear("Steps%dFlow" % steps, steps))
                for target, arguments in (
                    ("step-functions", ["step-functions", "create", "--only-json"]),
                    ("argo", ["argo-workflows", "create", "--only-json"]),
                    ("airflow", ["airflow", "create", os.path.join(self.folder, "dag.py")]),
                ):
                    out = os.path.join(self.folder, "bundle-%s" % target)
                    slow = steps == 200 and target == "step-functions"
                    self.beside(
                        "compile %d steps, %s" % (steps, target),
                        self.metaflow(file, *arguments, datastore="s3"),
                        [self.flowc, "compile", file, "--target", target, "-o", out],
                        ">= 100",
                        repeat=1 if slow else None,
                    )

    def local_runs(self):
        """Runs a small flow, and a wide one."""
        print("run, whole process")
        for what, text, goal, repeat in (
            ("run, 3-step hello", flows.linear("HelloFlow", 3), ">= 8", None),
            ("run, foreach of 100", flows.wide("WideFlow", 100), ">= 30", 1),
        ):
            file = self.write("%s.py" % re.sub(r"\W+", "_", what), text)
            self.beside(
                what,
                self.metaflow(file, "run"),
                [self.flowc, "run", file, "--python", sys.executable],
                goal,
                repeat=repeat,
            )

    def artifacts(self):
        """Saves and loads 1 GiB of random float64."""
        print("1 GiB of random float64: the times are measured beside user code, memory is the user's process")
        file = self.write("big.py", flows.BIG)
        commands = (
            self.metaflow(file, "run"),
            [self.flowc, "run", file, "--python", sys.executable],
        )
        found = [], []
        for _ in range(min(self.repeat, 3)):
            for command, measured in zip(commands, found):
                id_file = os.path.join(self.folder, "run-id")
                with Peak() as peak:
                    self.run([*command, "--run-id-file", id_file])
                with open(id_file) as opened:
                    measured.append((*self._big_times(opened.read().strip()), peak.bytes))
                # The next run must write its gigabyte again.
                shutil.rmtree(os.path.join(self.folder, ".metaflow", "BigFlow"))
        (save, load, peak), (our_save, our_load, our_peak) = (
            [statistics.median(column) for column in zip(*measured)] for measured in found
        )
        size = float(flows.BIG_BYTES)
        speed = lambda seconds: "%.0f MB/s" % (size / seconds / 1e6)  # noqa: E731
        self.row("save", speed(save), speed(our_save), save / our_save, ">= 20")
        self.row("load", speed(load), speed(our_load), load / our_load, ">= 10")
        times = lambda peak: "%.2f x" % (peak / size)  # noqa: E731
        self.row("memory, in sizes of the artifact", times(peak), times(our_peak), peak / our_peak, "<= 1.3 x")

    def _big_times(self, run_id):
        """When user code ended and when the task was done; and what the next one measured."""
        import metaflow

        os.environ.update(METAFLOW_DEFAULT_METADATA="local", METAFLOW_DATASTORE_SYSROOT_LOCAL=self.folder)
        metaflow.metadata("local@" + self.folder)
        metaflow.namespace(None)
        run = metaflow.Run("BigFlow/" + run_id)
        start = run["start"].task
        done = os.path.join(self.folder, ".metaflow", start.pathspec, "0.DONE.lock")
        return os.stat(done).st_mtime - start["ended"].data, run["end"].task["load_s"].data

    def store_requests(self):
        """Counts what a trivial task asks of S3: two more linear steps, and the difference halved."""
        print("requests to S3 for a trivial task")
        counts = {}
        with self.aws():
            for steps in (3, 5):
                file = self.write("req%d.py" % steps, flows.linear("Req%dFlow" % steps, steps))
                for who, command in (
                    ("metaflow", self.metaflow(file, "run", datastore="s3")),
                    (
                        "flowc",
                        [self.flowc, "run", file, "--python", sys.executable, "--store", "s3://%s/flowc" % BUCKET],
                    ),
                ):
                    # The first run fills what every later one finds: blobs of names, the code package.
                    for _ in range(2):
                        before = self.requests
                        self.run(command)
                        time.sleep(0.5)
                    counts[who, steps] = self.requests - before
        left, right = ((counts[who, 5] - counts[who, 3]) / 2 for who in ("metaflow", "flowc"))
        self.row("requests", "%.1f" % left, "%.1f" % right, left / right, "<= 8")


class Peak:
    """The largest resident size of any Python process below this one, sampled while it is entered."""

    def __enter__(self):
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _sample(self):
        while not self._stop.wait(0.02):
            for pid in _descendants(os.getpid()):
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    with open("/proc/%d/status" % pid) as file:
                        status = file.read()
                    if "python" in re.search(r"Name:\s*(\S+)", status).group(1):
                        peak = int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) * 1024
                        self.bytes = max(self.bytes, peak)


def _descendants(root):
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                with open("/proc/%s/stat" % name) as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("flowc")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("names", nargs="*")
    options = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory(prefix="flowc-bench-") as folder:
        bench = Bench(folder, os.path.abspath(options.flowc), options.repeat)
        parts = {
            "compile": bench.compile,
            "run": bench.local_runs,
            "artifacts": bench.artifacts,
            "requests": bench.store_requests,
        }
        unknown = set(options.names) - set(parts)
        if unknown:
            parser.error("unknown: %s" % ", ".join(sorted(unknown)))
        print("%-44s %14s %14s %8s   %s" % ("", "Metaflow 2.19", "flowc", "ratio", "goal"))
        for name in options.names or parts:
            parts[name]()


if __name__ == "__main__":
    main()
