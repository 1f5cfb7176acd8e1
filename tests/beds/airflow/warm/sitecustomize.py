"""Imports what every task of the bed imports before the scheduler forks them: that takes seconds for each otherwise.

Nothing else differs from an Airflow without it. Python imports a module of this name at its start.
"""

import sys

if "scheduler" in sys.orig_argv:
    import airflow.providers.cncf.kubernetes.operators.pod  # noqa: F401
