"""Runs the workspace's test binaries, those that wait for pods beside those that compute, and says where the time went.

    runner.py < what `cargo test --no-run --message-format json` printed

cargo runs one binary after the other, so the processors are idle while pods start. A runner with a process for each test
would start every bed anew for each of its tests, and the beds cost more than the tests. Here a lane of binaries shares a bed.
Each binary's output is printed in one piece when it has ended. The exit code is 0 only if every binary's was.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

# Binaries that run side by side, in this order each. What no lane names is in the last one, as cargo orders it.
LANES = [
    ["equivalence", "argo", "airflow", "argo_goldens"],
    [],
]
# The lane whose binaries share a Kubernetes bed.
PODS = 0
BED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "beds/kubernetes/bed")
SLOWEST = 20

RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;", re.M)
# What libtest prints with --report-time, and what our own harness does (src/trials.rs).
TIMED = re.compile(r"^(?:test|time) (\S+) (?:.* )?<([\d.]+)s>$", re.M)


class Binary:
    """A test binary, and what became of it."""

    def __init__(self, name, path, folder, arguments):
        self.name, self.path, self.folder, self.arguments = name, path, folder, arguments
        self.code = self.seconds = None
        self.output = ""

    @property
    def counts(self):
        """Passed, failed and ignored tests."""
        found = RESULT.findall(self.output)
        return [sum(int(line[kind]) for line in found) for kind in range(3)]

    def run(self, variables):
        """Runs it to its end, from its package's folder as cargo does."""
        began = time.monotonic()
        command = [self.path, "-Z", "unstable-options", "--report-time", *self.arguments]
        # The option is unstable in name; it has been there for years, and only the table of slow tests hangs on it.
        environment = dict(os.environ, RUSTC_BOOTSTRAP="1", CARGO_MANIFEST_DIR=self.folder, **variables)
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )
        self.seconds = time.monotonic() - began
        self.code = ended.returncode
        self.output = ended.stdout.decode("utf-8", "replace")


def built(lines):
    """The test binaries of cargo's messages, in cargo's order."""
    binaries = []
    for line in lines:
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("reason") == "compiler-artifact" and message["profile"]["test"] and message.get("executable"):
            package = os.path.dirname(message["manifest_path"])
            name, kind = message["target"]["name"], message["target"]["kind"][0]
            if kind == "bench":
                continue
            # Unit tests that are ignored need a tool, which `./dev test` has installed.
            arguments = [] if kind == "test" else ["--include-ignored"]
            if kind != "test":
                name = f"{os.path.relpath(package)} ({kind})"
            elif os.path.basename(package) != "tests":
                name = f"{os.path.relpath(package)}: {name}"
            binaries.append(Binary(name, message["executable"], package, arguments))
    return binaries


def in_lanes(binaries):
    """The binaries of each lane."""
    named = {binary.name: binary for binary in binaries}
    lanes = [[named.pop(name) for name in lane if name in named] for lane in LANES]
    lanes[-1] += [binary for binary in binaries if binary.name in named]
    return lanes


PRINTING = threading.Lock()


def tell(binary):
    """Prints what the binary printed."""
    with PRINTING:
        print(f"\n     Running {binary.name} ({binary.seconds:.0f} s)")
        # The times stand in the table at the end.
        output = re.sub(r"^time .*\n", "", binary.output, flags=re.M)
        print(re.sub(r" <[\d.]+s>$", "", output, flags=re.M).strip(), flush=True)
        if binary.code != 0:
            print(f"error: {binary.name} ended with {binary.code}", flush=True)


def run_lane(binaries, bed):
    """Runs the binaries one after the other."""
    variables = {"FLOWC_TEST_BED": bed} if bed else {}
    for binary in binaries:
        binary.run(variables)
        tell(binary)
    if bed and os.path.isdir(bed):
        subprocess.run([BED, "down", bed], check=False)
        shutil.rmtree(bed, ignore_errors=True)


def report(binaries, seconds):
    """Prints the binaries by time, the slowest tests, and the sum."""
    print(f"\n{'binary':<40} {'seconds':>7} {'passed':>7} {'failed':>7} {'ignored':>7}")
    for binary in sorted(binaries, key=lambda it: -it.seconds):
        passed, failed, ignored = binary.counts
        print(f"{binary.name:<40} {binary.seconds:>7.0f} {passed:>7} {failed:>7} {ignored:>7}")
    print(f"{'all, side by side':<40} {seconds:>7.0f}")
    tests = [
        (float(took), binary.name, test) for binary in binaries for test, took in TIMED.findall(binary.output)
    ]
    print(f"\nThe {SLOWEST} slowest tests:")
    for took, name, test in sorted(tests, reverse=True)[:SLOWEST]:
        print(f"{took:>7.1f} s  {name}: {test}")
    passed, failed, ignored = (sum(kind) for kind in zip(*(binary.counts for binary in binaries)))
    # A binary that died counts as a failure, whatever it had counted by then.
    failed += sum(1 for binary in binaries if binary.code != 0 and binary.counts[1] == 0)
    print(f"\n{passed} passed, {failed} failed, {ignored} skipped")
    return failed


def main():
    binaries = built(sys.stdin)
    if not binaries:
        sys.exit("runner: cargo built no test binary")
    began = time.monotonic()
    lanes = in_lanes(binaries)
    with tempfile.TemporaryDirectory(prefix="flowc-beds-") as folder:
        beds = [os.path.join(folder, "pods") if place == PODS else None for place in range(len(lanes))]
        threads = [threading.Thread(target=run_lane, args=lane) for lane in zip(lanes, beds)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sys.exit(1 if report(binaries, time.monotonic() - began) else 0)


if __name__ == "__main__":
    main()
