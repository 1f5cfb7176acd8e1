"""Hands on what the modules of this package define."""

from .common import *  # noqa: F403
from .report import Reported
