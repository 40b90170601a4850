"""How a map run begins and stops its children: they are executions in the runtime's table like all others."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from treadle.document import Document
from treadle.engine.execution import Outside
from treadle.engine.program import Program
from treadle.engine.signals import Redrive, Signal, Start, Stop
from treadle.runtime.resident import Resident, new_execution
from treadle.store.contract import ExecutionRow


class Children:
    def __init__(
        self,
        residents: MutableMapping[int, Resident],
        signal: Callable[[Resident, Signal], None],
        load_soon: Callable[[ExecutionRow], Resident],
        outside: Callable[[ExecutionRow], Outside],
    ) -> None:
        self._residents = residents
        self._signal = signal
        self._load_soon = load_soon
        self._outside = outside

    def begin(
        self, row: ExecutionRow, program: Program, role_arn: str, given: Document, *, again: bool = False
    ) -> None:
        """`again`: it is an Express child that has ended before."""
        execution = new_execution(row, program, role_arn, given, self._outside(row))
        resident = Resident(row, execution, stored=not program.express)
        resident.again = again
        self._residents[row.id] = resident
        self._signal(resident, Start())

    def redrive(self, row: ExecutionRow) -> None:
        """Let a Standard child that has ended without success go on."""
        self._signal(self._residents.get(row.id) or self._load_soon(row), Redrive())

    def stop(self, execution_id: int) -> bool:
        """Abort it. False: it is not in memory."""
        resident = self._residents.get(execution_id)
        if resident is None:
            return False
        self._signal(resident, Stop())
        return True

    def stop_sleeping(self, row: ExecutionRow) -> None:
        """The same for one that was not in memory."""
        if not self.stop(row.id):
            self._signal(self._load_soon(row), Stop())
