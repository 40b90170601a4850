"""State machines that are being deleted: what happens to their executions, and when they are gone.

A machine that is deleted takes no new executions: the store says that it is DELETING. It is removed when none
of its executions runs any more. Those in the store are ended at their next transition, as AWS does; Express
executions run to their end, which is five minutes away at most.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from treadle.runtime.machines import Machines
from treadle.runtime.resident import Resident


class Deletions:
    def __init__(
        self,
        machines: Machines,
        residents: Mapping[int, Resident],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """`residents`: the executions in memory."""
        self._machines = machines
        self._residents = residents
        self._spawn = spawn
        self._under_way: set[str] = set()
        self._removals: set[str] = set()
        """Machines whose removal is to be tried soon."""

    async def learn(self) -> None:
        """Which deletions were under way when the server ended: executions of these machines end. Reads only."""
        self._under_way.update(await self._machines.deleting())

    async def resume(self) -> None:
        """Take up the deletions that were under way when the server ended."""
        for arn in await self._machines.deleting():
            self._under_way.add(arn)
            await self._remove(arn)

    async def delete(self, arn: str) -> None:
        """When this returns, no execution starts any more. Deleting what does not exist succeeds."""
        self._under_way.add(arn)
        await self._machines.delete(arn)
        await self._remove(arn)

    async def changed(self, arn: str) -> None:
        """Another node has changed the machine."""
        machine = await self._machines.get(arn)
        if machine is not None and machine.status == "DELETING":
            self._under_way.add(arn)
        else:
            self._under_way.discard(arn)

    def includes(self, arn: str) -> bool:
        return arn in self._under_way

    def execution_ended(self, machine_arn: str) -> None:
        if machine_arn in self._under_way and machine_arn not in self._removals:
            self._removals.add(machine_arn)
            self._spawn(self._remove(machine_arn))

    async def _remove(self, arn: str) -> None:
        self._removals.discard(arn)  # what ends from here on wants another attempt
        if not self._in_memory_only(arn) and await self._machines.remove(arn):
            self._under_way.discard(arn)

    def _in_memory_only(self, arn: str) -> bool:
        """Whether executions of this machine run that the store does not know of."""
        return any(not each.stored and each.row.machine_arn == arn for each in self._residents.values())
