"""What a step sees of its flow, and what it leaves behind."""

import json
import os
import pickle
import unittest

from driver import Driver
from flows import FANOUT, fan_out, frames, one_step


class Steps(unittest.TestCase):
    def flow(self, source, **options):
        driver = Driver(source, **options)
        self.addCleanup(driver.close)
        return driver

    def start(self, body, **options):
        driver = self.flow(one_step(body, options.pop("before", ""), decorators=options.pop("decorators", "")))
        fields = dict(next=["end"])
        fields.update(options)
        return driver.run("start", **fields)

    def test_fan_out(self):
        driver = self.flow(FANOUT)
        start, children, join = fan_out(driver, parameters={"alpha": "0.25"})
        self.assertEqual(start.finish["count"], 3)
        self.assertTrue(start.finish["ok"], start.stderr)
        self.assertEqual(start["_foreach_values"], ["a", "b", "c"])
        self.assertEqual(start["_foreach_var"], "xs")
        self.assertEqual(start["_foreach_num_splits"], 3)
        self.assertEqual(start["_transition"], (["work"], "xs"))
        self.assertEqual(children[1]["where"], (1, "b", [(1, 3, "b")]))
        self.assertEqual(join["ys"], ["aa", "bb", "cc"])
        self.assertEqual(join["second"][0], 1)
        self.assertEqual(join["count"], 3)
        self.assertEqual(join["_foreach_stack"], [])
        self.assertEqual(join.objects["kept"], start.objects["kept"])
        self.assertNotIn("y", join.objects)
        end = driver.run("end", [join], kind="end")
        self.assertEqual(end["result"], ({"k": 1}, 0.25, [1, 2]))
        self.assertIsNone(end["_transition"])
        self.assertEqual(end.code, 0)

    def test_internal_artifacts(self):
        driver = self.flow(FANOUT)
        start, children, join = fan_out(driver)
        self.assertEqual(
            {n for n in start.parameters.objects},
            {"name", "_task_ok", "_success", "_transition", "_foreach_stack", "_graph_info", "alpha", "constant"},
        )
        self.assertEqual(start.parameters["_graph_info"]["parameters"], [{"name": "alpha", "type": "Parameter"}])
        self.assertEqual(start.parameters["_graph_info"]["constants"], [{"name": "constant", "type": "list"}])
        for task in [start, join] + children:
            self.assertEqual(task["name"], "F")
            self.assertEqual(task["_current_step"], task.step)
            self.assertIs(task["_task_ok"], True)
            self.assertIs(task["_success"], True)
            self.assertIsNone(task["_exception"])
            self.assertEqual(task["_iteration_stack"], [])
            self.assertEqual(task.objects["_graph_info"], start.objects["_graph_info"])
            for name in task.objects:
                self.assertEqual(task.protocol(name), 4, name)
        self.assertIsNone(children[0]["_foreach_var"])
        self.assertIsNone(children[0]["_foreach_num_splits"])

    def test_foreach_frames_pickle_as_metaflow_does(self):
        import collections

        _, children, _ = fan_out(self.flow(FANOUT))
        data = children[2].blobs[children[2].objects["_foreach_stack"]["key"]]
        self.assertIn(b"__main__", data)

        class Finder(pickle.Unpickler):
            def find_class(self, module, name):
                self.seen = (module, name)
                fields = ["step", "var", "num_splits", "index", "value"]
                return collections.namedtuple("ForeachFrame", fields)

        import io

        finder = Finder(io.BytesIO(data))
        self.assertEqual([tuple(frame) for frame in finder.load()], [("work", "xs", 3, 2, "c")])
        self.assertEqual(finder.seen, ("__main__", "ForeachFrame"))

    def test_nested_foreach_and_inheritance_of_the_stack(self):
        driver = self.flow(
            """
            from metaflow import FlowSpec, step
            class F(FlowSpec):
                @step
                def start(self):
                    self.xs = [10, 20]
                    self.next(self.outer, foreach="xs")
                @step
                def outer(self):
                    self.ys = iter_of(self.input)
                    self.next(self.inner, foreach="ys")
                @step
                def inner(self):
                    self.seen = self.foreach_stack()
                    self.next(self.after)
                @step
                def after(self):
                    self.again = (self.index, self.foreach_stack())
                    self.next(self.join)
                @step
                def join(self, inputs):
                    self.stack = self.foreach_stack()
                    self.got = [i.input for i in inputs]
                    self.next(self.end)
                @step
                def end(self):
                    pass
            def iter_of(x):
                return [x + 1, {"x": x}]
            F()
            """
        )
        start = driver.run("start", kind="foreach", next=["outer"], variable="xs")
        one = frames(2, 1, "outer")
        outer = driver.run(
            "outer", [start], kind="foreach", next=["inner"], variable="ys", index=[1], foreach=one, task_id="t-1"
        )
        self.assertEqual(outer["_foreach_values"], ["21", "{'x': 20}"])
        afters = []
        for index in range(2):
            two = one + frames(2, index, "inner", "ys")
            place = dict(index=[1, index], foreach=two, task_id="t-1-%d" % index)
            inner = driver.run("inner", [outer], next=["after"], **place)
            self.assertTrue(inner.finish["ok"], inner.stderr)
            after = driver.run("after", [inner], next=["join"], **place)
            self.assertEqual(after.objects["_foreach_stack"], inner.objects["_foreach_stack"])
            self.assertEqual(after["again"], (index, inner["seen"]))
            afters.append(after)
        self.assertEqual(afters[1]["again"][1], [(1, 2, 20), (1, 2, {"x": 20})])
        join = driver.run("join", afters, kind="join", next=["end"], index=[1], foreach=one, task_id="t-1")
        self.assertTrue(join.finish["ok"], join.stderr)
        self.assertEqual(join["got"], [21, {"x": 20}])
        self.assertEqual([frame[0] for frame in join["stack"]], [1])

    def test_static_split_and_merge(self):
        driver = self.flow(
            """
            from metaflow import FlowSpec, step
            class F(FlowSpec):
                @step
                def start(self):
                    self.same, self.apart, self.gone = [1], 0, 5
                    self.next(self.a, self.b)
                @step
                def a(self):
                    self.apart, self.only_a = 1, "a"
                    self.next(self.join)
                @step
                def b(self):
                    self.apart = 2
                    self.next(self.join)
                @step
                def join(self, inputs):
                    try:
                        self.merge_artifacts(inputs)
                    except Exception as error:
                        self.error = (type(error).__name__, error.artifact_names)
                    self.apart = inputs.a.apart + inputs.b.apart
                    try:
                        self.merge_artifacts(inputs, include=["nowhere"])
                    except Exception as error:
                        self.missing = (type(error).__name__, error.artifact_names)
                    self.merge_artifacts(inputs, exclude=["gone"])
                    self.has_gone = hasattr(self, "gone")
                    self.steps = [i._current_step for i in inputs]
                    self.next(self.end)
                @step
                def end(self):
                    pass
            F()
            """
        )
        start = driver.run("start", kind="split", next=["a", "b"])
        self.assertEqual(start["_transition"], (["a", "b"], None))
        branches = [driver.run(name, [start], next=["join"]) for name in ("a", "b")]
        join = driver.run("join", branches, kind="join", next=["end"])
        self.assertTrue(join.finish["ok"], join.stderr)
        self.assertEqual(join["error"], ("UnhandledInMergeArtifactsException", ["apart"]))
        self.assertEqual(join["missing"], ("MissingInMergeArtifactsException", ["nowhere"]))
        self.assertEqual((join["apart"], join["only_a"], join["has_gone"]), (3, "a", False))
        self.assertEqual(join["steps"], ["a", "b"])
        self.assertEqual(join.objects["same"], start.objects["same"])

    def test_inputs_that_come_without_their_objects(self):
        driver = self.flow(FANOUT)
        _, children, _ = fan_out(driver)
        join = driver.run("join", children, kind="join", next=["end"], objects_later=True)
        self.assertTrue(join.finish["ok"], join.stderr)
        self.assertEqual(join["ys"], ["aa", "bb", "cc"])
        self.assertEqual(join.asked.count("objects"), 3)

    def test_join_over_nothing(self):
        source = FANOUT.replace('["a", "b", "c"]', "[]").replace("self.second = inputs[1].where", "pass")
        driver = self.flow(source)
        start = driver.run("start", kind="foreach", next=["work"], variable="xs")
        self.assertFalse(start.finish["ok"])
        self.assertTrue(start.finish["retry"])
        self.assertIn("zero splits", start.finish["exception"]["line"])
        start = driver.run("start", kind="foreach", next=["work"], variable="xs", empty_foreach="join")
        self.assertTrue(start.finish["ok"], start.stderr)
        self.assertEqual(start.finish["count"], 0)
        join = driver.run("join", [start], kind="join", next=["end"], empty=True, empty_foreach="join")
        self.assertTrue(join.finish["ok"], join.stderr)
        self.assertEqual((join["ys"], join["count"], join["_foreach_stack"]), ([], 0, []))
        self.assertEqual(join["alpha"], 0.5)

    def test_a_loaded_object_that_is_changed_is_stored_again(self):
        driver = self.flow(
            """
            from metaflow import FlowSpec, step
            class F(FlowSpec):
                @step
                def start(self):
                    self.grows, self.number, self.unread = [1], 7, [2]
                    self.next(self.end)
                @step
                def end(self):
                    self.grows.append(self.number)
                    self.__dict__.pop("unread", None)
            F()
            """
        )
        start = driver.run("start", next=["end"])
        end = driver.run("end", [start], kind="end")
        self.assertEqual(end["grows"], [1, 7])
        self.assertEqual(end.objects["number"], start.objects["number"])
        self.assertEqual(end.objects["unread"], start.objects["unread"])

    def test_attributes_that_cannot_be_set(self):
        task = self.start(
            """
            errors = []
            for name in ("p", "c", "index", "input"):
                try:
                    setattr(self, name, 1)
                except AttributeError as error:
                    errors.append(str(error))
            self.errors = errors
            self.found = (hasattr(self, "nothing"), self.index, self.input, self.foreach_stack())
            try:
                self.nothing
            except AttributeError as error:
                self.message = str(error)
            """,
            decorators='    p = Parameter("p", default=1)\n    c = 2\n',
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(len(task["errors"]), 4)
        self.assertEqual(task["errors"][0], "Flow level attributes and Parameters are not modifiable")
        self.assertEqual(task["found"], (False, None, None, []))
        self.assertEqual(task["message"], "Flow F has no attribute 'nothing'")

    def test_the_file_is_main(self):
        task = self.start(
            """
            import sys, __main__, os
            self.names = (__name__, __main__ is sys.modules["__main__"], F.__module__)
            self.file = __file__
            self.argv = sys.argv
            self.path0 = sys.path[0]
            self.thing = Thing()
            self.stdin = sys.stdin.read()
            names = ("flowc/harness.py", "metaflow.py")
            self.ours = [n for n, p in enumerate(sys.path) if any(os.path.exists(os.path.join(p, f)) for f in names)]
            self.length = len(sys.path)
            """,
            before="class Thing:\n    pass\n",
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task["names"], ("__main__", True, "__main__"))
        self.assertEqual(task["argv"], [task["file"]])
        self.assertEqual(task["file"], task["path0"] + "/flow.py")
        self.assertEqual(task["stdin"], "")
        # Only at the very end, for interpreters that user code starts.
        self.assertEqual(task["ours"], [task["length"] - 2, task["length"] - 1])
        self.assertIn(b"Thing", task.blobs[task.objects["thing"]["key"]])

    def test_a_file_that_never_calls_its_flow(self):
        source = one_step("self.x = 1").replace("    F()\n", "    pass\n")
        task = self.flow(source).run("start", next=["end"])
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task["x"], 1)

    def test_handlers_around_the_call_do_not_stop_its_end(self):
        source = one_step("self.x = 1").replace(
            "    F()\n", "    try:\n        F()\n    except Exception:\n        pass\n    print('after')\n"
        )
        task = self.flow(source).run("start", next=["end"])
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task.stdout, "")

    def test_current(self):
        task = self.start(
            """
            self.seen = dict(
                (name, getattr(current, name))
                for name in (
                    "is_running_flow", "flow_name", "run_id", "step_name", "task_id", "retry_count",
                    "origin_run_id", "pathspec", "namespace", "username", "tags", "parameter_names",
                    "project_name", "branch_name", "is_user_branch", "is_production",
                    "project_flow_name", "tempdir",
                )
            )
            self.graph = current.graph["doc"]
            self.same = current.graph_info is current.graph
            self.has = ("run_id" in current, "trigger" in current, current.get("trigger", 5), hasattr(current, "trigger"))
            self.listed = {"run_id", "tags", "graph_info", "project_name"} <= set(dir(current))
            try:
                current.checkpoint
            except AttributeError as error:
                self.message = str(error)
            try:
                current.tags = set()
            except AttributeError as error:
                self.refused = str(error)
            current.own = 3
            """,
            project={"name": "p", "branch": "user.ann"},
            attempt=1,
            retries=2,
            decorators='    q = Parameter("q")\n',
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(
            task["seen"],
            {
                "is_running_flow": True,
                "flow_name": "F",
                "run_id": "17",
                "step_name": "start",
                "task_id": "t",
                "retry_count": 1,
                "origin_run_id": None,
                "pathspec": "F/17/start/t",
                "namespace": "user:ann",
                "username": "ann",
                "tags": {"a:b"},
                "parameter_names": ["q"],
                "project_name": "p",
                "branch_name": "user.ann",
                "is_user_branch": True,
                "is_production": False,
                "project_flow_name": "p.user.ann.F",
                "tempdir": ".",
            },
        )
        self.assertEqual(task["graph"], "")
        self.assertTrue(task["same"] and task["listed"])
        self.assertEqual(task["has"], (True, False, 5, False))
        self.assertIn("`current.tags` cannot be set", task["refused"])
        self.assertIn("@checkpoint", task["message"])

    def test_settings_are_found_where_metaflow_looks(self):
        driver = self.flow(one_step("self.tempdir = current.tempdir"))
        home = os.path.join(driver.folder, "home")

        def tempdir(**environment):
            environment = dict({"METAFLOW_HOME": home}, **environment)
            task = driver.run("start", next=["end"], environment=environment)
            self.assertTrue(task.finish["ok"], task.stderr)
            return task["tempdir"]

        def write(*path):
            file = os.path.join(driver.folder, *path)
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "w") as out:
                json.dump({"METAFLOW_TEMPDIR": path[-1]}, out)

        self.assertEqual(tempdir(), ".")
        write("home", "config_dev.json")
        self.assertEqual(tempdir(), ".")
        self.assertEqual(tempdir(METAFLOW_PROFILE="dev"), "config_dev.json")
        write(".metaflow", "config.json")
        self.assertEqual(tempdir(METAFLOW_PROFILE="dev"), "config.json")
        self.assertEqual(tempdir(METAFLOW_TEMPDIR="/scratch"), "/scratch")

    def test_user_code_may_read_artifacts_from_threads_and_forks(self):
        driver = self.flow(
            """
            import os, threading
            from metaflow import FlowSpec, step
            class F(FlowSpec):
                @step
                def start(self):
                    for n in range(40):
                        setattr(self, "a%d" % n, [n])
                    self.next(self.end)
                @step
                def end(self):
                    got = {}
                    def read(n):
                        got[n] = getattr(self, "a%d" % n)
                    threads = [threading.Thread(target=read, args=(n,)) for n in range(20)]
                    for t in threads: t.start()
                    children = []
                    for n in range(20, 40):
                        pid = os.fork()
                        if pid == 0:
                            os._exit(0 if getattr(self, "a%d" % n) == [n] else 1)
                        children.append(pid)
                    for t in threads: t.join()
                    self.statuses = [os.waitpid(pid, 0)[1] for pid in children]
                    self.got = [got[n] for n in range(20)]
            F()
            """
        )
        start = driver.run("start", next=["end"])
        end = driver.run("end", [start], kind="end")
        self.assertTrue(end.finish["ok"], end.stderr)
        self.assertEqual(end["got"], [[n] for n in range(20)])
        self.assertEqual(end["statuses"], [0] * 20)

    def test_exit_handlers_run_and_threads_are_waited_for(self):
        task = self.start(
            """
            import atexit, threading, time
            atexit.register(print, "bye")
            threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
            """
        )
        self.assertEqual(task.stdout, "thread\nbye\n")
        self.assertEqual(task.code, 0)


if __name__ == "__main__":
    unittest.main()
