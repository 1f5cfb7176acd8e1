"""AWS as far as flowc's bundles and commands see it, in one process on loopback.

    python emulator.py --images images.json --work DIR [--jobs N] [--time-scale X]

Prints `READY http://127.0.0.1:PORT` and ends when its standard input is closed, so it never outlives a test.
Clients set AWS_ENDPOINT_URL to that address; S3 is addressed by path.

What is simulated, on moto's server (S3, IAM, STS, Scheduler, EventBridge, Batch, Step Functions with its interpreter
of states):

- Batch: a job is a local process of the command in its definition, `evaluateOnExit`, attempts, attempt timeouts,
  termination. An image is an entry of images.json: which local program stands for a path of the image, what is on its
  PATH, its environment. An image that is not in the file cannot be pulled.
- Step Functions: `batch:submitJob.sync`, `aws-sdk:s3:getObject` and `putObject`, `aws-sdk:sfn:listExecutions`, JSONata
  with `$hash`, inline and distributed maps. Children of a distributed map are executions with a name, an input and a
  history of their own, which are found by the map run.
- Versions, aliases, what `CreateStateMachine` refuses, roles that must exist.
- Scheduler: a schedule fires when a test says so (`POST /_bed/fire`), not by the clock.
- EventBridge: a rule starts the executions that it should for events that are put and for executions that end. An
  event arrives once and at once.
- Faults that a test asks for: see faults.py.

What is not: who may do what (IAM's policies; a test can deny single actions), throttling, eventual consistency, the
limit of 25 000 history events, prices, CloudWatch, EC2, more than one container in a job, memory limits (a test says
when a job runs out of memory), the running children of a distributed map going on for a moment when one of them
failed. Corrections of moto's interpreter were written from AWS's documentation, so agreement with it is agreement with
our reading.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
import threading

import settings


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", default="", help="JSON file, see the top of batch_jobs.py")
    parser.add_argument("--work", default="", help="folder for the jobs' logs and working folders")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="jobs that run at a time")
    parser.add_argument("--time-scale", type=float, default=1.0, help="factor on the pauses of `Retry`")
    return parser.parse_args()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_parent():
    """Ends this process and its jobs when whoever started it is gone."""
    while sys.stdin.buffer.read(4096):
        pass
    import batch_jobs

    batch_jobs.kill_all()
    os._exit(0)


def main():
    given = arguments()
    settings.work = given.work or tempfile.mkdtemp(prefix="flowc-aws-")
    os.makedirs(os.path.join(settings.work, "logs"), exist_ok=True)
    if given.images:
        with open(given.images, encoding="utf-8") as file:
            settings.images = json.load(file)
    settings.jobs, settings.time_scale = given.jobs, given.time_scale
    port = free_port()
    settings.url = f"http://127.0.0.1:{port}"
    os.environ.update(
        MOTO_PORT=str(port),
        AWS_ACCESS_KEY_ID="emulator",
        AWS_SECRET_ACCESS_KEY="emulator",
        AWS_DEFAULT_REGION="us-east-1",
        NO_PROXY="127.0.0.1",
        no_proxy="127.0.0.1",
    )
    # Tasks of the interpreter nest deeply where maps and branches do.
    threading.stack_size(16 * 1024 * 1024)
    sys.setrecursionlimit(20_000)

    # Imported now: moto reads its port while it is imported.
    import routes

    server = routes.server(port)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    routes.prepare()
    threading.Thread(target=end_with_parent, daemon=True).start()
    print(f"READY {settings.url}", flush=True)
    serving.join()


if __name__ == "__main__":
    main()
