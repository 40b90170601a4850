"""Who is let in while there is more to do than the server can: backpressure.

A request that waits for the server's own work (a commit, a read) holds memory until it is answered. While few wait,
more of them make larger groups and more throughput; when all the work of a second waits, more of them make nothing but
longer waits. From that many on, the next is answered with ThrottlingException, which every SDK takes for a request to
come again later, with growing pauses.

That answer is given after a pause. Whoever comes again at once would otherwise be refused thousands of times a second,
and the processor time of that would be missing where the work is done.

While the disk is full, what would write is answered with ServiceUnavailable at once, for which SDKs come again as well:
it could only wait, and hold memory, until there is room. What only reads is let in.

Requests that wait for others do not count here: polls of activity workers have a limit of their own, and executions
that somebody waits for count as executions in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from treadle.aws.errors import ApiError
from treadle.limits import Limits

_FULL = "The disk of the server is full: nothing can be written until there is room. What was accepted is not lost."
_READING = ("Describe", "Get", "Invoke", "List", "StartSync", "Test", "Validate")
"""What the names of operations begin with that write nothing, or only for some requests: those wait for room."""


def writes(operation: str) -> bool:
    """Whether an operation of that name has to write before it is answered."""
    return not operation.startswith(_READING)


class Admission:
    def __init__(self, limits: Limits, in_memory: Callable[[], int], full: Callable[[], bool] = lambda: False) -> None:
        """`in_memory`: how many executions are. `full`: whether the disk is."""
        self._limits = limits
        self._in_memory = in_memory
        self._full = full
        self._under_way = 0
        self._refused = 0

    @property
    def refused(self) -> int:
        """How many requests were not let in, since the server started."""
        return self._refused

    def check_room(self) -> None:
        """Of a request that writes. Raises ApiError."""
        if self._full():
            raise ApiError("ServiceUnavailable", _FULL)

    def enter(self, *, begins: bool, waits: bool) -> bool:
        """Whether a request may be carried out; then `leave` is to follow. `begins`: it would bring another execution
        into memory. `waits`: it may wait for others, and not for the server."""
        limits = self._limits
        if begins and self._in_memory() >= limits.executions_in_memory:
            return False
        if waits:
            return True
        if self._under_way >= limits.requests_under_way:
            return False
        self._under_way += 1
        return True

    def leave(self, *, waits: bool) -> None:
        if not waits:
            self._under_way -= 1

    async def refuse(self) -> ApiError:
        """What to answer instead, after a pause."""
        self._refused += 1
        await asyncio.sleep(self._limits.throttled_milliseconds / 1_000)
        return ApiError("ThrottlingException", "Rate exceeded")
