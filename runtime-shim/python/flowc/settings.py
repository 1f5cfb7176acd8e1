"""Settings of Metaflow, from where it takes them.

`from_conf` in `metaflow/metaflow_config_funcs.py`, read at 2.19.39.
"""

import os


def setting(name):
    """A setting by its name without `METAFLOW_`, None if nothing says it.

    The environment wins, then the file of the project, then that of the user.
    """
    name = "METAFLOW_" + name
    if name in os.environ:
        return os.environ[name]
    for file in filter(None, (_of_project(), _of_user())):
        try:
            with open(file, encoding="utf-8") as text:
                import json

                found = json.load(text)
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and name in found:
            return found[name]
    return None


def _of_project():
    folder = os.getcwd()
    while True:
        store = os.path.join(folder, ".metaflow")
        if os.path.isdir(store):
            return os.path.join(store, "config.json")
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _of_user():
    home = os.environ.get("METAFLOW_HOME", "~/.metaflowconfig")
    profile = os.environ.get("METAFLOW_PROFILE")
    file = "config_%s.json" % profile if profile else "config.json"
    return os.path.join(os.path.expanduser(home), file)
