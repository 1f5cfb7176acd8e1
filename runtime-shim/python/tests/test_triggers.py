"""`current.trigger`, as the harness makes it of what the shim says."""

import textwrap
import unittest
from datetime import datetime

from driver import Driver
from flows import one_step

EVENT = {"type": "event", "name": "new.data", "id": "e-1", "timestamp": 1700000000}
OTHER = {"type": "event", "name": "prices", "id": None, "timestamp": None}


def run(name, number, end="end", alias=None):
    """A run of another flow, as the shim says it."""
    return {
        "type": "run",
        "name": "metaflow.%s.%s" % (name, alias or end),
        "id": "%s/%d/%s/t" % (name, number, end),
        "timestamp": 1700000000 + number,
    }


class Triggers(unittest.TestCase):
    def start(self, body, triggers=(), **fields):
        driver = self.flow(body)
        return driver.run("start", next=["end"], triggers=list(triggers), **fields)

    def flow(self, body):
        driver = Driver(one_step(textwrap.dedent(body)))
        self.addCleanup(driver.close)
        return driver

    def test_nothing_triggered(self):
        task = self.start("self.seen = (hasattr(current, 'trigger'), 'trigger' in current)")
        self.assertEqual(task["seen"], (False, False))

    def test_events_are_as_in_metaflow(self):
        task = self.start(
            """
            trigger = current.trigger
            self.first = tuple(trigger.event)
            self.names = [event.name for event in trigger.events]
            self.again = [event.id for event in trigger]
            self.runs = (trigger.run, trigger.runs)
            self.by_name = trigger["prices"].name
            self.has = ("prices" in trigger, "Prices" in trigger)
            try:
                trigger["nothing"]
            except KeyError as error:
                self.missing = error.args
            """,
            [EVENT, OTHER],
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        when = datetime.fromtimestamp(1700000000)
        self.assertEqual(task["first"], ("new.data", "e-1", when, "event"))
        self.assertEqual(task["names"], ["new.data", "prices"])
        self.assertEqual(task["again"], ["e-1", None])
        self.assertEqual(task["runs"], (None, None))
        self.assertEqual((task["by_name"], task["has"]), ("prices", (True, False)))
        self.assertEqual(task["missing"], ("nothing",))

    def test_a_time_that_is_none_stays_as_it_is(self):
        task = self.start("self.time = current.trigger.event.timestamp", [dict(EVENT, timestamp=1e300)])
        self.assertEqual(task["time"], 1e300)

    def test_runs_show_their_artifacts_each_when_it_is_read(self):
        other = self.flow("self.rate = 0.5\nself.table = list(range(9999))\nself._own = 1")
        left = other.run("start", next=["end"])
        body = """
        run = current.trigger.run
        self.about = (run.id, run.pathspec, run.path_components, run.successful, run.finished)
        self.same = current.trigger["Train"] is run and "Train" in current.trigger
        self.ids = [one.id for one in current.trigger.runs]
        self.rate = run.data.rate
        self.known = ("table" in run.data, "tables" in run.data, "_own" in run.data)
        self.total = sum(run.data.table)
        self.names = dir(run.data)
        self.message = []
        for ask in (lambda: run.data.tables, lambda: run.finished_at):
            try:
                ask()
            except AttributeError as error:
                self.message.append(str(error))
        """
        driver = self.flow(body)
        driver.blobs.update(other.blobs)
        driver.elsewhere = {0: left}
        task = driver.run("start", next=["end"], triggers=[run("Train", 9), run("Old", 8)])
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task["about"], ("9", "Train/9", ["Train", "9"], True, True))
        self.assertTrue(task["same"])
        self.assertEqual(task["ids"], ["9", "8"])
        self.assertEqual((task["rate"], task["total"]), (0.5, sum(range(9999))))
        self.assertEqual(task["known"], (True, False, False))
        self.assertIn("table", task["names"])
        self.assertIn("Train/9 has no artifact `tables`", task["message"][0])
        self.assertIn("`path_components`", task["message"][1])

    def test_a_last_step_of_another_name_is_one_run(self):
        both = [run("Train", 9, "last"), run("Train", 9, "last", "end")]
        task = self.start(
            """
            self.names = [event.name for event in current.trigger.events]
            self.runs = [one.pathspec for one in current.trigger.runs]
            """,
            both,
        )
        self.assertEqual(task["names"], ["metaflow.Train.last", "metaflow.Train.end"])
        self.assertEqual(task["runs"], ["Train/9"])

    def test_an_event_can_be_kept(self):
        driver = self.flow(
            """
            if current.task_id == "t":
                self.event = current.trigger.event
            else:
                self.name = (self.event.name, type(self.event).__module__)
            """
        )
        first = driver.run("start", next=["end"], triggers=[EVENT])
        self.assertTrue(first.finish["ok"], first.stderr)
        pickle = first.blobs[first.objects["event"]["key"]]
        self.assertIn(b"metaflow.events", pickle)
        # A task that was not asked for triggers finds the class all the same.
        fields = dict(start=False, parameters=None, graph_info=None, task_id="u")
        second = driver.run("start", [first], next=["end"], **fields)
        self.assertTrue(second.finish["ok"], second.stderr)
        self.assertEqual(second["name"], ("new.data", "metaflow.events"))

    def test_a_value_that_does_not_fit_is_told_with_its_field(self):
        with Driver(
            """
            from metaflow import FlowSpec, Parameter, step

            class F(FlowSpec):
                alpha = Parameter("alpha", type=int)

                @step
                def start(self):
                    pass

            if __name__ == "__main__":
                F()
            """
        ) as driver:
            task = driver.run(
                "start",
                parameters={"alpha": "many"},
                origins={"alpha": "field `n` of the event `new_data`"},
            )
        line = task.finish["exception"]["line"]
        for word in ("`alpha`", "'many'", "field `n` of the event `new_data`"):
            self.assertIn(word, line)

    def test_names_of_a_project_are_said_when_they_are_known(self):
        body = """
        from metaflow import namespaced_event_name
        self.name = namespaced_event_name("new")()
        """
        task = self.start(body, project={"name": "shop", "branch": "prod"})
        self.assertEqual(task["name"], "mfns.shop.prod.new")
        self.assertEqual(self.start(body)["name"], "mfns.new")


if __name__ == "__main__":
    unittest.main()
