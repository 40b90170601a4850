"""What must not be in a runtime any more when every execution has ended. It looks where nobody else may."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.runtime import sleepers
from treadle.runtime.runtime import Runtime


def leftovers(runtime: Runtime) -> Iterator[str]:
    """What is left, in words."""
    for what, found in {
        "executions in memory": runtime.resident,
        "queued executions": len(runtime._queue),
        "timers": len(runtime._timers._set.keys() - {sleepers._TIMER}),  # a scan may still look for who was stopped
        "waiters for an end": len(runtime.ends),
        "map runs": len(runtime.map_runs._runs) + len(runtime.map_runs._asked_for),
        "offers to workers": len(runtime.activities._waiting),
        "things under way": runtime._under_way._count,
    }.items():
        if found:
            yield f"{found} {what}"
