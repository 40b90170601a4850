"""The names and ARNs of a map run's children: they follow from the run and the child's number.

A name has the form of a UUID, as on AWS. It begins with the number, so that names are in order: the index of ARNs
then grows at one place as the children are stored, and not all over.
"""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from treadle.store.map_run_contract import MapRun

_NUMBER_DIGITS = 8


class ChildNames:
    def __init__(self, run: MapRun, *, express: bool) -> None:
        kind = ":express:" if express else ":execution:"
        self._prefix = run.machine_arn.replace(":stateMachine:", kind, 1)
        unique = uuid5(NAMESPACE_URL, run.arn)
        self._tail = str(unique)[_NUMBER_DIGITS:]
        self._second = f":{uuid5(unique, 'express')}" if express else ""
        """What the ARN of an Express execution ends with."""

    def child(self, number: int) -> tuple[str, str]:
        """Name and ARN."""
        name = f"{number:0{_NUMBER_DIGITS}x}{self._tail}"
        return name, f"{self._prefix}:{name}{self._second}"
