"""`current`: what a step can ask about the task that runs."""

import collections
import os

Parallel = collections.namedtuple(
    "Parallel", ["main_ip", "num_nodes", "node_index", "control_task_id"]
)

LATER = {
    "checkpoint": "@checkpoint",
    "model": "@model",
    "spot_termination_notice": "spot instances",
}
"""Names that Metaflow has for things that flowc does not support yet."""


class NoCard:
    """Takes what a step would show on its card, and shows nothing: cards are not drawn yet."""

    components = ()

    def append(self, component, id=None):
        """Takes a component."""

    def extend(self, components):
        """Takes several components."""

    def clear(self):
        """Forgets what it took."""

    def refresh(self, data=None, force=False):
        """Would draw the card again."""

    def get(self, type=None):
        """The cards of a type, of which there are none."""
        return []

    def __getitem__(self, id):
        return self

    def __setitem__(self, id, components):
        """Takes the components of a card."""


class Current:
    """The one object of this class is filled before a step runs."""

    def __init__(self):
        self._values = {}
        self._metadata_str = None
        self._graph = None
        self._has_gangs = None

    def _fill(self, values, graph=None, has_gangs=None):
        self._values = values
        self._graph = graph
        self._has_gangs = has_gangs

    def _set_env(self, **_values):
        """Called by parts of Metaflow; the harness has already said it all."""

    def _update_env(self, env):
        """Called by parts of Metaflow to add names of theirs."""
        self._values.update(env)

    def __contains__(self, name):
        return getattr(self, name, None) is not None

    def __setattr__(self, name, value):
        if name in _ALWAYS or name in self.__dict__.get("_values", ()):
            # Properties in Metaflow.
            raise AttributeError("`current.%s` cannot be set" % name)
        object.__setattr__(self, name, value)

    def __dir__(self):
        return sorted({*object.__dir__(self), *_ALWAYS, *self._values})

    def get(self, name, default=None):
        """The value of a name, or `default` where there is none."""
        return getattr(self, name, default)

    def __getattr__(self, name):
        values = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        if name in _ALWAYS:
            return None
        if name == "parallel" and self._has_gangs is not None and self._has_gangs():
            return Parallel(
                os.environ.get("MF_PARALLEL_MAIN_IP", "127.0.0.1"),
                int(os.environ.get("MF_PARALLEL_NUM_NODES", "1")),
                int(os.environ.get("MF_PARALLEL_NODE_INDEX", "0")),
                os.environ.get("MF_PARALLEL_CONTROL_TASK_ID"),
            )
        if name in LATER:
            raise AttributeError(
                "`current.%s` belongs to %s, which this version of flowc does not support"
                % (name, LATER[name])
            )
        raise AttributeError("`current` has no attribute `%s`" % name)

    @property
    def is_running_flow(self):
        """Whether a step is running."""
        return bool(self._values)

    @property
    def graph(self):
        """The flow's graph as Metaflow describes it."""
        if self._graph is None:
            raise RuntimeError("Graph is not available")
        return self._graph()

    @property
    def graph_info(self):
        """The same, as long as a step runs."""
        if self._graph is None:
            raise AttributeError("`current` has no attribute `graph_info`")
        return self._graph()

    @property
    def pathspec(self):
        """`Flow/run/step/task`."""
        parts = [self._values.get(name) for name in _PATH]
        return None if None in parts else "/".join(parts)

    @property
    def task(self):
        """The task as an object of Metaflow's client, which must be installed."""
        return self._client("Task", _PATH)

    @property
    def run(self):
        """The run as an object of Metaflow's client, which must be installed."""
        return self._client("Run", _PATH[:2])

    def _client(self, kind, names):
        parts = [self._values.get(name) for name in names]
        if None in parts:
            return None
        import metaflow

        return getattr(metaflow, kind)("/".join(parts), _namespace_check=False)

    @property
    def card(self):
        """Takes components of cards."""
        return NoCard()

    @property
    def tempdir(self):
        """Folder for temporary files."""
        from .settings import setting

        return setting("TEMPDIR") or "."


_PATH = ("flow_name", "run_id", "step_name", "task_id")
_ALWAYS = _PATH + ("retry_count", "origin_run_id", "namespace", "username")
"""Names that are there before a step runs, too."""

current = Current()
