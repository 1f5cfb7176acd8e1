"""Plays the shim: runs tasks of a flow over the socket, with a store in memory."""

import base64
import hashlib
import json
import os
import pickle
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap

HARNESS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "flowc", "harness.py")


def send(sock, frame):
    body = json.dumps(frame).encode()
    sock.sendall(len(body).to_bytes(4, "big") + body)


def receive(sock):
    def exactly(size):
        parts = b""
        while len(parts) < size:
            part = sock.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts

    return json.loads(exactly(int.from_bytes(exactly(4), "big")))


class Task:
    """What one task left behind."""

    def __init__(self, step, task_id):
        self.step = step
        self.task_id = task_id
        self.objects = {}
        self.blobs = {}
        self.finish = None
        self.stdout = self.stderr = ""
        self.code = None
        self.asked = []
        self.grown = []
        """Spool files that grew: path, and size so far."""
        self.links = 0
        """Connections that were made besides the first."""

    def __getitem__(self, name):
        return pickle.loads(self.blobs[self.objects[name]["key"]])

    def value(self, name):
        return self[name]

    def protocol(self, name):
        return self.blobs[self.objects[name]["key"]][1]


class Driver:
    """A flow file and the tasks that were run of it."""

    def __init__(self, source, flow="F", graph=None, python=None):
        self.folder = tempfile.mkdtemp(prefix="harness-test-")
        self.file = os.path.join(self.folder, "flow.py")
        with open(self.file, "w") as out:
            out.write(textwrap.dedent(source))
        self.flow = flow
        self.python = python or sys.executable
        self.blobs = {}
        self.path_from = 1 << 14
        """From this size on an artifact is handed over as a file."""
        self.elsewhere = {}
        """End tasks of runs that started this one, by the number of the trigger."""
        self.verdict = None
        """The answer to `check`; None where files are verified before they are handed over."""

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def frame(self, step, inputs=(), **fields):
        task_id = fields.pop("task_id", "t")
        frame = {
            "op": "task",
            "protocol": 1,
            "flow": self.flow,
            "file": self.file,
            "start": step == "start",
            "step": step,
            "kind": "linear",
            "next": [],
            "variable": None,
            "run_id": "17",
            "task_id": task_id,
            "attempt": 0,
            "retries": 0,
            "origin_run_id": None,
            "index": [],
            "foreach": [],
            "timeout_s": None,
            "catch": None,
            "last_attempt": True,
            "tags": ["a:b"],
            "username": "ann",
            "namespace": "user:ann",
            "project": None,
            "spool_dir": self.folder,
            "parameters": {} if step == "start" else None,
            "parameter_specs": [],
            "graph_info": {"doc": ""} if step == "start" else None,
            "inputs": [
                {
                    "step": task.step,
                    "task_id": task.task_id,
                    "pathspec": "17/%s/%s" % (task.step, task.task_id),
                    "objects": task.objects,
                }
                for task in inputs
            ],
        }
        frame.update(fields)
        return frame

    def run(self, step, inputs=(), environment=None, flags=(), **fields):
        """Runs one task in an interpreter of its own."""
        ours, theirs = socket.socketpair()
        env = dict(os.environ, **(environment or {}))
        process = subprocess.Popen(
            [self.python, *flags, HARNESS, "task"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=env,
        )
        theirs.close()
        task = self.serve(ours, step, inputs, fields, lambda: process.poll() is None)
        out, err = process.communicate()
        task.stdout, task.stderr = out.decode(), err.decode()
        task.code = process.returncode
        return task

    def serve(self, ours, step, inputs, fields, is_alive):
        """Speaks the shim's side of one task, over the socket that it began with and those that it opens."""
        inputs = list(inputs)
        objects_later = fields.pop("objects_later", False)
        door = socket.socket(socket.AF_UNIX)
        fields.setdefault("door", os.path.join(self.folder, "door-%s" % step))
        if fields["door"]:
            door.bind(fields["door"])
            door.listen(8)
        frame = self.frame(step, inputs, **fields)
        if objects_later:
            for parent in frame["inputs"]:
                parent["objects"] = None
        task = Task(step, frame["task_id"])
        parameters = Task("_parameters", "t")
        task.parameters = parameters
        task.blobs = parameters.blobs = self.blobs
        taking = parameters if frame["parameters"] is not None else task
        links = {ours}
        try:
            assert receive(ours)["op"] == "hello"
            send(ours, frame)
        except (EOFError, ConnectionError):
            links.clear()
        while links or is_alive():
            ready, _, _ = select.select([*links, *([door] if fields["door"] else [])], [], [], 0.02)
            if door in ready:
                links.add(door.accept()[0])
                task.links += 1
            for link in [link for link in ready if link is not door]:
                try:
                    inputs, taking = self.answer(link, receive(link), task, inputs, taking)
                except (EOFError, ConnectionError):
                    links.remove(link)
                    link.close()
        door.close()
        if fields["door"]:
            os.unlink(fields["door"])
        return task

    def answer(self, link, request, task, inputs, taking):
        """Answers one frame; the inputs and the task whose artifacts come from now on."""
        parameters = task.parameters
        task.asked.append(request["op"])
        if request["op"] == "artifact":
            self._take(taking, request, inputs)
        elif request["op"] == "parameters":
            inputs = [parameters]
            taking = task
            send(link, {"op": "ok", "objects": parameters.objects})
        elif request["op"] == "objects":
            send(link, {"op": "ok", "objects": inputs[request["input"]].objects})
        elif request["op"] == "load":
            self._load(link, inputs[request["input"]], request["name"])
        elif request["op"] == "elsewhere":
            source = self.elsewhere[request["trigger"]]
            if "name" in request:
                self._load(link, source, request["name"])
            else:
                send(link, {"op": "ok", "objects": source.objects})
        elif request["op"] == "spooled":
            task.grown.append((request["path"], request["size"]))
        elif request["op"] == "check":
            send(link, self.verdict)
        elif request["op"] == "finish":
            if taking is parameters:
                # A failure before the parameters were stored: what came is the task's own.
                task.objects, parameters.objects = parameters.objects, {}
            assert task.finish is None, "a second finish"
            task.finish = request
            send(link, {"op": "ok"})
        else:
            raise AssertionError(request)
        return inputs, taking

    def _take(self, task, request, inputs):
        name = request["name"]
        if "input" in request:
            task.objects[name] = inputs[request["input"]].objects[request["from"]]
            return
        if "path" in request:
            with open(request["path"], "rb") as file:
                data = file.read()
            assert len(data) == request["size"]
            os.unlink(request["path"])
        else:
            data = base64.b64decode(request["data"])
        key = hashlib.sha1(data).hexdigest()
        self.blobs[key] = data
        task.objects[name] = {
            "key": key,
            "size": len(data),
            "type": request["type"],
            "encoding": "gzip+pickle-v4",
        }

    def _load(self, ours, source, name):
        data = self.blobs[source.objects[name]["key"]]
        if len(data) < self.path_from:
            send(ours, {"op": "ok", "data": base64.b64encode(data).decode()})
            return
        # A file of its own for each answer: several processes may read at the same time.
        fd, path = tempfile.mkstemp(prefix="load-%s-" % name, dir=self.folder)
        with open(fd, "wb") as file:
            file.write(data)
        answer = {"op": "ok", "path": path, "size": len(data)}
        if self.verdict is not None:
            answer["check"] = 1
        send(ours, answer)


class Warm:
    """The warm interpreter, driven as the local runner drives it."""

    def __init__(self, python=None, environment=None):
        self.control, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [python or sys.executable, HARNESS, "zygote"],
            stdin=theirs,
            env=dict(os.environ, **(environment or {})),
        )
        theirs.close()

    def preload(self, modules=(), file=None):
        send(self.control, {"op": "preload", "modules": list(modules), "file": file})
        return receive(self.control)

    def run(self, driver, step, inputs=(), environment=None, **fields):
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            body = json.dumps(
                {"op": "fork", "id": 7, "environment": environment or {}, "cwd": driver.folder}
            ).encode()
            descriptors = [theirs.fileno(), out.fileno(), err.fileno()]
            import array

            self.control.sendmsg(
                [len(body).to_bytes(4, "big") + body],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))],
            )
            theirs.close()
            forked = receive(self.control)
            assert forked["op"] == "forked", forked
            told = lambda: select.select([self.control], [], [], 0)[0]  # noqa: E731
            task = driver.serve(ours, step, inputs, fields, lambda: not told())
            ended = receive(self.control)
            assert ended["op"] == "exited" and ended["id"] == 7, ended
            task.code = ended["code"] if ended["code"] is not None else -ended["signal"]
            out.seek(0)
            err.seek(0)
            task.stdout, task.stderr = out.read().decode(), err.read().decode()
            return task

    def close(self):
        self.control.close()
        self.process.wait(10)
