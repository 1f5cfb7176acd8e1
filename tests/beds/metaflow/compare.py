"""Compares the artifacts of two runs of one flow, which may lie in two stores.

    compare.py FLOW LEFT_ROOT LEFT_RUN RIGHT_ROOT RIGHT_RUN [--file flow.py] [--leave-out ARTIFACT]

Prints a report as JSON and exits 0 if the runs are equal, 1 if not. Two runs
are equal if they have the same tasks, each task the same artifacts, and each
artifact the same content key, or else a value that is equal as `differ` has
it: pickles of equal values differ with the hash seed and with the identity of
strings. The report names each artifact that needed this.

The roots are local stores in Metaflow's layout. Only the values that need it
are unpickled, so the standard library is enough for runs whose keys agree.
`--file` is the flow file, for artifacts of classes that it defines.
"""

import argparse
import collections
import gzip
import hashlib
import json
import os
import pickle
import sys
import types

LEFT_OUT = ("_configs_processed",)
"""Names that are not compared: a class attribute of Metaflow's that leaks into its artifacts."""

ForeachFrame = collections.namedtuple(
    "ForeachFrame", ["step", "var", "num_splits", "index", "value"]
)
ForeachFrame.__module__ = "__main__"


class Broken(Exception):
    """A run cannot be read."""


class Wrapper(Exception):
    """Stands for `metaflow.exception.MetaflowExceptionWrapper`."""

    def __init__(self, exc=None):
        super().__init__()

    def __setstate__(self, state):
        self.__dict__ = state


class IncludedFile:
    """Stands for `metaflow.includefile.IncludedFile`, which says where the contents are; flowc's artifact is the contents."""

    def contents(self):
        """What the file holds."""
        descriptor = self._descriptor
        with open(descriptor["url"].replace("local://", "", 1), "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode(descriptor["encoding"] or "utf-8") if descriptor["is_text"] else data


class Reader(pickle.Unpickler):
    """Finds the classes of Metaflow without importing it."""

    flow_file = None
    _flow = None

    def find_class(self, module, name):
        if name == "MetaflowExceptionWrapper":
            return Wrapper
        if name == "IncludedFile":
            return IncludedFile
        if module == "__main__":
            if name == "ForeachFrame":
                return ForeachFrame
            found = self.flow()
            for part in name.split("."):
                found = getattr(found, part)
            return found
        return super().find_class(module, name)

    @classmethod
    def flow(cls):
        """The flow file as a module; what stands under `__main__` is not executed."""
        if cls._flow is None:
            if cls.flow_file is None:
                raise Broken("an artifact needs a class of the flow file: give --file")
            sys.path.insert(0, os.path.dirname(os.path.abspath(cls.flow_file)))
            with open(cls.flow_file, "rb") as source:
                code = compile(source.read(), cls.flow_file, "exec")
            cls._flow = types.ModuleType("flow_file")
            cls._flow.__file__ = cls.flow_file
            exec(code, cls._flow.__dict__)
        return cls._flow


class Run:
    """The tasks of a run: (step, foreach indices) to the objects of `data.json`."""

    def __init__(self, root, flow, run):
        self.root = os.path.join(root, flow)
        folder = os.path.join(self.root, run)
        if not os.path.isdir(folder):
            raise Broken("there is no run at %s" % folder)
        self.tasks = {}
        self.names = {}
        for step in sorted(os.listdir(folder)):
            if step.startswith(("_meta", "_exit_hooks")) or not os.path.isdir(os.path.join(folder, step)):
                continue
            for task in sorted(os.listdir(os.path.join(folder, step))):
                if not task.startswith("_"):
                    self._add(os.path.join(folder, step, task), step)

    def _add(self, folder, step):
        names = os.listdir(folder)
        attempts = [int(n.split(".")[0]) for n in names if n.endswith(".attempt.json")]
        if not attempts and "commit" in names:
            return  # flowc's pointer to the last iteration of a step that repeats
        if not attempts:
            raise Broken("%s has no attempt" % folder)
        last = max(attempts)
        if "%d.DONE.lock" % last not in names:
            raise Broken("attempt %d of %s is not done" % (last, folder))
        with open(os.path.join(folder, "%d.data.json" % last)) as file:
            objects = json.load(file)["objects"]
        place = self._place(objects)
        if (step, place) in self.tasks:
            raise Broken("two tasks of %s have the place %s" % (step, place))
        self.tasks[step, place] = objects
        self.names["%s/%s" % (step, os.path.basename(folder))] = _label(step, place)

    def _place(self, objects):
        stack = self.value(objects["_foreach_stack"]) if "_foreach_stack" in objects else []
        iterations = self.value(objects["_iteration_stack"]) if "_iteration_stack" in objects else []
        return tuple(frame.index for frame in stack) + tuple(iterations)

    def blob(self, key):
        """The uncompressed bytes of a key, verified."""
        path = os.path.join(self.root, "data", key[:2], key)
        raw = False
        if os.path.exists(path + "_meta"):
            with open(path + "_meta") as file:
                raw = json.load(file).get("cas_raw", False)
        with open(path, "rb") as file:
            data = file.read()
        if not raw:
            data = gzip.decompress(data)
        if hashlib.sha1(data).hexdigest() != key:
            raise Broken("%s does not hold what its name says" % path)
        return data

    def value(self, key):
        """The object of a key."""
        import io

        value = Reader(io.BytesIO(self.blob(key))).load()
        return value.contents() if isinstance(value, IncludedFile) else value


def differ(left, right, path="", seen=None):
    """Where two values differ, as text, or None if they are equal.

    Equal are: objects of the same type with equal state (dictionaries and
    sets in any order, arrays element by element with NaN equal to itself,
    frames with equal types, labels and values) and exceptions that Metaflow
    wrapped, by type and message: their tracebacks name the executor's frames.
    Of `_graph_info` the folders of source files are left out.
    """
    seen = {} if seen is None else seen
    if left is right:
        return None
    if type(left) is not type(right):
        return "%s: a %s and a %s" % (path, type(left).__name__, type(right).__name__)
    if (id(left), id(right)) in seen:
        return None
    # Held on to, so that no other object gets these numbers.
    seen[id(left), id(right)] = (left, right)
    if isinstance(left, Wrapper):
        return _differ_pairs(
            [(left.type, right.type, ".type"), (left.exception, right.exception, ".exception")],
            path,
            seen,
        )
    module = type(left).__module__.partition(".")[0]
    if module == "numpy":
        return _differ_numpy(left, right, path, seen)
    if module == "pandas" and hasattr(left, "equals"):
        return _differ_pandas(left, right, path)
    if isinstance(left, float):
        same = left == right or (left != left and right != right)
        return None if same else "%s: %r and %r" % (path, left, right)
    if isinstance(left, dict):
        return _differ_dicts(left, right, path, seen)
    if isinstance(left, (list, tuple)):
        if len(left) != len(right):
            return "%s: lengths %d and %d" % (path, len(left), len(right))
        pairs = [(a, b, "[%d]" % i) for i, (a, b) in enumerate(zip(left, right))]
        found = _differ_pairs(pairs, path, seen)
        if found or type(left) in (list, tuple):
            return found
        return _differ_pairs([(vars(left), vars(right), "")], path, seen) if hasattr(left, "__dict__") else None
    if isinstance(left, (types.FunctionType, types.BuiltinFunctionType)):
        left, right = left.__qualname__, right.__qualname__
    if isinstance(left, (str, bytes, bytearray, int, complex, set, frozenset, type)):
        return None if left == right else "%s: %.60r and %.60r" % (path, left, right)
    return _differ_states(left, right, path, seen)


def _differ_pairs(pairs, path, seen):
    for left, right, step in pairs:
        found = differ(left, right, path + step, seen)
        if found:
            return found
    return None


def _differ_dicts(left, right, path, seen):
    if left.keys() != right.keys():
        return "%s: keys %.80r and %.80r" % (path, sorted(map(str, left)), sorted(map(str, right)))
    return _differ_pairs([(left[k], right[k], "[%r]" % (k,)) for k in left], path, seen)


def _differ_numpy(left, right, path, seen):
    import numpy

    if not isinstance(left, numpy.ndarray) and not isinstance(left, numpy.generic):
        if isinstance(left, numpy.dtype) or callable(left):
            return None if left == right else "%s: %r and %r" % (path, left, right)
        return _differ_states(left, right, path, seen)
    if left.dtype != right.dtype or left.shape != right.shape:
        return "%s: %s%s and %s%s" % (path, left.dtype, left.shape, right.dtype, right.shape)
    if left.dtype.hasobject:
        if left.dtype.names:
            return _differ_pairs([(left[n], right[n], "[%r]" % n) for n in left.dtype.names], path, seen)
        pairs = zip(left.ravel().tolist(), right.ravel().tolist())
        return _differ_pairs([(a, b, "[%d]" % i) for i, (a, b) in enumerate(pairs)], path, seen)
    if left.dtype.names or left.tobytes() == right.tobytes():
        same = left.tobytes() == right.tobytes()
    else:
        inexact = left.dtype.kind in "fcmM"
        same = numpy.array_equal(left, right, equal_nan=inexact)
    return None if same else "%s: arrays of %s%s with other elements" % (path, left.dtype, left.shape)


def _differ_pandas(left, right, path):
    import pandas.testing

    if isinstance(left, pandas.DataFrame):
        check = pandas.testing.assert_frame_equal
    elif isinstance(left, pandas.Series):
        check = pandas.testing.assert_series_equal
    elif isinstance(left, pandas.Index):
        check = pandas.testing.assert_index_equal
    else:
        check = pandas.testing.assert_extension_array_equal
    try:
        check(left, right, check_exact=True)
    except AssertionError as error:
        return "%s: %s" % (path, " ".join(str(error).split())[:200])
    return None


def _differ_states(left, right, path, seen):
    """Compares what pickling either object would write."""
    if vars(type(left)).get("__eq__") and type(left).__module__ != "__main__":
        try:
            if bool(left == right):
                return None
        except Exception:
            pass  # an equality that is no single truth: the state decides
    try:
        left_parts, right_parts = left.__reduce_ex__(4), right.__reduce_ex__(4)
    except Exception as error:
        return "%s: cannot be compared: %s" % (path, error)
    if isinstance(left_parts, str):
        return None if left_parts == right_parts else "%s: %s and %s" % (path, left_parts, right_parts)
    pairs = []
    for number, (a, b) in enumerate(zip(left_parts, right_parts)):
        if number > 2 and a is not None and b is not None:
            a, b = list(a), list(b)
        label = {2: ""}.get(number, "<%d>" % number)
        pairs.append((a, b, label))
    return _differ_pairs(pairs, path, seen)


def without_folders(graph_info):
    """`_graph_info` with the names of source files alone: their folders are the machine's."""
    steps = {
        name: dict(step, source_file=os.path.basename(step.get("source_file") or ""))
        for name, step in graph_info.get("steps", {}).items()
    }
    return dict(graph_info, steps=steps)


def places(run, tasks):
    """Tasks that an artifact names, `run/step/task`, by their place in the flow: ids are each program's own."""
    return [run.names[task.partition("/")[2]] for task in tasks]


def compare(left, right, left_out=LEFT_OUT):
    """The report on two runs."""
    report = {"tasks": 0, "artifacts": 0, "equal_by_key": 0, "equal_by_value": [], "different": []}
    for only, tasks in (("left", left.tasks.keys() - right.tasks.keys()), ("right", right.tasks.keys() - left.tasks.keys())):
        for step, place in sorted(tasks):
            report["different"].append({"task": _label(step, place), "reason": "only in the %s run" % only})
    for step, place in sorted(left.tasks.keys() & right.tasks.keys()):
        report["tasks"] += 1
        ours, theirs = left.tasks[step, place], right.tasks[step, place]
        for name in sorted(ours.keys() | theirs.keys()):
            if name in left_out:
                continue
            entry = {"task": _label(step, place), "artifact": name}
            if name not in ours or name not in theirs:
                entry["reason"] = "only in the %s run" % ("left" if name in ours else "right")
                report["different"].append(entry)
                continue
            report["artifacts"] += 1
            if ours[name] == theirs[name]:
                report["equal_by_key"] += 1
                continue
            try:
                values = left.value(ours[name]), right.value(theirs[name])
                if name == "_graph_info":
                    values = [without_folders(value) for value in values]
                if name == "_control_mapper_tasks":
                    values = [places(run, tasks) for run, tasks in zip((left, right), values)]
                reason = differ(*values, name)
            except Broken:
                raise
            except Exception as error:
                reason = "cannot be read: %s: %s" % (type(error).__name__, error)
            if reason is None:
                report["equal_by_value"].append("%s.%s" % (_label(step, place), name))
            else:
                entry["reason"] = reason
                report["different"].append(entry)
    if not report["artifacts"]:
        report["different"].append({"reason": "nothing was compared"})
    report["left_out"] = list(left_out)
    report["equal"] = not report["different"]
    return report


def _label(step, place):
    return step + "".join("[%d]" % index for index in place)


def main(arguments=None):
    """Prints the report; the exit code says whether the runs are equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("flow", "left_root", "left_run", "right_root", "right_run"):
        parser.add_argument(name)
    parser.add_argument("--file")
    parser.add_argument("--leave-out", action="append", default=list(LEFT_OUT))
    options = parser.parse_args(arguments)
    Reader.flow_file = options.file
    try:
        report = compare(
            Run(options.left_root, options.flow, options.left_run),
            Run(options.right_root, options.flow, options.right_run),
            options.leave_out,
        )
    except (Broken, OSError) as error:
        report = {"equal": False, "artifacts": 0, "different": [{"reason": str(error)}]}
    report["flow"] = options.flow
    report["runs"] = [options.left_run, options.right_run]
    json.dump(report, sys.stdout, indent=1, sort_keys=True)
    print()
    return 0 if report["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
