"""Measures how long a container runs before the user's first line, for flowc and for Metaflow, on the Kubernetes bed.

    startup.py FLOWC SHIM [--repeat N]

Both run the same flow of three steps in pods, on one image: Metaflow by its own `run --with kubernetes`, in its best case, where the
image holds all that it would install; flowc by `deploy` and `trigger`. User code reads the kernel's start time of its container's
first process (clock ticks of 10 ms), so what pulls images, schedules pods and copies the shim is left out on both sides.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BED = os.path.join(HERE, "bed")
IMAGE = "docker.io/flowc/metaflow:test"
NAMESPACE = "argo"
# What Metaflow's tasks install when they start, as bench.txt pins it.
WHEELS = ("boto3", "botocore", "jmespath", "s3transfer", "python-dateutil", "six", "urllib3", "requests", "certifi",
          "charset-normalizer", "idna")  # fmt: skip
FLOW = '''\
from metaflow import FlowSpec, step


def first_line():
    import time

    with open("/proc/1/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    print("STARTED %.2f s ago" % (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / 100), flush=True)


class StartupFlow(FlowSpec):
    @step
    def start(self):
        first_line()
        self.x = 1
        self.next(self.middle)

    @step
    def middle(self):
        first_line()
        self.x += 1
        self.next(self.end)

    @step
    def end(self):
        first_line()


if __name__ == "__main__":
    StartupFlow()
'''
PROFILE = """\
[profile.default]
store = "s3://%(bucket)s"
image = "%(image)s"
shim_image = "docker.io/flowc/shim:test"
run_as_user = 1000
env = { %(env)s }
[profile.default.argo]
namespace = "%(namespace)s"
"""


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, **options)
    if done.returncode != 0:
        raise SystemExit("%s: exit %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done.stdout


def unpack(archive, folder):
    """Unpacks the layers of an image in the OCI layout."""
    with tarfile.open(archive) as layout:
        read = lambda name: json.load(layout.extractfile(name))  # noqa: E731
        blob = lambda digest: "blobs/" + digest.replace(":", "/")  # noqa: E731
        manifest = read(blob(read("index.json")["manifests"][0]["digest"]))
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=layout.extractfile(blob(layer["digest"]))) as files:
                files.extractall(folder, filter="fully_trusted")


def metaflow_image(bed, described, folder):
    """The step image, with what Metaflow's tasks install when they start; they write to their working folder, `/`, as root."""
    root = os.path.join(folder, "root")
    images = described["python"].rpartition("/root/")[0]
    unpack(os.path.join(images, "step.tar"), root)
    packages = [name for name in os.listdir(os.path.join(root, "usr/local/lib")) if name.startswith("python3")][0]
    with open(os.path.join(HERE, "../metaflow/bench.txt")) as file:
        pinned = [line.strip() for line in file if line.partition("==")[0] in WHEELS]
    requirements = os.path.join(folder, "requirements.txt")
    with open(requirements, "w") as file:
        file.write("\n".join(pinned))
    uv = run([os.path.join(HERE, "../install"), "uv"]).strip()
    target = "/usr/local/lib/%s/dist-packages" % packages
    run([uv, "pip", "install", "--quiet", "--target", root + target, "--python-version", packages[len("python") :],
         "--only-binary", ":all:", "--no-deps", "-r", requirements])  # fmt: skip
    run(["chroot", root, "/usr/bin/" + packages, "-m", "compileall", "-q", target])
    os.symlink(packages, os.path.join(root, "usr/bin/python"))
    variables = dict(described["s3"]["env"], METAFLOW_SKIP_INSTALL_DEPENDENCIES="1")
    env = [word for name, value in variables.items() for word in ("--env", "%s=%s" % (name, value))]
    run([BED, "image", bed, IMAGE, root, "--user", "0:0", *env])
    shutil.rmtree(root)


def seconds(text):
    """By step, in the order in which the steps ran."""
    found = [float(number) for number in re.findall(r"STARTED ([0-9.]+) s ago", text)]
    if len(found) != 3:
        raise SystemExit("three steps were expected to tell when they started:\n" + text)
    return found


def measure(options, bed, folder):
    described = json.loads(run([BED, "up", bed]))
    run([BED, "shim", bed, os.path.abspath(options.shim)])
    run([BED, "standin", bed, os.path.join(HERE, "../argo/crds.yaml"), NAMESPACE])
    metaflow_image(bed, described, folder)
    # Both take what is in the flow's folder along.
    folder = os.path.join(folder, "flow")
    os.mkdir(folder)
    file = os.path.join(folder, "flow.py")
    with open(file, "w") as out:
        out.write(FLOW)
    s3 = described["s3"]
    with open(os.path.join(folder, "flowc.toml"), "w") as out:
        env = ", ".join('%s = "%s"' % item for item in s3["env"].items())
        out.write(PROFILE % {"bucket": s3["bucket"], "image": IMAGE, "env": env, "namespace": NAMESPACE})
    environment = dict(
        os.environ,
        HOME=folder,
        METAFLOW_USER="bench",
        METAFLOW_DEFAULT_METADATA="local",
        METAFLOW_DATASTORE_SYSROOT_LOCAL=folder,
        METAFLOW_DATASTORE_SYSROOT_S3="s3://%s/metaflow" % s3["bucket"],
        METAFLOW_S3_ENDPOINT_URL=s3["endpoint"],
        METAFLOW_KUBERNETES_NAMESPACE="default",
        PYTHONDONTWRITEBYTECODE="1",
    )
    there = [BED, "exec", bed]
    by_kubernetes = "kubernetes:image=%s,cpu=1,memory=512" % IMAGE
    metaflow = [*there, sys.executable, file, "--no-pylint", "--datastore", "s3", "run", "--with", by_kubernetes]
    flowc = [*there, os.path.abspath(options.flowc)]
    run([*flowc, "deploy", file, "--target", "argo"], cwd=folder, env=environment)
    taken = [], []
    for _ in range(options.repeat):
        taken[0].append(seconds(run(metaflow, cwd=folder, env=environment)))
        name = run([*flowc, "trigger", file, "--target", "argo", "--wait"], cwd=folder, env=environment).strip()
        logs = [run([*flowc, "logs", "%s/%s" % (name, step)], cwd=folder, env=environment) for step in ("start", "middle", "end")]
        taken[1].append(seconds("".join(logs)))
    print("seconds from the container's start to the user's first line, medians of %d" % options.repeat)
    print("%-10s %10s %10s %8s" % ("step", "metaflow", "flowc", "ratio"))
    for number, step in enumerate(("start", "middle", "end")):
        left, right = (statistics.median(run[number] for run in runs) for runs in taken)
        print("%-10s %10.2f %10.2f %8.1f" % (step, left, right, left / right))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("flowc")
    parser.add_argument("shim")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    os.environ["FLOWC_BED_OWNER"] = str(os.getpid())
    with tempfile.TemporaryDirectory(prefix="flowc-startup-") as folder:
        bed = os.path.join(folder, "bed")
        try:
            measure(options, bed, folder)
        finally:
            subprocess.run([BED, "down", bed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    main()
