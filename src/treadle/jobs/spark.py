"""Which EMR steps Treadle runs by itself: those for Spark and Hive, if PySpark is installed."""

from __future__ import annotations

from collections.abc import Sequence


def command(jar: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The command that runs a step of this jar and these arguments; empty: there is none."""
    return ()
